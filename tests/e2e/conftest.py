"""A running platform of each set of servers, for all tests of the road."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from road import Platform


@pytest.fixture(scope="session", params=["embedded", "local"])
def up(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(request.param, tmp_path_factory.mktemp(f"up-{request.param}") / "data")
    try:
        yield platform.start()
    finally:
        platform.end()
