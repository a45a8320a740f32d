"""The README's examples, run as they stand: only the ports are other ones."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from road import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]


def examples(up: Platform) -> list[list[str]]:
    """Commands of the fences `sh` and `python`, in their order."""
    text = (ROOT / "README.md").read_text()
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{up.http_port}").replace('"127.0.0.1", 1883', f'"127.0.0.1", {up.mqtt_port}')
    text = text.replace(".venv/bin/grenzregion", f"{sys.executable} -m grenzregion")
    start = {"sh": ["sh", "-euc"], "python": [sys.executable, "-c"]}
    return [[*start[kind], code] for kind, code in re.findall(r"^```(sh|python)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]


@pytest.mark.parametrize("up", ["embedded"], indirect=True)
def test_the_readmes_examples_register_send_and_read(up: Platform, tmp_path: Path) -> None:
    (tmp_path / "var").symlink_to(up.data_dir)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    printed: list[str] = []
    for command in examples(up):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        printed.append(done.stdout)
    assert printed[2] == "stored\n"
    assert len(printed) == 4
    found = json.loads(printed[-1])["value"]
    assert [each["result"] for each in found] == [12.4, 12.3]
    assert found[0]["Datastream"] == {"name": "PM2.5", "unitOfMeasurement": found[0]["Datastream"]["unitOfMeasurement"]}
    assert found[0]["Datastream"]["unitOfMeasurement"]["definition"] == "ug/m3"
