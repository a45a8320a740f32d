"""`make servers`: install the set `local` into `servers/` (or `GRENZREGION_SERVERS_DIR`). Can be repeated and interrupted.

What is complete is left alone; what is not is built beside its place and moved there when it is complete.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

SUITE = "trixie"
PACKAGES = ("postgresql-17", "postgresql-17-timescaledb", "postgresql-17-postgis-3", "mosquitto")
MOUNT_POINTS = ("srv/postgres", "srv/mqtt")  # where launch.py shows a run's data inside the root
STAMP = ".grenzregion"  # says what was built; written last

_REPOSITORY = Path(__file__).parents[2]
_POM = Path(__file__).parents[1] / "kafka" / "pom.xml"
_TOOLS = {"debootstrap": "debootstrap", "mvn": "maven", "java": "default-jdk-headless", "gpgv": "gpgv"}


class InstallError(RuntimeError):
    """The set `local` can't be installed; the message is one line for people."""


def servers_dir() -> Path:
    """Return where `local` is, or will be, installed."""
    return Path(os.environ.get("GRENZREGION_SERVERS_DIR") or _REPOSITORY / "servers").absolute()


def root_dir() -> Path:
    """Return the Debian root with PostgreSQL and mosquitto."""
    return servers_dir() / "root"


def kafka_dir() -> Path:
    """Return the directory of Kafka's jars."""
    return servers_dir() / "kafka"


def root_stamp() -> str:
    """Return what a complete root was built from."""
    return f"{SUITE} {' '.join(PACKAGES)}\n"


def kafka_stamp() -> str:
    """Return what complete jars were built from."""
    return _POM.read_text()


def is_complete(place: Path, stamp: str) -> bool:
    """Whether this place was built to its end, from the same list."""
    try:
        return (place / STAMP).read_text() == stamp
    except FileNotFoundError:
        return False


def is_installed() -> bool:
    """Whether everything of `local` is there."""
    return is_complete(root_dir(), root_stamp()) and is_complete(kafka_dir(), kafka_stamp()) and shutil.which("java") is not None


def install(say: Callable[[str], None]) -> None:
    """Install what is missing; raises `InstallError`."""
    missing = [package for tool, package in _TOOLS.items() if shutil.which(tool) is None]
    if not missing and is_installed():
        say(f"complete: {servers_dir()}")
        return
    if os.geteuid() != 0:
        raise InstallError("debootstrap and chroot need root: run this as root, or use --servers embedded")
    with _alone(say):
        if missing:
            _install_tools(missing, say)
        _build(root_dir(), root_stamp(), _build_root, say)
        _build(kafka_dir(), kafka_stamp(), _build_kafka, say)
    say(f"complete: {servers_dir()}")


@contextlib.contextmanager
def _alone(say: Callable[[str], None]) -> Generator[None]:
    """Wait for another installation. Its tools inherit the lock, so one that outlived a killed `make servers` counts too."""
    servers_dir().mkdir(parents=True, exist_ok=True)
    with (servers_dir() / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another installation to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        os.set_inheritable(lock.fileno(), True)
        yield


def _install_tools(packages: Sequence[str], say: Callable[[str], None]) -> None:
    if shutil.which("apt-get") is None:
        raise InstallError(f"this machine has no apt-get: install {', '.join(packages)} by hand")
    say(f"installing {', '.join(packages)} with apt-get")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "update", "-qq"], "the lists of packages", environment)
    _run(["apt-get", "install", "-qq", "-y", "--no-install-recommends", *packages], ", ".join(packages), environment)


def _build(place: Path, stamp: str, build: Callable[[Path, Callable[[str], None]], None], say: Callable[[str], None]) -> None:
    if is_complete(place, stamp):
        say(f"{place.name}: already there")
        return
    part = place.with_name(f"{place.name}.part")
    for old in (part, place):
        if old.exists():
            say(f"{place.name}: removing {old}, which is incomplete or of another version")
            shutil.rmtree(old)
    part.mkdir(parents=True)
    begin = time.monotonic()
    build(part, say)
    (part / STAMP).write_text(stamp)
    part.rename(place)
    say(f"{place.name}: done in {time.monotonic() - begin:.0f} s")


def _build_root(part: Path, say: Callable[[str], None]) -> None:
    mirror = _mirror()
    say(f"root: Debian {SUITE} with {', '.join(PACKAGES)} by debootstrap (about 1 GB, a minute or two)")
    # In a mount namespace of its own: what an interrupted debootstrap has mounted is gone with it.
    command = [
        "unshare",
        "--mount",
        "debootstrap",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        SUITE,
        str(part),
        mirror,
    ]
    with tempfile.TemporaryDirectory() as folder:
        _run(command, "debootstrap", _download_environment(Path(folder)), log=part / "debootstrap" / "debootstrap.log")
    for cached in (part / "var" / "cache" / "apt" / "archives").glob("*.deb"):
        cached.unlink()
    for point in MOUNT_POINTS:
        (part / point).mkdir(parents=True, exist_ok=True)


def _build_kafka(part: Path, say: Callable[[str], None]) -> None:
    say("kafka: Apache Kafka's jars from Maven Central (45 MB)")
    _run(["mvn", "-B", "-q", "-f", str(_POM), "package", f"-Ddirectory={part}"], "Maven", dict(os.environ))


def _run(command: Sequence[str], what: str, environment: dict[str, str], log: Path | None = None) -> None:
    done = subprocess.run(
        command,
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        close_fds=False,  # the lock goes along
    )
    if done.returncode != 0:
        more = log.read_text(errors="replace") if log is not None and log.exists() else ""
        lines = [line for line in (done.stdout + more).splitlines() if line.strip()]
        sys.stderr.write("\n".join(lines[-15:]) + "\n")
        raise InstallError(f"{what} failed (exit {done.returncode})")


def _mirror() -> str:
    """Return the mirror of Debian that this machine's own apt uses; raises `InstallError` where it has none."""
    mirrors = _mirrors()
    if not mirrors:  # a new machine has no lists yet
        _run(["apt-get", "update", "-qq"], "the lists of packages", dict(os.environ))
        mirrors = _mirrors()
    if not mirrors:
        raise InstallError("apt has no mirror of Debian here")
    return mirrors[0]


def _mirrors() -> list[str]:
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"], capture_output=True, text=True, check=False
    )
    places = [line.rstrip("/") for line in listed.stdout.splitlines()]
    return [place for place in places if place.endswith("/debian")]


def _download_environment(folder: Path) -> dict[str, str]:
    """Return the environment in which debootstrap downloads as this machine's apt does: its proxy and its certificates."""
    environment = {**os.environ, "LC_ALL": "C", "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
    for scheme in ("http", "https"):
        if proxy := _apt_option(f"Acquire::{scheme}::Proxy"):
            environment[f"{scheme}_proxy"] = proxy
    if certificates := _apt_option("Acquire::https::CaInfo"):
        wgetrc = folder / "wgetrc"
        wgetrc.write_text(f"ca_certificate = {certificates}\n")
        environment["WGETRC"] = str(wgetrc)
    return environment


def _apt_option(name: str) -> str:
    told = subprocess.run(["apt-config", "--format", "%v%n", "dump", name], capture_output=True, text=True, check=False)
    return told.stdout.strip()


if __name__ == "__main__":
    try:
        install(lambda line: print(f"make servers: {line}", flush=True))  # noqa: T201 - a command line
    except InstallError as error:
        sys.exit(f"make servers: {error}")
    except KeyboardInterrupt:
        sys.exit("make servers: interrupted; run it again to go on")
