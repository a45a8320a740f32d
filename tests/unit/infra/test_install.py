from __future__ import annotations

import fcntl
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from infra.servers import install


class Machine:
    """Debootstrap, Maven and apt, played."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls: list[str] = []
        self.broken = ""

    def run(self, command: Sequence[str], what: str, _environment: object, log: Path | None = None) -> None:
        self.calls.append(what)
        if what == "debootstrap":
            (self.folder / "root.part" / "usr").mkdir()
        if what == self.broken:
            raise install.InstallError(f"{what} failed (exit 1)")
        assert command
        assert log is None or log.name == "debootstrap.log"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setenv("GRENZREGION_SERVERS_DIR", str(tmp_path))
    monkeypatch.setattr(install, "_run", made.run)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda tool: f"/usr/bin/{tool}")
    return made


def test_both_parts_are_built_once(machine: Machine) -> None:
    said: list[str] = []
    install.install(said.append)
    assert machine.calls == ["debootstrap", "Maven"]
    assert install.is_installed()
    install.install(said.append)
    assert machine.calls == ["debootstrap", "Maven"]
    assert said[-1].startswith("complete: ")


@pytest.mark.parametrize(("broken", "left"), [("debootstrap", ["debootstrap", "Maven"]), ("Maven", ["Maven"])])
def test_what_was_interrupted_is_built_anew_and_what_is_complete_stays(machine: Machine, broken: str, left: list[str]) -> None:
    machine.broken = broken
    with pytest.raises(install.InstallError, match=broken):
        install.install(lambda _line: None)
    assert not install.is_installed()
    machine.broken = ""
    machine.calls.clear()
    install.install(lambda _line: None)
    assert machine.calls == left
    assert sorted(path.name for path in machine.folder.iterdir()) == [".lock", "kafka", "root"]


def test_another_list_of_packages_is_built_anew(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    install.install(lambda _line: None)
    monkeypatch.setattr(install, "PACKAGES", (*install.PACKAGES, "mosquitto-clients"))
    assert not install.is_installed()
    machine.calls.clear()
    install.install(lambda _line: None)
    assert machine.calls == ["debootstrap"]


def test_missing_tools_are_installed_first(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda tool: None if tool in ("mvn", "java") else f"/usr/bin/{tool}")
    install.install(lambda _line: None)
    assert machine.calls[:2] == ["the lists of packages", "maven, default-jdk-headless"]


def test_without_root_one_line_says_what_to_do(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(install.InstallError, match="need root"):
        install.install(lambda _line: None)
    assert machine.calls == []


def test_the_mirror_is_the_machines_own(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = "https://packages.example/apt/\nhttp://mirror.example/debian/\nhttp://mirror.example/debian-security/\n"
    monkeypatch.setattr(install.subprocess, "run", lambda *_args, **_more: type("Done", (), {"stdout": listed}))
    assert install._mirror() == "http://mirror.example/debian"


def test_a_second_installation_waits_for_the_first(machine: Machine, tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        heard = threading.Event()
        said: list[str] = []

        def say(line: str) -> None:
            said.append(line)
            heard.set()

        second = threading.Thread(target=install.install, args=(say,))
        second.start()
        assert heard.wait(60)
        assert (said, machine.calls) == (["waiting for another installation to end"], [])
    second.join(60)
    assert machine.calls == ["debootstrap", "Maven"]
