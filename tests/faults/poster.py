"""A client that creates Observations over HTTP all the time and keeps what it was told."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import httpx
from load import register
from road import Platform
from truth import check_derived


class Poster(threading.Thread):
    """`created` Observations were answered with 201; of an answer that never came nobody knows."""

    def __init__(self, platform: Platform, name: str) -> None:
        super().__init__(name="poster", daemon=True)
        self._platform = platform
        self._device = f"{name}-poster-{id(self)}"
        self._channel = 0
        self._stopping = threading.Event()
        self._selves: list[str] = []
        self.unanswered = 0

    @property
    def created(self) -> int:
        return len(self._selves)

    def run(self) -> None:
        start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
        number = 0
        while not self._stopping.is_set():
            with suppress(httpx.TransportError), self._platform.http() as http:
                while not self._stopping.wait(0.02):
                    number += 1
                    at = start + timedelta(seconds=number)
                    body = {"result": number % 40, "phenomenonTime": at.isoformat(), "Datastream": {"@iot.id": self._channel}}
                    self.unanswered += 1
                    answer = http.post("v1.1/Observations", json=body)
                    self.unanswered -= 1
                    if answer.status_code == httpx.codes.CREATED:
                        self._selves.append(answer.headers["location"].rpartition("(")[2].rstrip(")"))
            self._stopping.wait(0.1)

    def end(self) -> None:
        self._stopping.set()
        self.join(90)

    def check(self) -> dict[str, Any]:
        """Everything that was answered with 201 is there, and nothing more than was asked for."""
        ids = {row[0] for row in self._platform.rows("SELECT id FROM observation WHERE datastream_id = %s", self._channel)}
        told = {int(each) for each in self._selves}
        assert told <= ids, f"{len(told - ids)} Observations were created and are not there"
        assert len(ids) <= len(told) + self.unanswered, f"{len(ids)} rows of {len(told)} created, {self.unanswered} unanswered"
        assert len(told) == len(self._selves), "an id was given twice"
        wrong = check_derived(self._platform, [self._channel])
        assert not wrong, wrong
        return {"created": len(told), "created_unanswered": self.unanswered}

    def __enter__(self) -> Self:
        self._channel = register(self._platform, self._device)["t"]
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
