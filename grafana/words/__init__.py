"""What boards say in German, Danish and English: one catalogue (JSON, key to text) per language."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

LANGUAGES = ("de", "da", "en")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One language's catalogue; it remembers which keys were asked for, so that a test finds texts that nobody uses."""

    language: str
    texts: dict[str, str]
    used: set[str] = field(default_factory=set[str])

    def __getitem__(self, key: str) -> str:
        """Give the text; raises `KeyError` when this language lacks it."""
        self.used.add(key)
        return self.texts[key]


def load(language: str) -> Words:
    """Read the catalogue of one of `LANGUAGES`."""
    path = Path(__file__).with_name(f"{language}.json")
    return Words(language=language, texts=json.loads(path.read_text(encoding="utf-8")))
