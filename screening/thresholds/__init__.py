"""Operating points with a recall promise."""
