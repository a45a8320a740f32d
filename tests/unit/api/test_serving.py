"""Pieces of an answer leave together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import cast

from api.serving import Joining


class Recorder:
    """A transport that notes what it was told, call by call."""

    def __init__(self) -> None:
        self.calls: list[list[bytes] | str] = []

    def write(self, data: bytes) -> None:
        self.calls.append([data])

    def writelines(self, pieces: Iterable[bytes]) -> None:
        self.calls.append(list(pieces))

    def close(self) -> None:
        self.calls.append("close")

    def is_closing(self) -> bool:
        return "close" in self.calls


def joining() -> tuple[Joining, Recorder]:
    recorder = Recorder()
    return Joining(cast("asyncio.Transport", recorder), asyncio.get_running_loop()), recorder


async def test_head_and_body_leave_by_one_call_and_at_once() -> None:
    transport, recorder = joining()
    transport.write(b"head")
    transport.write(b"body")
    assert recorder.calls == [[b"head", b"body"]]
    await asyncio.sleep(0)
    assert recorder.calls == [[b"head", b"body"]]


async def test_an_empty_body_lets_the_head_go() -> None:
    transport, recorder = joining()
    transport.write(b"head")
    transport.write(b"")
    assert recorder.calls == [[b"head", b""]]


async def test_a_piece_that_stays_alone_leaves_when_the_turn_ends() -> None:
    transport, recorder = joining()
    transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert recorder.calls == []
    await asyncio.sleep(0)
    assert recorder.calls == [[b"HTTP/1.1 100 Continue\r\n\r\n"]]


async def test_closing_sends_what_is_held_back_before() -> None:
    transport, recorder = joining()
    transport.write(b"head")
    transport.close()
    await asyncio.sleep(0)
    assert recorder.calls == [[b"head"], "close"]
    assert transport.is_closing()
