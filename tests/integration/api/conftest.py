"""An application on a database of its own, with the token and without."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from writing import TOKEN, running, settings_for, stop_counting


@pytest.fixture
async def client(database: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with running(settings_for(database, tmp_path), headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield client


@pytest.fixture(autouse=True)
def _counting() -> Iterator[None]:
    yield
    stop_counting()
