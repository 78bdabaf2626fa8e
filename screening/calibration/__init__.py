"""From logits to probabilities."""
