"""Which topics somebody may listen to: the topic filters that were ever subscribed to, where the broker tells (ADR 0013)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

EVERYTHING = "#"
SELECT = "?$select="

# What mosquitto says on LOG_TOPIC: Unix time, client id, QoS and filter. Only filters that can meet `v1.1/…` count.
_SUBSCRIBED = re.compile(r"\d+: (.*) [012] (?:\$share/[^/]+/)?((?:v1\.1/|\+/|#).*)", re.DOTALL)
_OWN_CLIENTS = "grenzregion-"
_TOPICS_KNOWN = 50_000
# A broker keeps what it tells of subscriptions for 20 s while the notifier is away, and renews its uptime every 11 s.
_KEPT_S = 15.0
_YOUNG_S = 5
_NEW_S = 60


def read_filter(line: str, own: Iterable[str]) -> str | None:
    """Give the filter that a line of the broker's log names; None: it can't concern entities, or is one of the platform's `own`."""
    match = _SUBSCRIBED.fullmatch(line)
    if match is None or (match[1].startswith(_OWN_CLIENTS) and match[2] in own):
        return None
    return match[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """What a new connection to the broker showed: `uptime_s` is the broker's, as it was at most 11 s ago."""

    tells: bool
    resumed: bool
    uptime_s: int | None


def may_have_missed(greeting: Greeting, away_s: float | None) -> bool:
    """Whether a subscription may have been made that nobody told of; `away_s` None: there was no notifier before."""
    if not greeting.tells:
        return True
    uptime_s = _NEW_S + 1 if greeting.uptime_s is None else greeting.uptime_s
    if away_s is None:
        return uptime_s > _NEW_S
    return not (greeting.resumed and (away_s < _KEPT_S or uptime_s <= _YOUNG_S))


class Interest:
    """The filters, and which of a topic's messages they ask for.

    `selects` are selections that are published wherever it is not known what is subscribed.
    """

    def __init__(self, selects: Iterable[str] = ()) -> None:
        self._selects = tuple(each for each in selects if each)
        self._filters: set[str] = set()
        self._exact: set[str] = set()
        self._patterns: list[list[str]] = []
        self._selected: dict[str, list[str]] = {}  # what stands behind ?$select=, by the topic before it
        self._selected_by: list[tuple[list[str], str]] = []  # the same where that has wildcards
        self._heard: dict[str, bool] = {}
        self._asked: dict[str, tuple[str, ...]] = {}
        self.knows = True  # False: everything is published

    def __bool__(self) -> bool:
        """Whether anybody may listen at all."""
        return not self.knows or bool(self._exact or self._patterns or self._selected or self._selected_by)

    def add(self, found: str) -> None:
        """Note a filter; it may come again and again."""
        if found in self._filters:
            return
        self._filters.add(found)
        self._heard.clear()
        self._asked.clear()
        topic, select, names = found.partition(SELECT)
        has_wildcards = "+" in topic or "#" in topic
        if found == EVERYTHING:
            self.knows = False
        elif select and has_wildcards:
            self._selected_by.append((topic.split("/"), names))
        elif select:
            self._selected.setdefault(topic, []).append(names)
        elif has_wildcards:
            self._patterns.append(topic.split("/"))
        else:
            self._exact.add(topic)

    def concerns(self, name: str) -> bool:
        """Whether anybody may want to hear of the entity set; False is certain."""
        if not self.knows or self._patterns or self._selected_by:
            return True
        return any(f"/{name}" in topic for topic in (*self._exact, *self._selected))

    def hears(self, topic: str) -> bool:
        """Whether somebody may listen to the topic."""
        if not self.knows:
            return True
        found = self._heard.get(topic)
        if found is None:
            levels = topic.split("/")
            found = topic in self._exact or any(matches(pattern, levels) for pattern in self._patterns)
            _keep(self._heard, topic, found)
        return found

    def selections(self, topic: str) -> tuple[str, ...]:
        """Give what stands behind `?$select=` in the filters that ask for a selection of the topic's entities."""
        found = self._asked.get(topic)
        if found is None:
            levels = topic.split("/")
            by_pattern = [names for pattern, names in self._selected_by if matches(pattern, levels)]
            asked = (*self._selected.get(topic, ()), *by_pattern, *(() if self.knows else self._selects))
            found = tuple(dict.fromkeys(asked))
            _keep(self._asked, topic, found)
        return found


def matches(pattern: list[str], levels: list[str]) -> bool:
    """Whether a topic meets a filter, both split at their slashes (MQTT 5, 4.7)."""
    for place, wanted in enumerate(pattern):
        if wanted == "#":
            return True
        if place >= len(levels) or wanted not in {"+", levels[place]}:
            return False
    return len(pattern) == len(levels)


def _keep(cache: dict[str, Any], topic: str, value: object) -> None:
    if len(cache) >= _TOPICS_KNOWN:
        cache.clear()
    cache[topic] = value
