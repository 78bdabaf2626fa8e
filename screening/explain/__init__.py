"""Which words a score depended on."""
