"""What training minimises, one file per loss."""
