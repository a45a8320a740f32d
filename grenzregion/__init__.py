"""Command line and supervisor: the only place that knows every folder."""
