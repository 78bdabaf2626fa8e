"""The multi-head classifier and its comparators."""
