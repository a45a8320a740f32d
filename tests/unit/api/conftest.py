"""An application whose database is away: enough for everything that happens before a statement."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from api.app import create_app
from api.store import Store, Written
from infra.settings import ApiSettings
from streams.contract import NewObservation

TOKEN = "a-token-of-tests"
NOBODY = "postgresql://nobody@127.0.0.1:1/none"  # nothing listens on port 1


class NoStore:
    async def write_observations(self, observations: Sequence[NewObservation]) -> Sequence[Written]:
        raise AssertionError(f"nothing may reach the store, but {observations} did")

    async def close(self) -> None:
        pass


async def open_no_store(_database_url: str, _shown: bytes) -> Store:
    return NoStore()


@pytest.fixture
def settings(tmp_path: Path) -> ApiSettings:
    return ApiSettings(
        database_url=NOBODY,
        kafka="127.0.0.1:1",
        mqtt_port=1,
        data_dir=tmp_path,
        token=SecretStr(TOKEN),
        public_url="https://region.example/sta/",
        body_bytes=20_000,
    )


@pytest.fixture
async def client(settings: ApiSettings) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings, store=open_no_store)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client
