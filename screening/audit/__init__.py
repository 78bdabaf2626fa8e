"""Checking a promise after deployment: which unflagged posts to read, what they say, and whether scores moved."""
