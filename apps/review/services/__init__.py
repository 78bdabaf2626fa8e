"""What can be done with the review store, and by whom; knows no web page."""
