"""The worker's agent on Faust: it goes on only while batches are stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from streams.agents import ingest


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


async def stream(*batches: int) -> AsyncIterator[int]:
    for batch in batches:
        yield batch


async def test_a_batch_that_could_not_be_stored_ends_the_process_before_the_next_one() -> None:
    app, handled, said = FakeApp(), [], []

    async def handle(batch: Any) -> None:
        handled.append(batch)
        if batch == 2:
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
