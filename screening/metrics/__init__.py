"""Numbers about scores, each with its interval and its n."""
