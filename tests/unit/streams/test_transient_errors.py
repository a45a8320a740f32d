"""An error that another try cures ends no worker, and is blamed on no reading."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from streams.errors import RegistryMovedError
from streams.isolate import fault_of
from streams.sessions import TRANSIENT, retrying


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("server closed the connection unexpectedly"),
        errors.IdleInTransactionSessionTimeout("terminating connection due to idle-in-transaction timeout"),
        RegistryMovedError("a channel moved"),
    ],
)
async def test_it_is_tried_again_and_no_readings_fault(error: Exception) -> None:
    assert isinstance(error, TRANSIENT)
    with pytest.raises(type(error)):
        fault_of(error)
    tries = 0
    async for attempt in retrying(5):
        with attempt:
            tries += 1
            if tries == 1:
                raise error
    assert tries == 2


def test_what_a_reading_caused_is_named() -> None:
    assert fault_of(errors.NumericValueOutOfRange("out of range")).reason == "store_refused"
    assert fault_of(errors.InternalError_("cannot decode")).reason == "bug"
