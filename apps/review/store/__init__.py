"""The database: posts, their erasable text, append-only events, and leases."""
