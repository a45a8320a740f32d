"""Ask a server whether it does its work: the same questions for every set."""

from __future__ import annotations

import socket

import psycopg
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

_PATIENCE_S = 2.0


def accepts(host: str, port: int) -> bool:
    """Whether something accepts TCP connections there."""
    try:
        with socket.create_connection((host, port), timeout=_PATIENCE_S):
            return True
    except OSError:
        return False


def postgres_answers(conninfo: str) -> bool:
    """Whether PostgreSQL carries out a statement."""
    try:
        with psycopg.connect(conninfo, connect_timeout=int(_PATIENCE_S), autocommit=True) as connection:
            connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def kafka_answers(bootstrap: str) -> bool:
    """Whether a broker of the log tells its metadata."""
    host, _, port = bootstrap.split(",", maxsplit=1)[0].rpartition(":")
    if not accepts(host, int(port)):  # librdkafka is noisy and slow about a closed port
        return False
    try:
        AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(timeout=_PATIENCE_S)
    except KafkaException:
        return False
    return True


def mqtt_answers(host: str, port: int, user: str = "", password: str = "") -> bool:
    """Whether the broker lets this user in over MQTT 5."""
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    if user:
        client.username_pw_set(user, password)
    try:
        client.connect(host, port)
        while client.loop(_PATIENCE_S) is MQTTErrorCode.MQTT_ERR_SUCCESS:
            if client.is_connected():
                client.disconnect()
                return True
    except OSError:
        pass
    return False
