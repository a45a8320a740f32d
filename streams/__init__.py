"""The worker: judges, stores and aggregates readings exactly once."""
