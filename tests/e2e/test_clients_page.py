"""The examples of docs/partner-regions.md run as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from clients_serving import python_with_clients
from road import Platform

pytestmark = [pytest.mark.integration, pytest.mark.e2e]

_PAGE = Path(__file__).parents[2] / "docs" / "partner-regions.md"


@pytest.mark.parametrize("up", ["embedded"], indirect=True)
def test_the_examples_for_partner_regions_run(up: Platform, tmp_path: Path) -> None:
    examples = re.findall(r"```(sh|python)\n(.*?)```", _PAGE.read_text(), re.DOTALL)
    settings, *examples = examples
    assert settings[1].startswith("export URL=")
    # Reading comes first on the page, and needs something to read.
    examples.sort(key=lambda example: "-d '{" not in example[1])
    assert [kind for kind, _ in examples].count("python") == 4
    places = up.places
    assert places.mqtt_device is not None
    environment = os.environ | {
        "URL": f"{up.url}v1.1",
        "TOKEN": (up.data_dir / "token").read_text().strip(),
        "MQTT_HOST": places.mqtt_host,
        "MQTT_PORT": str(places.mqtt_port),
        "MQTT_USER": places.mqtt_device.user,
        "MQTT_PASSWORD": places.mqtt_device.password,
    }
    for kind, text in examples:
        command = ["bash", "-euc", text] if kind == "sh" else [str(python_with_clients()), "-c", text]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr[-2000:]}"
        assert done.stdout.strip(), text
        assert '"value":[]' not in done.stdout or "now()" in text or "top=0" in text, text
