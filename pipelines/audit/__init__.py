"""`screening audit`: plan, draw and judge a random audit of unflagged posts; compare scores with calibration."""
