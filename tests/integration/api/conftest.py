"""An application on a database of its own, and a reader of the small region."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from reading import Asking, asking, fill
from writing import TOKEN, running, settings_for, stop_counting


@pytest.fixture
async def client(database: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with running(settings_for(database, tmp_path), headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield client


@pytest.fixture(scope="module", params=["embedded", "local"])
def region_url(request: pytest.FixtureRequest, servers: Any) -> Iterator[str]:
    with servers.database(request.param) as url:
        fill(url)
        yield url


@pytest.fixture(scope="module")
def region(region_url: str) -> Iterator[Asking]:
    with asking(region_url) as asked:
        yield asked


@pytest.fixture(autouse=True)
def _counting() -> Iterator[None]:
    yield
    stop_counting()
