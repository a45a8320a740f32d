"""Which sinks are told, what their settings may be, and what an answer means for the next try."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from pydantic import SecretStr

from streams.alerts.delivery import LONGEST_PAUSE_S, pause_s, rest_of
from streams.alerts.mail_text import Site, compose
from streams.alerts.messages import Message, Named
from streams.alerts.rules import alert_rules
from streams.alerts.sinks import Mail, Sinks, SinksError
from streams.alerts.webhook import judged

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
GOOD = """
[webhook.duty]
url = "https://h.example/x"
rules = ["storm_*"]
level = 2
[mail.all]
server = "smtp.example"
sender = "a@example.org"
to = ["b@example.org"]
tenants = ["north"]
"""


def read(tmp_path: Path, text: str) -> Sinks:
    path = tmp_path / "sinks.toml"
    path.write_text(text)
    return Sinks.read(path)


@pytest.mark.parametrize(
    ("rule", "highest", "tenant", "told"),
    [
        ("storm_surge", 2, "south", ["webhook:duty"]),
        ("storm_surge", 1, "south", []),
        ("storm_surge", 3, "north", ["webhook:duty", "mail:all"]),
        ("no_storm", 9, "north", ["mail:all"]),
    ],
)
def test_a_sink_is_told_of_its_rules_levels_and_tenants(
    tmp_path: Path, rule: str, highest: int, tenant: str, told: list[str]
) -> None:
    assert read(tmp_path, GOOD).wanting(rule=rule, highest=highest, tenant=tenant) == told


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('[webhook.a]\nurl = "ftp://geheim"', "webhook.a"),
        ('[webhook.a]\nurl = "https://"', "webhook.a"),
        ('[webhook.a]\nurl = "https://h"\nsecret = "geheim"', "webhook.a"),
        ('[webhook.a]\nurl = "https://h"\nlevel = 0', "webhook.a.level"),
        ('[webhook.a]\nurl = "https://h"\ntimeout_s = 61', "webhook.a.timeout_s"),
        ('[webhook.A]\nurl = "https://geheim"', "webhook.A"),
        ('[webhook.a]\nurl = "https://geheim"\nretries = 3', "webhook.a.retries"),
        (GOOD.replace('["b@example.org"]', "[]"), "mail.all.to"),
        (GOOD.replace("b@example.org", "geheim\\nBcc: x@y"), "mail.all.to.0"),
        (GOOD + 'user = "u"\npassword = "geheim"\nsecurity = "none"', "mail.all"),
        ("[webhook", "no TOML"),
    ],
)
def test_a_wrong_file_says_where_and_no_secret(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(SinksError) as caught:
        read(tmp_path, text)
    assert place in str(caught.value)
    assert "geheim" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SinksError, match=r"sinks\.toml: can't be read"):
        Sinks.read(tmp_path / "sinks.toml")


@pytest.mark.parametrize(
    ("status", "taken", "final"),
    [
        (199, False, True), (200, True, None), (299, True, None), (300, False, True), (308, False, True), (400, False, True),
        (401, False, True), (408, False, False), (410, False, True), (425, False, False), (429, False, False), (499, False, True),
        (500, False, False), (503, False, False), (599, False, False),
    ],
)  # fmt: skip
def test_an_answer_is_final_or_worth_another_try(status: int, taken: bool, final: bool | None) -> None:
    refused = judged(status, "7", NOW)
    assert (refused is None) is taken
    if refused is not None:
        assert (refused.final, refused.rest_s) == (final, 0.0 if final else 7.0)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0), ("", 0), ("120", 120), ("-1", 0), ("soon", 0), ("9" * 30, 999_999_999), ("²", 0),
        ("Sun, 22 Nov 2026 12:01:00 GMT", 60), ("Sun, 22 Nov 2026 11:59:00 GMT", 0),
    ],
)  # fmt: skip
def test_retry_after_is_read_in_both_forms(header: str | None, seconds: float) -> None:
    assert rest_of(header, NOW) == seconds


def test_pauses_grow_to_a_quarter_of_an_hour_and_no_wish_is_longer_than_a_day() -> None:
    assert [2.5 <= pause_s(1) <= 5, 5 <= pause_s(2) <= 10, 10 <= pause_s(3) <= 20] == [True] * 3
    assert LONGEST_PAUSE_S / 2 <= pause_s(10_000) <= LONGEST_PAUSE_S
    assert pause_s(1, 1_000) == 1_000
    assert pause_s(1, 10**9) == 86_400


MESSAGE = Message(
    id=1, number=2, kind="cleared", rule="bad_quality", level=1, state="cleared", begins=NOW, ends=NOW, value=62.5, unit="µg/m³",
    thing=Named(id=3, name="A\r\nBcc: b@example.org"), datastream=Named(id=4, name="no2"), observed_property="no2", cause="clock",
    at=NOW,
)  # fmt: skip


def test_a_name_can_not_write_headers_and_a_share_is_a_percentage() -> None:
    mail = Mail(server="s", sender="a@example.org", to=("b@example.org",), password=SecretStr("x"), languages=("de",))
    rules = {rule.name: rule for rule in alert_rules()}
    composed = compose(mail, MESSAGE, Site(timezone="no/such"), rules, NOW)
    assert composed["Bcc"] is None
    assert composed["Subject"] == "Beendet: Schlechte Datenqualität, zweifelhaft (Stufe 1) – A Bcc: b@example.org"
    text = composed.get_content()
    assert "Äußerster Wert: 62,5 %" in text
    assert "Ende: 22.11.2026 12:00 UTC" in text
    gone = compose(mail, msgspec.structs.replace(MESSAGE, rule="gone"), Site(), rules, NOW)
    assert gone["Subject"] == "Beendet: gone, Stufe 1 – A Bcc: b@example.org"
