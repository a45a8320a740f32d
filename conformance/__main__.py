"""`python -m conformance`: a fresh, seeded platform on `local`, the suite, a table; exit code 1 unless everything passed."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from conformance.seed import seed
from conformance.suite import Result, SuiteError, jars, run, succeeded
from infra.servers import local
from infra.servers.server import free_port

TESTS = 22  # of the suite's version in pom.xml
STOP_S = 60.0


def main() -> int:
    """Run everything; returns the exit code."""
    console = Console(width=160, highlight=False)
    try:
        if not local.is_installed():
            raise SuiteError("the set `local` is not installed: make servers")
        jars()
        with tempfile.TemporaryDirectory(prefix="grenzregion-conformance-") as name:
            folder = Path(name)
            with running(folder / "data") as root:
                with httpx.Client(base_url=root, timeout=30) as http:
                    seed(http)
                every = run(root, folder)
    except (SuiteError, httpx.HTTPError) as error:
        console.print(str(error), markup=False, style="red")
        return 1
    show(every, console)
    return 0 if succeeded(every, TESTS) else 1


@contextlib.contextmanager
def running(data_dir: Path) -> Generator[str]:
    """Start a platform that anybody may write to, on loopback; yields its service root."""
    data_dir.mkdir()
    data_dir.parent.chmod(0o755)  # the database runs as an unprivileged user
    command = [
        sys.executable, "-m", "grenzregion", "up", "--servers", "local", "--data-dir", str(data_dir),
        "--http-port", str(free_port()), "--mqtt-port", str(free_port(neighbours=1)),
        "--auth", "off", "--simulator", "off", "--replay", "off",
    ]  # fmt: skip
    log = data_dir.parent / "up.log"
    with log.open("w") as out, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=out, text=True) as process:
        try:
            assert process.stdout is not None
            ready = process.stdout.readline()
            if not ready.startswith("READY "):
                raise SuiteError(f"the platform does not start: {log.read_text()[-2000:]}")
            yield f"{ready.removeprefix('READY ').strip()}v1.1/"
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S)
            process.kill()


def show(every: Sequence[Result], console: Console) -> None:
    """Print the table, and the reasons of what did not pass."""
    table = Table("test", "about", "result", "ms", title="OGC ets-sta10, level 3")
    for result in every:
        style = "green" if result.passed else "red"
        table.add_row(f"{result.group}.{result.name}", result.about, f"[{style}]{result.status}[/]", str(result.duration_ms))
    console.print(table)
    for message in {result.message for result in every if result.message}:
        console.print("-", message, markup=False)
    passed = sum(result.passed for result in every)
    console.print(f"{passed} of {max(len(every), TESTS)} passed")


if __name__ == "__main__":
    sys.exit(main())
