"""Two runs side by side on the same posts, and whether one may replace the other."""
