"""What a mail says of an alert, in each of the languages that its readers want."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from streams.alerts.messages import Message
from streams.alerts.rules import LANGUAGES, AlertRule
from streams.alerts.sinks import Mail

RULE = "\n\n" + "-" * 40 + "\n\n"


@cache
def words() -> dict[str, dict[str, Any]]:
    """Give the words by language."""
    return tomllib.loads(files("streams.alerts").joinpath("mail_words.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where it is: names of station and Datastream by language, and the time zone."""

    timezone: str = "UTC"
    thing_names: Mapping[str, str] = field(default_factory=dict[str, str])
    names: Mapping[str, str] = field(default_factory=dict[str, str])


def names_of(value: Any) -> dict[str, str]:
    """Give the names by language; a SensorThings client may have written anything there."""
    if not isinstance(value, dict):
        return {}
    return {language: value[language] for language in LANGUAGES if isinstance(value.get(language), str)}  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def compose(mail: Mail, message: Message, site: Site, rules: Mapping[str, AlertRule], now: datetime) -> EmailMessage:
    """Write the mail. Its Message-ID is the same at each try; mails of one alert refer to the same one and stand together."""
    texts = [Text(message, site, rules.get(message.rule), language) for language in mail.languages]
    domain = mail.sender.rpartition("@")[2]
    composed = EmailMessage()
    composed["From"] = mail.sender
    composed["To"] = ", ".join(mail.to)
    composed["Subject"] = texts[0].subject()
    composed["Date"] = format_datetime(now)
    composed["Message-ID"] = f"<alert-{message.key}@{domain}>"
    composed["References"] = f"<alert-{message.id}@{domain}>"
    composed["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notes in answer
    composed["Content-Language"] = ", ".join(mail.languages)
    composed.set_content(RULE.join(text.body(mail.page) for text in texts))
    return composed


class Text:
    """One language's text of one transition."""

    def __init__(self, message: Message, site: Site, rule: AlertRule | None, language: str) -> None:
        self._message = message
        self._site = site
        self._rule = rule
        self._language = language
        self._words = words()[language]

    def subject(self) -> str:
        """Give the subject in one line."""
        kind = self._words["kinds"][self._message.kind]
        return _line(self._words["subject"].format(kind=kind, title=self._title(), level=self._level(), station=self._station()))

    def body(self, page: str) -> str:
        """Give the text; `page` is the URL of the page, for a link."""
        message, said = self._message, self._words
        lines = [
            f"{said['kinds'][message.kind]}: {self._title()}, {self._level()}",
            "",
            f"{said['station']}: {self._station()}",
            f"{said['reading']}: {_line(self._name(self._site.names, message.datastream.name))}",
            *([f"{said['value']}: {self._number(message.value)}"] if message.value is not None else []),
            f"{said['begins']}: {self._time(message.begins)}",
            *([f"{said['ends']}: {self._time(message.ends)}"] if message.ends else []),
            *([said["causes"][message.cause]] if message.cause in said["causes"] else []),
            *(["", f"{page.rstrip('/')}/?lang={self._language}#station-{message.thing.id}"] if page else []),
            "",
            said["note"],
        ]
        return "\n".join(lines)

    def _title(self) -> str:
        return _line(self._rule.titles[self._language] if self._rule else self._message.rule)

    def _level(self) -> str:
        number = self._message.level
        if self._rule is None or number > len(self._rule.levels):
            return self._words["bare_level"].format(number=number)
        return _line(self._words["level"].format(name=self._rule.levels[number - 1].titles[self._language], number=number))

    def _station(self) -> str:
        return _line(self._name(self._site.thing_names, self._message.thing.name))

    def _name(self, names: Mapping[str, str], name: str) -> str:
        return names.get(self._language) or name

    def _number(self, value: float) -> str:
        unit = self._rule.value_unit(self._message.unit) if self._rule else self._message.unit
        return f"{value:.6g}".replace(".", self._words["decimal"]) + (f" {_line(unit)}" if unit else "")

    def _time(self, time: datetime) -> str:
        try:
            zone = ZoneInfo(self._site.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            zone = ZoneInfo("UTC")
        return time.astimezone(zone).strftime(self._words["time"])


def _line(text: str) -> str:
    """Give a text without line breaks: a name must not make a header of its own."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
