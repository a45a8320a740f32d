"""A plausible region, seeded."""
