"""The programs people sit in front of."""
