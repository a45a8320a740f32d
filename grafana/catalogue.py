"""Which boards there are, in which folder, and how each becomes the JSON that Grafana reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana.boards import quality, region_today
from grafana.words import LANGUAGES, Words, load

Definition = Callable[[Words, Callable[[str], str], Sequence[str]], Dashboard]


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder of Grafana."""

    uid: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One board: it becomes one dashboard per language, `UID-LANGUAGE`."""

    uid: str
    folder: Folder
    define: Definition


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A dashboard as Grafana's JSON model."""

    uid: str
    language: str
    folder: Folder
    model: dict[str, Any]


REGION = Folder(uid="grenzregion", title="Smarte Grenzregion")
BOARDS: Sequence[Board] = (
    Board(uid=region_today.UID, folder=REGION, define=region_today.build),
    Board(uid=quality.UID, folder=REGION, define=quality.build),
)


def rendered(boards: Sequence[Board] = BOARDS) -> list[Rendered]:
    """Build every board in every language."""
    return [_rendered(board, load(language)) for board in boards for language in LANGUAGES]


def _rendered(board: Board, words: Words) -> Rendered:
    def uid_of(language: str) -> str:
        return f"{board.uid}-{language}"

    definition = board.define(words, uid_of, LANGUAGES).build()
    model: dict[str, Any] = json.loads(json.dumps(definition, cls=JSONEncoder))
    for link in model["links"]:
        link.pop("placement", None)  # the builder's default hides the link in a menu
    return Rendered(uid=uid_of(words.language), language=words.language, folder=board.folder, model=model)


def render(directory: Path) -> list[Path]:
    """Write every dashboard to `directory/FOLDER/UID.json` for Grafana's provisioning; returns the files. Raises `OSError`."""
    written: list[Path] = []
    for dashboard in rendered():
        path = directory / dashboard.folder.title / f"{dashboard.uid}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(dashboard.model, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        written.append(path)
    return written
