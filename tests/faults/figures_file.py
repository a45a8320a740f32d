"""The file of raw figures: always whole, and what was measured before stays in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil


def begin(path: Path, scale: float) -> dict[str, Any]:
    """Go on with the figures of an earlier run of the same scale: a long list can be played in parts."""
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    same = known if known.get("scale") == scale else {}
    machine = f"{psutil.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB"
    return {"scenarios": {}, "soaks": {}} | same | {"at": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine, "scale": scale}


def save(path: Path, figures: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(figures, indent=1, default=str) + "\n")
    part.replace(path)
