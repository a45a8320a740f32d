"""Topics of the log: made with a fixed number of partitions, known by their id."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import Protocol, cast

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # pyright: ignore[reportPrivateImportUsage] - its documented place
from confluent_kafka.cimpl import NewTopic

_PATIENCE_S = 10.0
_COPIES = 3  # of each partition, where there are so many brokers: two of them may be away


class _Description(Protocol):  # confluent_kafka.admin.TopicDescription, which is private to its type checker
    @property
    def topic_id(self) -> object: ...
    @property
    def partitions(self) -> list[object]: ...


class _Offset(Protocol):  # confluent_kafka.admin.ListOffsetsResultInfo
    @property
    def offset(self) -> int: ...


class LogError(RuntimeError):
    """The log did not do what was asked; the message is one line."""


class UnknownTopicError(LogError):
    """The topic is not there."""


class PartitionsError(LogError):
    """The topic is there with another number of partitions; that number is fixed when a topic is made."""


def ensure_topic(bootstrap: str, topic: str, partitions: int, timeout_s: float = _PATIENCE_S) -> str:
    """Make the topic if it is not there, on up to three brokers, and return its id; raises `LogError`.

    Two processes may do this at once. A log that was lost and made anew gives the topic a new id (ledger.md).
    """
    admin = _admin(bootstrap)
    try:
        wanted = NewTopic(topic, partitions, _copies(admin, timeout_s))
        cast("Future[None]", admin.create_topics([wanted], operation_timeout=timeout_s)[topic]).result(timeout_s)
    except KafkaException as error:
        if cast("KafkaError", error.args[0]).code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise LogError(f"topic {topic} could not be made at {bootstrap}: {error.args[0]}") from error
    except TimeoutError as error:
        raise LogError(f"no answer from the log at {bootstrap} within {timeout_s:.0f} s") from error
    found = _describe_new(admin, bootstrap, topic, timeout_s)
    there = len(found.partitions)
    if there != partitions:
        raise PartitionsError(
            f"topic {topic} has {there} partitions, the settings say {partitions}: they are fixed when it is made"
        )
    return str(found.topic_id)


def topic_id(bootstrap: str, topic: str, timeout_s: float = _PATIENCE_S) -> str:
    """Return the id of a topic, the incarnation of the log in the ledger; raises `LogError`."""
    return str(_describe(_admin(bootstrap), bootstrap, topic, timeout_s).topic_id)


def end_offsets(bootstrap: str, topic: str, partitions: int, timeout_s: float = _PATIENCE_S) -> dict[int, int]:
    """Return the offset that each partition's next record will get; raises `LogError`."""
    latest = cast("OffsetSpec", OffsetSpec.latest())
    asked = {TopicPartition(topic, partition): latest for partition in range(partitions)}
    admin = _admin(bootstrap)  # held while it works: an admin that is let go answers nobody
    futures = cast("dict[TopicPartition, Future[_Offset]]", admin.list_offsets(asked, request_timeout=timeout_s))
    try:
        return {place.partition: future.result(timeout_s).offset for place, future in futures.items()}
    except KafkaException as error:
        raise LogError(f"ends of topic {topic} at {bootstrap}: {error.args[0]}") from error
    except TimeoutError as error:
        raise LogError(f"no answer from the log at {bootstrap} within {timeout_s:.0f} s") from error


def _admin(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})


def _copies(admin: AdminClient, timeout_s: float) -> int:
    return max(1, min(_COPIES, len(admin.list_topics(timeout=timeout_s).brokers)))


def _describe_new(admin: AdminClient, bootstrap: str, topic: str, timeout_s: float) -> _Description:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return _describe(admin, bootstrap, topic, timeout_s)
        except UnknownTopicError:  # the controller has made it, the broker has not heard of it yet
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _describe(admin: AdminClient, bootstrap: str, topic: str, timeout_s: float) -> _Description:
    futures = cast("dict[str, Future[_Description]]", admin.describe_topics(TopicCollection([topic]), request_timeout=timeout_s))
    try:
        return futures[topic].result(timeout_s)
    except KafkaException as error:
        unknown = cast("KafkaError", error.args[0]).code() == KafkaError.UNKNOWN_TOPIC_OR_PART
        kind = UnknownTopicError if unknown else LogError
        raise kind(f"topic {topic} at {bootstrap}: {error.args[0]}") from error
    except TimeoutError as error:
        raise LogError(f"no answer from the log at {bootstrap} within {timeout_s:.0f} s") from error
