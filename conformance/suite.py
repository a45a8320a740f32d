"""The suite `ets-sta10` from Maven Central: its jars, one run, its results."""

from __future__ import annotations

import os
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.servers.install import STAMP, is_complete, servers_dir

LEVEL = 3  # reading, writing, filtering: the highest that the suite knows
FIRST = "json-20090211.jar"  # with a newer one a test reads a numeric result as text and fails on every server
TIMEOUT_S = 300

_POM = Path(__file__).with_name("pom.xml")
# No DOCTYPE: the suite's reader of XML refuses one.
_PROPERTIES = """<?xml version="1.0" encoding="UTF-8"?>
<properties version="1.0"><entry key="iut">{root}</entry><entry key="ics">{level}</entry></properties>
"""


class SuiteError(RuntimeError):
    """The suite can't be run; the message is for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How one test of the suite ended. `message` is its reason where it did not pass."""

    group: str
    name: str
    about: str
    status: str
    duration_ms: int
    message: str

    @property
    def passed(self) -> bool:
        """Whether the test passed."""
        return self.status == "PASS"


def jars() -> Path:
    """Return the directory of the suite's jars, beside the servers; copies them there the first time."""
    place = servers_dir() / "ets-sta10"
    if not is_complete(place, _POM.read_text()):
        for tool in ("java", "mvn"):
            if shutil.which(tool) is None:
                raise SuiteError(f"the suite needs {tool}: make servers")
        part = place.with_name("ets-sta10.part")
        for old in (place, part):
            shutil.rmtree(old, ignore_errors=True)
        command = ["mvn", "-q", "-B", "-f", str(_POM), "package", f"-Ddirectory={part}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SuiteError(f"the suite's jars could not be copied: {done.stdout[-1000:]}{done.stderr[-1000:]}")
        (part / STAMP).write_text(_POM.read_text())
        part.rename(place)
    return place


def run(root: str, folder: Path) -> list[Result]:
    """Run the suite against the service root `root`; what it writes stays below `folder`. Raises `SuiteError`."""
    properties = folder / "properties.xml"
    properties.write_text(_PROPERTIES.format(root=root, level=LEVEL))
    place = jars()
    path = [place / FIRST, *sorted(jar for jar in place.glob("*.jar") if jar.name != FIRST)]
    command = ["java", f"-Duser.home={folder}", "-cp", os.pathsep.join(map(str, path)), "org.opengis.cite.sta10.TestNGController"]
    with (folder / "suite.log").open("w") as log:
        subprocess.run([*command, str(properties)], stdout=log, stderr=subprocess.STDOUT, check=False, timeout=TIMEOUT_S)
    found = sorted(folder.glob("testng/*/testng-results.xml"))
    if not found:
        raise SuiteError(f"the suite left no results: {(folder / 'suite.log').read_text()[-2000:]}")
    return results(found[-1].read_text())


def results(document: str) -> list[Result]:
    """Read TestNG's results: every test, and of its preparations those that did not pass."""
    every: list[Result] = []
    for group in ET.fromstring(document).iter("class"):  # noqa: S314 - written by the suite that we started
        for method in group.iter("test-method"):
            result = Result(
                group=group.get("name", "").rpartition(".")[2], name=method.get("name", ""), about=method.get("description", ""),
                status=method.get("status", ""), duration_ms=int(method.get("duration-ms", "0")),
                message=(method.findtext("exception/message") or "").strip(),
            )  # fmt: skip
            if method.get("is-config") != "true" or not result.passed:
                every.append(result)
    return every


def succeeded(every: Sequence[Result], expected: int) -> bool:
    """Whether everything passed, and nothing was left out."""
    return len(every) >= expected and all(result.passed for result in every)
