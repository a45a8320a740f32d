"""Alerts: rules as data, events that last, and who is told of them (docs/alerts.md)."""
