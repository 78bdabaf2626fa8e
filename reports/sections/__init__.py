"""The sections of a report: one module each makes its tables and pictures."""
