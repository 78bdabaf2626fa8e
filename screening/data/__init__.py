"""From raw posts to four clean splits."""
