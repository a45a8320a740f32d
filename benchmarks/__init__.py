"""Benchmarks: the road beside its limits, in one run."""
