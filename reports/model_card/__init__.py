"""The model card: sections between markers are filled from a run, everything else belongs to its writers."""
