"""A setting, metric or topic without its line in the documents fails here; so does a line about nothing, or a link to nowhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector
from pydantic import SecretStr

from api.metrics import Metrics
from devices import topics
from infra.settings import ApiSettings, BridgeSettings, NotifierSettings, Settings, WorkerSettings
from ingest_mqtt.contract import ALERTS_TOPIC, RAW_TOPIC, STORED_TOPIC
from ingest_mqtt.metrics import Figures as BridgeFigures
from ingest_mqtt.metrics import FiguresCollector
from ingest_mqtt.rights import ALERT_FILTER, heartbeat_topic
from streams.health import Figures as WorkerFigures

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CLASSES: dict[str, type[Settings]] = {
    "Every process": Settings,
    "Bridge": BridgeSettings,
    "Worker": WorkerSettings,
    "API": ApiSettings,
    "Notifier": NotifierSettings,
}
PAGES = [*DOCS.rglob("*.md"), *ROOT.glob("*.md")]


def own_fields(settings: type[Settings]) -> dict[str, Any]:
    inherited = () if settings is Settings else Settings.model_fields
    return {name: field for name, field in settings.model_fields.items() if name not in inherited}


def line_of(name: str, field: Any) -> str:
    default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    shown = str(default).lower() if isinstance(default, bool) else str(default)
    kind = "secret" if field.annotation is SecretStr else field.annotation.__name__.lower()
    return f"| `GRENZREGION_{name.upper()}` | {kind} | {f'`{shown}`' if shown else ''} | {field.description} |"


@pytest.mark.parametrize(("title", "settings"), CLASSES.items())
def test_every_setting_has_its_line_in_its_section(title: str, settings: type[Settings]) -> None:
    section = (DOCS / "settings.md").read_text().partition(f"## {title}\n")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| `GRENZREGION_.*$", section, re.MULTILINE)
    assert documented == [line_of(name, field) for name, field in own_fields(settings).items()]


def test_every_other_variable_that_the_code_reads_is_named() -> None:
    documented = set(re.findall(r"GRENZREGION_[A-Z_]+", "".join(page.read_text() for page in PAGES)))
    read = {
        name
        for folder in ("api", "devices", "grafana", "grenzregion", "infra", "ingest_mqtt", "streams")
        for path in (ROOT / folder).rglob("*.py")
        for name in re.findall(r"""["'](GRENZREGION_[A-Z_]+)["']""", path.read_text())
        if not name.endswith("_")
    }
    assert read - documented == set()


def documented_metrics(section: str) -> dict[str, str]:
    text = (DOCS / "metrics.md").read_text().partition(f"## {section}\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)(?:\{[a-z, ]*\})?` \| (\w+) \|", text, re.MULTILINE))


def kinds(collector: Collector) -> dict[str, str]:
    """Name as it is scraped → type."""
    return {
        metric.name + ("_total" if metric.type == "counter" else ""): metric.type
        for metric in collector.collect()
        if not metric.name.startswith("process_")
    }


def test_every_metric_of_the_worker_has_its_line() -> None:
    assert documented_metrics("Worker") == kinds(WorkerFigures(is_waiting=lambda: False).registry)


def test_every_metric_of_the_bridge_has_its_line() -> None:
    registry = CollectorRegistry()
    registry.register(FiguresCollector(BridgeFigures(), clock=lambda: 0.0))
    assert documented_metrics("Bridge") == kinds(registry)


def test_every_metric_of_the_api_has_its_line() -> None:
    metrics = Metrics()
    metrics.watch_pools(lambda: {"reading": {}})
    assert documented_metrics("API") == kinds(metrics.registry)


def test_every_topic_has_its_line() -> None:
    documented = set(re.findall(r"^\| `([^`]+)`", (DOCS / "topics.md").read_text(), re.MULTILINE))
    ups = {f"region/1/{{tenant}}/{{device}}/up/{format_}" for format_ in topics.FORMATS}
    others = {topics.receipt_topic("t", "d"), topics.status_topic("t", "d"), heartbeat_topic("c")}
    named = {topic.replace("/t/", "/{tenant}/").replace("/d/", "/{device}/").replace("/c/", "/{client id}/") for topic in others}
    alerts = ALERT_FILTER.replace("+", "{tenant}", 1).replace("+", "{device}", 1)
    assert documented == ups | named | {alerts, ALERTS_TOPIC, RAW_TOPIC, STORED_TOPIC, topics.SUBSCRIPTIONS_TOPIC}


def test_links_lead_somewhere() -> None:
    dead = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert dead == []


def test_the_index_names_every_page() -> None:
    named = set(re.findall(r"\]\(([^)]+)\)", (DOCS / "README.md").read_text()))
    assert {path.name for path in DOCS.glob("*.md")} - {"README.md"} <= named
    decisions = set(re.findall(r"\]\(([^)]+)\)", (DOCS / "adr" / "README.md").read_text()))
    assert decisions == {path.name for path in (DOCS / "adr").glob("[0-9]*.md")}


def test_decisions_are_numbered_without_gaps_and_fit_on_a_page() -> None:
    pages = sorted((DOCS / "adr").glob("[0-9]*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    assert [page.name for page in pages if len(page.read_text()) > 5_000] == []


def test_the_lock_for_tests_extends_the_lock_for_running() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^\S+==\S+", (ROOT / "requirements" / name).read_text(), re.MULTILINE))

    assert pins("run.txt") <= pins("dev.txt")


def test_no_lock_names_an_address() -> None:
    locks = [path.read_text() for path in (ROOT / "requirements").glob("*.txt")]
    assert [line for text in locks for line in text.splitlines() if "://" in line or line.startswith("--index")] == []


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert text.startswith("EUROPEAN UNION PUBLIC LICENCE v. 1.2\nEUPL © the European Union 2007, 2016\n")
    articles = [int(number) for number in re.findall(r"^(\d+)\.[A-Z]", text, re.MULTILINE)]
    assert articles == list(range(1, 16))
    assert text.rstrip().endswith("All other changes or additions to this Appendix require the production of a new EUPL version.")
