"""Figures derived from the readings of one Datastream, pure."""
