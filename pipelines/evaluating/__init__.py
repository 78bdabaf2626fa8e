"""What the evaluate stage compares the screener with: keyword lists, an earlier run, changed texts."""
