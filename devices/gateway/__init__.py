"""The gateway library."""
