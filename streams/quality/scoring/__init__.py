"""How well the rulesets tell wrong readings from right ones: recall, precision and false alarms (docs/quality.md)."""
