"""The examples of docs/partner-regions.md run as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from clients_serving import TOKEN, python_with_clients, serving

if TYPE_CHECKING:
    from conftest import Servers

pytestmark = [pytest.mark.integration, pytest.mark.e2e]

_PAGE = Path(__file__).parents[2] / "docs" / "partner-regions.md"


def test_the_examples_for_partner_regions_run(servers: Servers, tmp_path: Path) -> None:
    examples = re.findall(r"```(sh|python)\n(.*?)```", _PAGE.read_text(), re.DOTALL)
    settings, *examples = examples
    assert settings[1].startswith("export URL=")
    # Reading comes first on the page, and needs something to read.
    examples.sort(key=lambda example: "-d '{" not in example[1])
    assert [kind for kind, _ in examples].count("python") == 3
    url, database = servers.new_database("embedded")
    with serving(f"{url.rpartition('/')[0]}/{database}", tmp_path) as api:
        environment = os.environ | {"URL": api.root, "TOKEN": TOKEN}
        for kind, text in examples:
            command = ["bash", "-euc", text] if kind == "sh" else [str(python_with_clients()), "-c", text]
            done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr[-2000:]}"
            assert done.stdout.strip(), text
            assert '"value":[]' not in done.stdout or "now()" in text or "top=0" in text, text
