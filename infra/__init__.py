"""Servers, settings, migrations; knows no domain."""
