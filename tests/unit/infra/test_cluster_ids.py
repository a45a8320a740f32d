"""Kafka's cluster id is an argument of its tool."""

from __future__ import annotations

import uuid

import pytest

from infra.servers.kafka import new_cluster_id


def test_a_cluster_id_does_not_look_like_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([uuid.UUID(bytes=b"\xf8" * 16), uuid.UUID(bytes=b"\xfb" * 16), uuid.UUID(bytes=b"\x00" * 16)])
    monkeypatch.setattr(uuid, "uuid4", lambda: next(drawn))
    assert new_cluster_id() == "A" * 22
