"""Live values: who hears what, when the poller runs, and how a stream ends."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import psycopg
import pytest

from api.planning import live
from api.planning.live import Change, LiveHub, LiveResponse, event


def change(datastream: int, changed: float, value: float = 1.0) -> Change:
    return Change(changed=changed, datastream=datastream, latest=json.dumps({"id": datastream, "value": value}))


class Summaries:
    """What the poller would find, and since when it asked."""

    def __init__(self, *changes: Change) -> None:
        self.changes = list(changes)
        self.asked: list[float] = []
        self.away = False
        self._asked = asyncio.Condition()

    async def was_asked(self, times: int) -> None:
        async with self._asked:
            await self._asked.wait_for(lambda: len(self.asked) >= times)

    async def __call__(self, since: float) -> list[Change]:
        async with self._asked:
            self.asked.append(since)
            self._asked.notify_all()
        if self.away:
            raise psycopg.OperationalError("the server is gone")
        return [one for one in self.changes if one.changed > since]


def hub(summaries: Summaries, *, most: int = 4) -> LiveHub:
    return LiveHub(summaries, most=most, poll_s=0, clock=lambda: 1_000.0)


async def test_each_listener_hears_a_change_once() -> None:
    summaries = Summaries(change(7, 990.0))
    tested = hub(summaries)
    async with tested.listen(None) as one, tested.listen(None) as other:
        assert [c.datastream for c in await one.take(5)] == [7]
        assert [c.datastream for c in await other.take(5)] == [7]
        before = len(summaries.asked)
        await summaries.was_asked(before + 3)
        assert await one.take(0) == []


async def test_a_slow_listener_gets_the_newest_value_of_a_datastream() -> None:
    summaries = Summaries(change(7, 990.0, 1.0))
    tested = hub(summaries)
    async with tested.listen(None) as one, tested.listen(None) as slow:
        await one.take(5)
        summaries.changes = [change(7, 991.0, 2.0)]
        await one.take(5)
        assert [json.loads(c.latest)["value"] for c in await slow.take(5)] == [2.0]


async def test_a_change_committed_late_is_heard() -> None:
    summaries = Summaries(change(7, 995.0))
    tested = hub(summaries)
    async with tested.listen(None) as one:
        await one.take(5)
        summaries.changes.append(change(8, 995.0 - live.OVERLAP_S + 0.1))
        assert [c.datastream for c in await one.take(5)] == [8]


async def test_the_poller_rests_while_nobody_listens() -> None:
    summaries = Summaries()
    tested = hub(summaries)
    assert summaries.asked == []
    async with tested.listen(None) as one:
        await one.take(0.01)
    asked = len(summaries.asked)
    assert asked > 0
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(summaries.asked) == asked
    assert tested.listening == 0


async def test_a_returning_listener_is_sent_what_it_missed() -> None:
    summaries = Summaries(change(7, 950.0))
    tested = hub(summaries)
    async with tested.listen(940.0) as one:
        assert [c.datastream for c in await one.take(0)] == [7]


async def test_who_was_away_too_long_starts_anew() -> None:
    summaries = Summaries(change(7, 900.0))
    tested = hub(summaries)
    async with tested.listen(1_000.0 - live.LONGEST_CATCH_UP_S - 1) as one:
        assert await one.take(0) == []


async def test_a_database_that_is_away_keeps_the_listeners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "BACK_OFF_S", 0)
    summaries = Summaries(change(7, 990.0))
    summaries.away = True
    tested = hub(summaries)
    async with tested.listen(None) as one:
        await summaries.was_asked(3)
        summaries.away = False
        assert [c.datastream for c in await one.take(5)] == [7]


@pytest.mark.parametrize(("listening", "full"), [(3, False), (4, True)])
async def test_the_number_of_listeners_is_bounded(listening: int, full: bool) -> None:
    tested = hub(Summaries(), most=4)
    entered = [tested.listen(None) for _ in range(listening)]
    for one in entered:
        await one.__aenter__()
    assert tested.full is full
    for one in reversed(entered):
        await one.__aexit__(None, None, None)


def test_an_event_carries_a_json_array_and_the_newest_change_as_its_id() -> None:
    lines = event([change(1, 5.5), change(2, 7.25)]).decode().split("\n")
    assert lines[:2] == ["id: 7250", "event: latest"]
    assert [one["id"] for one in json.loads(lines[2].removeprefix("data: "))] == [1, 2]
    assert lines[3:] == ["", ""]


class Client:
    """The other side of ASGI: keeps what was sent and leaves when told."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.left = asyncio.Event()
        self.broken = False
        self._sent = asyncio.Condition()

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if self.broken:
            raise OSError("connection lost")
        async with self._sent:
            self.sent.append(message)
            self._sent.notify_all()

    async def hears(self, wanted: bytes) -> None:
        async with self._sent:
            await self._sent.wait_for(lambda: any(wanted in message.get("body", b"") for message in self.sent))


async def test_a_stream_starts_beats_and_ends_with_its_client() -> None:
    tested, client = hub(Summaries(change(7, 990.0))), Client()
    running = asyncio.create_task(LiveResponse(tested, None, heartbeat_s=0.01)({"type": "http"}, client.receive, client.send))
    await client.hears(b": still here")
    assert (b"content-type", b"text/event-stream; charset=utf-8") in client.sent[0]["headers"]
    assert b"content-length" not in dict(client.sent[0]["headers"])
    client.left.set()
    await running
    assert tested.listening == 0


async def test_a_client_that_vanished_leaves_nothing_behind() -> None:
    tested, client = hub(Summaries(change(7, 990.0))), Client()
    running = asyncio.create_task(LiveResponse(tested, None, heartbeat_s=0.01)({"type": "http"}, client.receive, client.send))
    await client.hears(b"latest")
    client.broken = True
    await running
    assert tested.listening == 0


async def test_a_cancelled_stream_leaves_nothing_behind() -> None:
    tested, client = hub(Summaries()), Client()
    running = asyncio.create_task(LiveResponse(tested, None)({"type": "http"}, client.receive, client.send))
    await client.hears(b"retry")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert tested.listening == 0
