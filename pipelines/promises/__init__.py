"""`screening plan | recalibrate`: what a recall promise needs, and making it for posts of one's own."""
