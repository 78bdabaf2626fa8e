"""Train, calibrate and apply classifiers that flag posts for review with a recall promise."""
