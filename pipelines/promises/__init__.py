"""`screening plan | validate | recalibrate`: what a recall promise needs, whether it holds, and making it anew."""
