"""Clients that partner regions have, as they are on PyPI, against this API with authentication on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from clients_serving import TOKEN, Served, python_with_clients, serving

if TYPE_CHECKING:
    from conftest import Servers

pytestmark = [pytest.mark.integration, pytest.mark.e2e]

_CLIENTS = Path(__file__).with_name("clients")


@pytest.fixture(scope="module")
def python() -> Path:
    return python_with_clients()


@pytest.fixture(scope="module")
def served(request: pytest.FixtureRequest, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with servers.database(request.param) as database, serving(database, tmp_path_factory.mktemp("clients")) as api:
        yield api


# The classes of 18-088 that a case needs: it runs as soon as the service root lists them.
CASES = [
    ("frost", "create_and_query", ("datamodel",)),
    ("frost", "page_through", ("data-array",)),
    ("frost", "patch_and_delete", ("create-update-delete",)),
    ("frost", "data_arrays", ("data-array",)),
    ("frost", "multi_datastream", ("datamodel",)),
    ("stapy", "create_and_query", ("datamodel",)),
    ("stapy", "page_through", ("datamodel",)),
    ("stapy", "data_arrays", ("data-array",)),
    ("stapy", "patch_and_delete", ("datamodel",)),
    ("istsos4", "create_and_query", ("datamodel",)),
    ("istsos4", "page_through", ("datamodel",)),
    ("istsos4", "patch_and_delete", ("create-update-delete",)),
    ("pygeoapi", "things", ("datamodel",)),
    ("pygeoapi", "datastreams", ("datamodel",)),
    ("pygeoapi", "observations", ("datamodel",)),
    ("pygeoapi", "properties", ("datamodel",)),
    ("pygeoapi", "pages", ("data-array",)),
    ("pygeoapi", "boxes", ("request-data",)),
]


# pygeoapi asks for places, which need PostGIS.
@pytest.mark.parametrize(
    ("served", "client", "case", "classes"),
    [("local" if client == "pygeoapi" else "embedded", client, case, classes) for client, case, classes in CASES],
    ids=[f"{client}-{case}" for client, case, _ in CASES],
    indirect=["served"],
)
def test_a_client_works_unchanged(
    served: Served, python: Path, tmp_path: Path, client: str, case: str, classes: tuple[str, ...]
) -> None:
    if missing := [name for name in classes if not served.has(name)]:
        pytest.skip(f"the service root does not list {', '.join(missing)}")
    netrc = tmp_path / "netrc"
    netrc.touch(0o600)
    netrc.write_text(f"machine {urlsplit(served.url).hostname} login region password {TOKEN}\n")
    command = [str(python), str(_CLIENTS / f"use_{client}.py"), served.root, TOKEN, case]
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"NETRC": str(netrc)}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}\n{served.log.read_text()[-2000:]}"
