"""The worker without a log: bugs and pauses, on batches that a test hands it (decisions.md 5)."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from ingest_mqtt.contract import RawMessage, encode_batch
from streams import blockers, pause, stage, store
from streams import intake as intake_module
from streams.errors import FencedError
from streams.intake import Intake
from streams.isolate import fault_of
from streams.pause import Gate
from streams.sessions import open_pool
from streams.store import Receipt
from streams.transport import Batch
from streams.worker import Worker
from tests.integration.streams.conftest import LIMITS, REGISTER, TOPIC, message, reading


class QuietLog:
    def incarnation(self) -> str:
        return "log-1"

    def ends(self) -> dict[int, int] | None:
        return None


class Ended(BaseException):
    """The process would have ended."""


class Bench:
    """A worker with one partition, and its database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.receipts: list[Receipt] = []
        self.stored: list[Intake] = []
        self.offsets = [0, 0]

    async def open(self, stack: contextlib.AsyncExitStack) -> Bench:
        self.pool = open_pool(self.url, 3, "bench")
        await self.pool.open()
        stack.push_async_callback(self.pool.close)
        self.gate = Gate(self.pool, "worker-1")
        self.worker = Worker(
            pool=self.pool, owner="worker-1/1", log=QuietLog(), limits=LIMITS, store_limits=store.StoreLimits(),
            on_receipts=self.receipts.extend, on_stored=self.stored.append, gate=self.gate,
        )  # fmt: skip
        self.claims = await self.worker.claim({(TOPIC, 0), (TOPIC, 1)})
        return self

    async def handle(self, *messages: RawMessage, partition: int = 0) -> None:
        start = self.offsets[partition]
        self.offsets[partition] = start + 1
        claim = self.claims[TOPIC, partition]
        await self.worker.handle(Batch(claim=claim, start=start, values=[encode_batch(list(messages))]))

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        async with self.pool.connection() as connection:
            return await (await connection.execute(sql.encode())).fetchall()


@pytest.fixture
async def bench(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    def end(code: int) -> None:
        raise Ended(code)

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(pause, "ASK_S", 0.02)
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        for number in range(12):
            await connection.execute(REGISTER, {"device": f"dev-{number}", "channels": ["t"]})
    async with contextlib.AsyncExitStack() as stack:
        yield await Bench(database).open(stack)


LETTERS = "SELECT device, seq, reason, readings FROM dead_letter ORDER BY device, seq"
NUMBERS = "SELECT number FROM observation ORDER BY number"


@pytest.fixture
def broken_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows with the number 13 hit a bug, wherever they stand."""
    fill = stage.fill

    async def broken(connection: Any, candidates: Any, *more: Any) -> None:
        if any(candidate.number == 13 for candidate in candidates):
            raise KeyError("thirteen")
        await fill(connection, candidates, *more)

    monkeypatch.setattr(stage, "fill", broken)


@pytest.mark.usefixtures("broken_store")
async def test_readings_that_hit_a_bug_in_the_store_become_letters_and_their_neighbours_rows(bench: Bench) -> None:
    await bench.handle(
        message(reading(0, 1), reading(1, 13), reading(2, 3), seq=0, device="dev-1"),
        message(*(reading(minute, minute + 20) for minute in range(10)), seq=0, device="dev-2"),
        message(reading(0, 13), seq=0, device="dev-3"),
    )
    assert await bench.rows(LETTERS) == [("dev-1", 0, "bug", 1), ("dev-3", 0, "bug", 1)]
    assert [number for (number,) in await bench.rows(NUMBERS)] == [1, 3, *range(20, 30)]
    assert {(receipt.device, receipt.seq) for receipt in bench.receipts} == {("dev-1", 0), ("dev-2", 0), ("dev-3", 0)}
    await bench.handle(message(reading(5, 5), seq=1, device="dev-3"))
    assert len(await bench.rows(NUMBERS)) == 13


def test_what_the_database_refuses_and_a_bug_are_told_apart() -> None:
    assert fault_of(psycopg.DataError("out of range")).reason == "store_refused"
    for bug in (KeyError("a"), psycopg.ProgrammingError("no such column"), RecursionError()):
        assert fault_of(bug).reason == "bug"
    for other in (psycopg.OperationalError(), FencedError(), MemoryError()):
        with pytest.raises(type(other)):
            fault_of(other)


async def test_readings_that_can_only_not_be_stored_together_are_parted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    fill = stage.fill

    async def broken(connection: Any, candidates: Any, *more: Any) -> None:
        if {4.0, 9.0} <= {candidate.number for candidate in candidates}:
            raise ValueError("both")
        await fill(connection, candidates, *more)

    monkeypatch.setattr(stage, "fill", broken)
    await bench.handle(message(*(reading(minute, minute) for minute in range(12)), seq=0, device="dev-1"))
    assert [number for (number,) in await bench.rows(NUMBERS)] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11]
    assert await bench.rows(LETTERS) == [("dev-1", 0, "bug", 1)]


async def test_an_error_that_no_reading_can_be_the_reason_of_goes_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(stage, "fill", broken)
    with pytest.raises(MemoryError):
        await bench.handle(message(reading(0, 1), seq=0, device="dev-1"))
    assert await bench.rows("SELECT * FROM dead_letter") == []


def flood(number: int, *, devices: int = 10, start: int = 0) -> list[RawMessage]:
    """Messages of ten devices in turn, none of which can be decoded while the decoder is broken."""
    return [
        message(reading(n, n), seq=(start + n) // devices, device=f"dev-{n % devices}") for n in range(number)
    ]  # fmt: skip


@pytest.fixture
def broken_decoder(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    def broken(*_: Any, **__: Any) -> None:
        raise TypeError("a wrong release")

    monkeypatch.setattr(intake_module, "decode", broken)
    return monkeypatch


async def until_paused(bench: Bench) -> None:
    while not await bench.rows("SELECT * FROM worker_pause"):  # noqa: ASYNC110 - it waits for a row
        await asyncio.sleep(0.01)


async def resume(bench: Bench) -> None:
    async with bench.pool.connection() as connection:
        await connection.execute("DELETE FROM worker_pause")


async def test_a_wrong_release_pauses_the_worker_and_nothing_is_settled_meanwhile(
    bench: Bench, broken_decoder: pytest.MonkeyPatch
) -> None:
    handling = asyncio.create_task(bench.handle(*flood(501)))
    await until_paused(bench)
    other = asyncio.create_task(bench.handle(*flood(10, start=600), partition=1))
    await asyncio.sleep(0.1)
    assert not handling.done()
    assert not other.done()
    assert await bench.rows("SELECT next_offset FROM ledger") == [(0,), (0,)]
    assert await bench.rows("SELECT count(*) FROM dead_letter") == [(0,)]
    assert bench.receipts == []
    assert bench.gate.reason == "paused: 501 of the last 501 messages, of 10 devices, can't be read"
    assert await bench.rows("SELECT worker, failures, messages, devices FROM worker_pause") == [("worker-1", 501, 501, 10)]
    broken_decoder.undo()
    await resume(bench)
    await asyncio.wait_for(asyncio.gather(handling, other), 60)
    assert bench.gate.reason is None
    assert await bench.rows("SELECT count(*) FROM dead_letter") == [(0,)]
    assert await bench.rows("SELECT next_offset FROM ledger") == [(1,), (1,)]


async def test_a_paused_worker_that_is_resumed_unmended_sends_what_it_holds_to_the_letters(
    bench: Bench, broken_decoder: pytest.MonkeyPatch
) -> None:
    assert broken_decoder is not None
    handling = asyncio.create_task(bench.handle(*flood(501)))
    await until_paused(bench)
    await resume(bench)
    await asyncio.wait_for(handling, 60)
    assert await bench.rows("SELECT reason, count(*) FROM dead_letter GROUP BY reason") == [("bug", 501)]


async def test_a_long_pause_goes_on_in_a_new_process(
    bench: Bench, broken_decoder: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert broken_decoder is not None
    monkeypatch.setattr(pause, "HOLD_S", 0.2)
    with pytest.raises(Ended):
        await bench.handle(*flood(501))
    restarted = Gate(bench.pool, "worker-1")
    waiting = asyncio.create_task(restarted.resumed())
    await asyncio.sleep(0.1)
    assert not waiting.done()
    assert restarted.reason == "paused: 501 of the last 501 messages, of 10 devices, can't be read"
    other = Gate(bench.pool, "worker-2")
    await asyncio.wait_for(other.resumed(), 60)
    await resume(bench)
    await asyncio.wait_for(waiting, 60)
    assert restarted.reason is None


@pytest.mark.usefixtures("broken_store")
async def test_bugs_in_the_store_pause_too_before_all_were_searched(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pause, "MOST_FAILURES", 20)
    tries = 0
    write_rows = store.write_rows

    async def counted(*given: Any, **more: Any) -> None:
        nonlocal tries
        tries += 1
        await write_rows(*given, **more)

    monkeypatch.setattr(store, "write_rows", counted)
    sent = [message(reading(n, 13), seq=n // 10, device=f"dev-{n % 10}") for n in range(200)]
    handling = asyncio.create_task(bench.handle(*sent))
    await until_paused(bench)
    assert tries < 100
    await resume(bench)
    await asyncio.wait_for(handling, 120)
    assert await bench.rows("SELECT reason, count(*) FROM dead_letter GROUP BY reason") == [("bug", 200)]


async def test_devices_that_send_rubbish_are_quarantined_and_pause_nothing(bench: Bench) -> None:
    rubbish = [RawMessage(topic=f"region/1/default/dev-{n % 9}/up/json", payload=b"{", received_us=n) for n in range(990)]
    await bench.handle(*rubbish)
    assert bench.worker.quarantined == 9
    await bench.handle(message(reading(0, 1), seq=0, device="dev-0"), message(reading(0, 2), seq=0, device="dev-9"))
    assert await bench.rows(NUMBERS) == [(2.0,)]
    assert await bench.rows("SELECT reason, count(*) FROM dead_letter GROUP BY reason ORDER BY 1") == [
        ("invalid_json", 900),
        ("quarantined", 91),
    ]


async def claim_beside_a_copy(bench: Bench, frozen: Any) -> None:
    async with frozen.cursor().copy("COPY stage FROM STDIN"), asyncio.timeout(10):
        bench.claims = await bench.worker.claim({(TOPIC, 0), (TOPIC, 1)})


async def test_a_claim_ends_the_transaction_of_an_owner_that_froze_in_the_middle_of_a_copy(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blockers, "BLOCKED_S", 0.2)
    epochs = [claim.epoch for claim in bench.claims.values()]
    async with bench.pool.connection() as frozen:
        await frozen.execute("BEGIN")
        await frozen.execute("UPDATE ledger SET owner = owner")
        # No timeout ends it: the server reads the client's data, not its clock.
        await frozen.execute(
            "SET idle_in_transaction_session_timeout = 100; SET statement_timeout = 100; SET transaction_timeout = 100"
        )
        with pytest.raises(psycopg.OperationalError, match="terminat"):
            await claim_beside_a_copy(bench, frozen)
    assert [claim.epoch for claim in bench.claims.values()] == [epoch + 1 for epoch in epochs]
