"""What the explain stage is made of: which posts and heads, work in parts, faithfulness and plausibility."""
