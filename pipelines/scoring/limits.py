"""What a scoring job allows where nothing else is asked for; the command line shows it in its help."""

PART_ROWS = 5_000
MAX_REJECTED = 0.1
