"""The bridge from MQTT to Kafka."""
