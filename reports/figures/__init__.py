"""Pictures drawn from tables: nothing is computed here."""
