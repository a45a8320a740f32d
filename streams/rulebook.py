"""Which rules judge a row of a Datastream: those of its ruleset, and for chosen spans of time those of another version."""

from __future__ import annotations

from dataclasses import dataclass

from streams.quality.rules import Neighbour, Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBook:
    """Rules of one Datastream by phenomenon time.

    `spans` are (first, last, rules) in microseconds since 1970, ends included; of two that meet the later one in the tuple holds.
    """

    main: Rules
    spans: tuple[tuple[int, int, Rules], ...] = ()

    @property
    def version(self) -> int:
        """Version of the rules outside all spans."""
        return self.main.version

    @property
    def neighbour(self) -> Neighbour | None:
        """The test across stations, of the rules outside all spans."""
        return self.main.neighbour

    @property
    def mandatory(self) -> tuple[str, ...]:
        """Tests that must have run for flag 1, outside all spans."""
        return self.main.mandatory

    @property
    def history_s(self) -> float:
        """How far back in seconds any of the rules look."""
        return max(rules.history_s for rules in self._all)

    @property
    def history_rows(self) -> int:
        """How many rows back any of the rules look."""
        return max(rules.history_rows for rules in self._all)

    @property
    def ahead_rows(self) -> int:
        """How many rows ahead any of the rules look."""
        return max(rules.ahead_rows for rules in self._all)

    @property
    def _all(self) -> tuple[Rules, ...]:
        return (self.main, *(rules for _, _, rules in self.spans))
