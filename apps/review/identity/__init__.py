"""Who sits at the screen: sign-in providers, password rules, and sessions that end."""
