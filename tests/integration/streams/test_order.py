"""Order does not matter: any shuffle, repetition and cutting into batches ends in equal tables (architecture.md, worker 3)."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest_mqtt.contract import RawMessage
from streams.copies import Heard
from tests.integration.streams.conftest import RECEIVED, Road, message, reading

VALUES = st.one_of(
    st.sampled_from([0.1, 0.2, 0.3, -0.0, 1e-7, 12345.678, 50, 99, None, True, "wet"]),
    st.floats(-60, 80, allow_nan=False),
    st.integers(-50, 70),
)
READINGS = st.builds(
    reading, st.sampled_from([0, 0.5, 14.99, 15, 59, 60, 170, 186, 600]), VALUES, st.sampled_from(["t", "t", "u", "gone"])
)
BODIES = st.lists(READINGS, min_size=1, max_size=5)


@st.composite
def streams_of_messages(draw: st.DrawFn) -> tuple[list[list[RawMessage]], list[list[RawMessage]]]:
    sent: list[RawMessage] = []
    for epoch in (1, 2):
        sent += [message(*body, seq=seq, epoch=epoch) for seq, body in enumerate(draw(st.lists(BODIES, max_size=5)))]
    sent += [message(*body) for body in draw(st.lists(BODIES, max_size=3))]
    late = [
        RawMessage(topic=m.topic, payload=m.payload, received_us=m.received_us + 60_000_000 * draw(st.integers(0, 9)),
                   epoch=m.epoch, seq=m.seq, first=m.first)
        for m in draw(st.lists(st.sampled_from(sent), max_size=6)) if m.seq is not None
    ] if sent else []  # fmt: skip
    shuffled = draw(st.permutations(sent + late))
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(shuffled))), max_size=4)))
    batches = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)]
    return [[m] for m in sent], [batch for batch in batches if batch]


TABLES = {  # what does not depend on the order, and what makes a row unique
    "observation": (
        (
            "datastream_id, phenomenon_time, phenomenon_end, received, number::text, result::text, flag, tests, ruleset,"
            " parameters, epoch, seq, item"
        ),
        "datastream_id, phenomenon_time",
    ),
    "aggregate": (
        (
            "datastream_id, span, bucket, flag, n, numbers, sum, sum_squares, min, max, first_time, first_number,"
            " last_time, last_number"
        ),
        "datastream_id, span, bucket, flag",
    ),
    "datastream_summary": (
        "datastream_id, n, first_time, last_time, end_time, latest_number, latest_result::text, latest_flag",
        "datastream_id",
    ),
    "receipt": ("tenant, device, epoch, first, runs", "tenant, device, epoch"),
    # A letter without identity is counted each time it comes: what is not identified can't be recognised.
    "dead_letter WHERE seq IS NOT NULL": ("tenant, device, epoch, seq, reason, refused, readings", "tenant, device, epoch, seq"),
}


async def tables_after(road: Road, batches: list[list[RawMessage]], *, forgets: bool) -> dict[str, list[tuple[Any, ...]]]:
    """Store the batches; a worker that `forgets` is a new one for each."""
    await road.connection.execute(
        "TRUNCATE observation, aggregate, datastream_summary, receipt, dead_letter, device_state, revision, stored_outbox"
    )
    road.heard = Heard()
    for batch in batches:
        if forgets:
            road.heard = Heard()
        await road.run(*batch)
    return {table: await road.rows(f"SELECT {columns} FROM {table} ORDER BY {key}") for table, (columns, key) in TABLES.items()}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(streams_of_messages())
async def test_any_order_repetition_and_cut_ends_in_equal_tables(
    road: Road, orders: tuple[list[list[RawMessage]], list[list[RawMessage]]]
) -> None:
    in_order, otherwise = orders
    expected = await tables_after(road, in_order, forgets=False)
    assert await tables_after(road, otherwise, forgets=False) == expected
    assert await tables_after(road, otherwise, forgets=True) == expected


async def test_aggregates_equal_a_recomputation_from_rows(road: Road) -> None:
    for seq in range(30):
        await road.run(message(*(reading((seq * 7 + k * 13) % 200, (seq * k) % 60 / 10) for k in range(6)), seq=29 - seq))
    (stored,) = await road.rows("SELECT count(*) FROM observation")
    days = await road.rows("SELECT flag, sum(n), sum(sum) FROM aggregate WHERE span = 'day' GROUP BY flag ORDER BY flag")
    assert days == await road.rows("SELECT flag, count(*), sum(number::text::numeric) FROM observation GROUP BY flag ORDER BY flag")
    assert sum(day[1] for day in days) == stored[0]
    assert RECEIVED.tzinfo is not None
