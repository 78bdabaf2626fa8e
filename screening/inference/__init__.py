"""Running a classifier fast and in input order."""
