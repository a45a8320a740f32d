"""What each entity set of SensorThings is, described once for reading, writing and every version of the wire."""
