"""OGC's executable test suite for SensorThings 1.1 against a platform of its own: `make conformance`."""
