"""Which rules judge a row of a Datastream: those of its ruleset, and for chosen spans of time those of another version."""

from __future__ import annotations

from dataclasses import dataclass, field

from streams.quality.rules import Neighbour, Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBook:
    """Rules of one Datastream by phenomenon time.

    `spans` are (first, last, rules) in microseconds since 1970, ends included; of two that meet the later one in the tuple holds.
    """

    main: Rules
    spans: tuple[tuple[int, int, Rules], ...] = ()
    history_s: float = field(init=False)  # how far back in seconds, and in rows, and ahead in rows any of the rules look
    history_rows: int = field(init=False)
    ahead_rows: int = field(init=False)

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

    def __post_init__(self) -> None:
        """Find how far any of the rules look."""
        every = (self.main, *(rules for _, _, rules in self.spans))
        for name in ("history_s", "history_rows", "ahead_rows"):
            object.__setattr__(self, name, max(getattr(rules, name) for rules in every))
