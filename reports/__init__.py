"""Tables and pictures of a run, and the model card."""
