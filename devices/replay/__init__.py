"""Real recordings, played again."""
