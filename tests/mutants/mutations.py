"""Mutants as mutants.toml lists them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path


class DoesNotApplyError(Exception):
    """The text to replace is not there, or more than once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    file: str
    text: str
    replacement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """The `edits` of one mistake; `tests` must all fail with them."""

    name: str
    why: str
    tests: tuple[str, ...]
    edits: tuple[Edit, ...]

    def apply(self, tree: Path) -> None:
        """Edit the tree; raises `DoesNotApplyError`."""
        for edit in self.edits:
            path = tree / edit.file
            content = path.read_text() if path.exists() else ""
            if (found := content.count(edit.text)) != 1:
                raise DoesNotApplyError(f"{self.name}: stands {found} times in {edit.file}: {edit.text.strip()!r}")
            path.write_text(content.replace(edit.text, edit.replacement))

    @property
    def files(self) -> set[str]:
        return {edit.file for edit in self.edits}


def _read() -> list[Mutant]:
    listed = tomllib.loads(Path(__file__).with_name("mutants.toml").read_text())["mutant"]
    return [
        Mutant(name=each["name"], why=each["why"], tests=tuple(each["tests"]), edits=tuple(Edit(**edit) for edit in each["edits"]))
        for each in listed
    ]


MUTANTS = _read()
