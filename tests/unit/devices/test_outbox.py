"""The outbox: durable, bounded, never dropping."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from devices.gateway import OutboxError, OutboxFullError, OutboxLockedError
from devices.gateway.outbox import Message, Outbox


def message(payload=b"x", device="a", tenant="default"):
    return Message(tenant=tenant, device=device, format="json", payload=payload)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new" / "out.db"


def test_what_was_put_is_there_after_reopening(path):
    box = Outbox(path, clock=lambda: 1000.9)
    assert box.put([message(b"1"), message(b"2"), message(b"3", device="b")]) == [0, 1, 0]
    client = box.client_id
    box.close()
    box = Outbox(path, clock=lambda: 2000.0)
    line = box.line("default", "a")
    assert [held.payload for held in box.read(line, 0, 9)] == [b"1", b"2"]
    assert (line.epoch, line.first, line.next, box.count, box.bytes) == (1000, 0, 2, 3, 3)
    assert (box.oldest(), box.client_id) == (1000.9, client)
    assert box.put([message()]) == [2]
    box.close()


def test_reading_starts_at_a_number_and_stops_at_a_limit(path):
    box = Outbox(path)
    box.put([message(b"%d" % i) for i in range(5)])
    assert [held.number for held in box.read(box.line("default", "a"), 1, 3)] == [1, 2, 3]
    box.close()


def test_the_log_beside_an_outbox_stays_small_however_much_goes_through(path):
    box = Outbox(path)
    line = box.line("default", "a")
    for _ in range(400):
        box.put([message(b"x" * 200)])
        box.delete(line, line.next - 1)
    assert path.with_name("out.db-wal").stat().st_size < 700_000
    box.close()


@pytest.mark.parametrize("limit", [{"max_messages": 3}, {"max_bytes": 3}])
def test_a_full_outbox_refuses_and_keeps_what_it_has(path, limit):
    box = Outbox(path, **limit)
    box.put([message(), message()])
    with pytest.raises(OutboxFullError, match="2 messages of 2 bytes"):
        box.put([message(), message()])
    assert box.put([message()]) == [2]
    with pytest.raises(OutboxFullError):
        box.put([message()])
    assert box.count == 3
    line = box.line("default", "a")
    assert box.delete(line, 0) == 1
    assert box.put([message()]) == [3]
    assert [held.number for held in box.read(line, 0, 9)] == [1, 2, 3]
    box.close()


def test_deleting_moves_the_first_number_and_is_repeatable(path):
    box = Outbox(path)
    box.put([message() for _ in range(3)])
    line = box.line("default", "a")
    assert (box.delete(line, 1), line.first, box.count, box.bytes) == (2, 2, 1, 1)
    assert (box.delete(line, 1), line.first) == (0, 2)
    assert (box.delete(line, 2), line.first, box.oldest()) == (1, 3, None)
    box.close()
    box = Outbox(path)
    assert (box.line("default", "a").first, box.put([message()])) == (3, [3])
    box.close()


@pytest.mark.parametrize(("now", "above", "epoch"), [(500.0, 700, 701), (900.0, 700, 900), (700.0, 700, 701)])
def test_a_new_epoch_is_above_the_old_and_counts_from_0(path, now, above, epoch):
    clock = [100.0]
    box = Outbox(path, clock=lambda: clock[0])
    box.put([message(b"%d" % i) for i in range(4)])
    line = box.line("default", "a")
    box.delete(line, 1)
    clock[0] = now
    box.renumber(line, above=above)
    assert (line.epoch, line.first - line.base) == (epoch, 0)
    assert box.put([message()]) == [2]
    box.close()
    box = Outbox(path)
    line = box.line("default", "a")
    assert (line.epoch, line.base, line.first, line.next) == (epoch, 2, 2, 5)
    assert [held.payload for held in box.read(line, line.first, 9)] == [b"2", b"3", b"x"]
    box.close()


def test_a_second_gateway_is_refused_until_the_first_has_closed(path):
    first = Outbox(path)
    with pytest.raises(OutboxLockedError, match="open in another process"):
        Outbox(path)
    first.close()
    Outbox(path).close()


def test_a_file_that_is_no_outbox_is_an_error_that_says_so(tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("Moin " * 1000)
    with pytest.raises(OutboxError, match=r"letter\.txt: file is not a database"):
        Outbox(path)
    with pytest.raises(OutboxError, match="letter"):
        Outbox(path / "below")


def test_names_are_checked_before_anything_is_put(path):
    box = Outbox(path)
    with pytest.raises(ValueError, match="device 'A B'"):
        box.put([message(), message(device="A B")])
    assert box.count == 0
    box.close()


def test_a_closed_outbox_takes_nothing(path):
    box = Outbox(path)
    box.close()
    with pytest.raises(OutboxError, match="closed"):
        box.put([message()])


def test_a_disk_that_can_not_be_written_takes_nothing_and_says_so(path):
    box = Outbox(path)
    box.put([message()])
    box._writer.execute("PRAGMA query_only = ON")
    with pytest.raises(OutboxError, match="can't be written"):
        box.put([message()])
    box._writer.execute("PRAGMA query_only = OFF")
    assert (box.put([message()]), box.count) == ([1], 2)
    box.close()


def test_many_threads_share_commits_and_every_message_has_its_own_seq(path):
    box = Outbox(path)
    commits = []
    box._writer.set_trace_callback(lambda statement: commits.append(1) if statement == "COMMIT" else None)
    with ThreadPoolExecutor(8) as pool:
        seqs = [seq for seqs in pool.map(lambda i: box.put([message(b"%d" % i)]), range(200)) for seq in seqs]
    assert sorted(seqs) == list(range(200))
    stored = {held.number: held.payload for held in box.read(box.line("default", "a"), 0, 999)}
    assert [stored[seq] for seq in seqs] == [b"%d" % i for i in range(200)]
    assert len(commits) <= 200
    box.close()


def test_every_commit_is_synced_to_the_disk(path):
    box = Outbox(path)
    assert box._writer.execute("PRAGMA synchronous").fetchone() == (2,)
    assert box._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    box.close()
    assert sqlite3.connect(path).close() is None
