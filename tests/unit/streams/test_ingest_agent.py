"""The worker's agent on Faust: it goes on only while batches are stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from streams.agents import ingest
from streams.ledger import Claim
from streams.transport import Batch

CLAIM = Claim(incarnation="log-1", topic="readings.raw", partition=0, next_offset=0, epoch=1)


class _EndedError(BaseException):
    """What the end of the process is to a test."""


class FakeApp:
    """Keeps the agent instead of running it."""

    def __init__(self) -> None:
        self.agent_of: Callable[[Any], Any] | None = None
        self.isolated = False

    def agent(self, _topic: Any, *, isolated_partitions: bool) -> Callable[[Any], Any]:
        self.isolated = isolated_partitions

        def keep(function: Any) -> Any:
            self.agent_of = function
            return function

        return keep


async def stream(*starts: int) -> AsyncIterator[Batch]:
    for start in starts:
        yield Batch(claim=CLAIM, start=start, values=[b""])


async def test_a_batch_that_could_not_be_stored_ends_the_process_before_the_next_one() -> None:
    app, handled, said = FakeApp(), [], []

    async def handle(batch: Batch) -> None:
        assert not batch.is_open  # what comes now would not be stored
        handled.append(batch.start)
        if batch.start == 2:
            raise ValueError("not stored")

    def fatal(reason: str) -> None:
        said.append(reason)
        raise _EndedError

    ingest.attach(app, None, handle, fatal)  # pyright: ignore[reportArgumentType]
    assert app.isolated
    assert app.agent_of is not None
    with pytest.raises(_EndedError):
        await app.agent_of(stream(1, 2, 3))
    assert handled == [1, 2]
    assert said == ["ValueError('not stored')"]
