"""Pieces of an answer leave together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from api.body import WHOLE
from api.serving import Joining, Protocol


class Recorder:
    """A transport that notes what it was told to send, call by call; nothing: to close."""

    def __init__(self) -> None:
        self.calls: list[list[bytes]] = []

    def write(self, data: bytes) -> None:
        self.calls.append([data])

    def writelines(self, pieces: Iterable[bytes]) -> None:
        self.calls.append(list(pieces))

    def close(self) -> None:
        self.calls.append([])

    def is_closing(self) -> bool:
        return [] in self.calls

    def get_extra_info(self, _name: str) -> None:
        return None


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
    assert recorder.calls == [[b"head"], []]
    assert transport.is_closing()


async def test_nothing_is_sent_to_a_client_that_is_gone() -> None:
    transport, recorder = joining()
    transport.write(b"head")
    recorder.close()
    await asyncio.sleep(0)
    assert recorder.calls == [[]]


HEAD = b"POST /things HTTP/1.1\r\nHost: region\r\nContent-Length: 4\r\n\r\n"


class Calls:
    """An application that notes of each request whether it was told that the body is whole, and the body."""

    def __init__(self) -> None:
        self.seen: list[tuple[bool, bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        whole, body = WHOLE in scope.get("extensions", ()), await Request(scope, receive).body()
        self.seen.append((whole, body))
        await Response(b"done")(scope, receive, send)


def connected(app: Calls) -> tuple[Protocol, Recorder]:
    config = Config(app, http=Protocol, lifespan="off", log_config=None)
    config.load()
    protocol, recorder = Protocol(config, ServerState(), {}), Recorder()
    protocol.connection_made(cast("asyncio.Transport", recorder))
    return protocol, recorder


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_request_that_came_at_once_has_its_whole_body() -> None:
    app = Calls()
    protocol, recorder = connected(app)
    protocol.data_received(HEAD + b"body")
    await turns()
    assert app.seen == [(True, b"body")]
    assert len(recorder.calls) == 1
    head, body = recorder.calls[0]
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body == b"done"
    protocol.connection_lost(None)


async def test_the_clock_is_watched_while_a_part_of_the_body_is_missing() -> None:
    app = Calls()
    protocol, _ = connected(app)
    protocol.data_received(HEAD + b"bo")
    await turns()
    protocol.data_received(b"dy")
    await turns()
    assert app.seen == [(False, b"body")]
    protocol.connection_lost(None)
