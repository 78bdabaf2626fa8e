"""Stages, run folders, tracking and the command line."""
