"""The sections of a report, a module each, and the tables several of them share."""
