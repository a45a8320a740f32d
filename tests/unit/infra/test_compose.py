"""infra/compose.yaml without a Docker engine: everything it names is held against the project."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet
from typer.main import get_command

from grenzregion.cli import app
from infra.migrate import MIGRATIONS
from infra.servers.install import root_dir
from infra.servers.mosquitto import Mosquitto
from infra.servers.process import User
from infra.settings import ApiSettings, BridgeSettings, NotifierSettings, Settings, WorkerSettings

ROOT = Path(__file__).parents[3]
INFRA = ROOT / "infra"
COMPOSE: dict[str, Any] = yaml.safe_load((INFRA / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SETTINGS = {"bridge": BridgeSettings, "worker": WorkerSettings, "notifier": NotifierSettings, "api": ApiSettings}
OWN = {name: service for name, service in SERVICES.items() if "build" in service}
ONCE = {name for name, service in SERVICES.items() if service["restart"] == "no"}
each = pytest.mark.parametrize("name", SERVICES)


@pytest.mark.parametrize("name", OWN)
def test_every_variable_of_the_platform_is_a_setting(name: str) -> None:
    known = {f"GRENZREGION_{field.upper()}" for field in SETTINGS.get(name, Settings).model_fields}
    if name == "grafana-login":
        known.add("GRENZREGION_GRAFANA_DB_PASSWORD")
    assert set(OWN[name].get("environment", {})) <= known


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_can_be_read_from_the_environment_given(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in OWN[name]["environment"].items():
        monkeypatch.setenv(variable, re.sub(r"\$\{[^}]*\}", "secret", value))
    settings = SETTINGS[name]()
    assert settings.kafka == "kafka:9092"
    assert settings.mqtt_host in SERVICES
    assert settings.database_url.partition("@")[2] == "database:5432/grenzregion"


def test_every_variable_of_the_host_is_in_the_example() -> None:
    named = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", (INFRA / "compose.yaml").read_text()))
    example = dict(
        line.split("=", 1) for line in (INFRA / "compose.env.example").read_text().splitlines() if re.match("[A-Z]", line)
    )
    assert named == set(example)
    assert [name for name in example if re.search("PASSWORD|TOKEN", name) and example[name]] == [], "no secret has a default"


@each
def test_image_is_pinned(name: str) -> None:
    image = SERVICES[name]["image"]
    assert re.fullmatch(r"[a-z/-]+:(pg)?\d+\.\d+(\.\d+)?(-ts\d+\.\d+\.\d+)?", image), image
    if name in OWN:
        version = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
        assert version is not None
        assert image == f"grenzregion:{version[1]}"


@each
def test_service_that_stays_has_a_health_check_and_one_that_ends_has_none(name: str) -> None:
    assert ("healthcheck" in SERVICES[name]) is (name not in ONCE)


@each
def test_waiting_fits_what_is_waited_for(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        assert how["condition"] == ("service_completed_successfully" if other in ONCE else "service_healthy"), other


LISTENS = {"mosquitto": 1883, "kafka": 9092, "database": 5432, "bridge": 9100, "worker": 9100, "notifier": 9100, "api": 8080}
LISTENS |= {"grafana": 3000}


@each
def test_health_check_and_published_port_are_the_ones_listened_on(name: str) -> None:
    service = SERVICES[name]
    if name in ONCE:
        assert "ports" not in service
        return
    asked = " ".join(service["healthcheck"]["test"])
    assert re.search(rf"\b{LISTENS[name]}\b", asked), asked
    for published in service.get("ports", []):
        assert published.endswith(f":{LISTENS[name]}")


def test_ports_are_those_of_the_configurations() -> None:
    assert "listener 1883" in (INFRA / "compose" / "mosquitto.conf").read_text().splitlines()
    assert "PLAINTEXT://:9092" in SERVICES["kafka"]["environment"]["KAFKA_LISTENERS"]
    assert SERVICES["api"]["environment"]["GRENZREGION_HTTP_PORT"] == "8080"
    for name in ("bridge", "worker", "notifier"):
        assert SERVICES[name]["environment"]["GRENZREGION_METRICS_PORT"] == "9100"


@each
def test_files_named_exist_and_volumes_are_declared(name: str) -> None:
    service = SERVICES[name]
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        assert (INFRA / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], volume
    if "build" in service:
        context = INFRA / service["build"]["context"]
        assert (context / service["build"]["dockerfile"]).is_file()


@pytest.mark.parametrize("name", [name for name in OWN if "command" in OWN[name]])
def test_commands_exist(name: str) -> None:
    command: Any = get_command(app)
    for word in OWN[name]["command"]:
        if not hasattr(command, "commands"):
            break
        assert word in command.commands, f"grenzregion {' '.join(OWN[name]['command'])}"
        command = command.commands[word]


def test_modules_run_without_the_command_line_exist() -> None:
    module = SERVICES["accounts"]["entrypoint"][2]
    assert (ROOT / f"{module.replace('.', '/')}.py").is_file()


def test_grafana_gets_every_variable_that_its_provisioning_needs() -> None:
    text = "".join(path.read_text() for path in sorted((ROOT / "grafana" / "provisioning").rglob("*.yaml")))
    assert set(re.findall(r"\$\{(GRENZREGION_[A-Z_]+)\}", text)) == {
        name for name in SERVICES["grafana"]["environment"] if name.startswith("GRENZREGION_")
    }
    for path in re.findall(r"path: (\S+)", text):
        assert any(volume.split(":")[1] == path for volume in SERVICES["grafana"]["volumes"])


def test_mosquitto_has_the_limits_of_local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRENZREGION_SERVERS_DIR", str(tmp_path))
    plugin = root_dir() / "usr" / "lib" / "x86_64-linux-gnu" / "mosquitto_dynamic_security.so"
    plugin.parent.mkdir(parents=True)
    plugin.touch()
    local = Mosquitto(data_dir=tmp_path, user=User(uid=0, gid=0))._config()
    places = ("listener", "plugin", "persistence_location", "#")
    assert limits(local, places) == limits((INFRA / "compose" / "mosquitto.conf").read_text(), places)


def limits(text: str, without: tuple[str, ...]) -> list[str]:
    return sorted(line for line in text.splitlines() if line and not line.startswith(without))


def test_dockerfile_copies_what_exists_and_every_package() -> None:
    text = (ROOT / "Dockerfile").read_text()
    copied = {source for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE) for source in line.split()}
    assert [source for source in copied if not (ROOT / source).exists()] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {pattern.rstrip("*") for pattern in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert packages <= copied
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {f"!{source}" for source in copied} <= set(ignored)


def test_dockerfile_has_a_python_that_the_project_takes() -> None:
    project = re.search(r'^requires-python = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert project is not None
    images = re.findall(r"^FROM python:(\d+\.\d+\.\d+)-slim-bookworm", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert len(images) == 2
    assert all(version in SpecifierSet(project[1]) for version in images)


def test_package_data_has_what_the_servers_read() -> None:
    patterns = re.search(r'"\*" = \[(.*)\]', (ROOT / "pyproject.toml").read_text())
    assert patterns is not None
    read = [*MIGRATIONS.glob("*"), *(INFRA / "kafka").glob("*")]
    assert [path.name for path in read if path.is_file() and f'"*{path.suffix}"' not in patterns[1]] == []
