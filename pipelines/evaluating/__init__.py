"""What stands beside the screener's test scores: keyword lists, changed texts, an earlier run."""
