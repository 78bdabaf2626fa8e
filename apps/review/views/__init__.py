"""One file per page; run by the web server, not imported."""
