"""Plants the classic mistakes, each alone in a copy of the tree, two at a time: `make mutants [ARGS="--only clean-start"]`.

Each mutant must turn its tests red, and the copy without a mutant must be green. Exit code 1 otherwise.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mutations import MUTANTS, DoesNotApplyError, Mutant

ROOT = Path(__file__).parents[2]
LIMIT_S = 240
AT_ONCE = 2  # the tests of most wait for servers
SERVERS = "embedded"  # tests that run on each set of servers run on this one: a mistake does not depend on it


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="NAMES", help="mutants, separated by commas")
    parser.add_argument("--list", action="store_true", help="name the mutants and end")
    asked = parser.parse_args()
    if asked.list:
        say("\n".join(f"{mutant.name:40} {mutant.why}" for mutant in MUTANTS))
        return 0
    chosen = [mutant for mutant in MUTANTS if not asked.only or mutant.name in asked.only.split(",")]
    if not chosen:
        sys.stderr.write(f"no such mutant; known are {', '.join(mutant.name for mutant in MUTANTS)}\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="grenzregion-mutants-") as folder:
        return judge(chosen, Path(folder))


def judge(chosen: list[Mutant], folder: Path) -> int:
    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as several:
        whole = several.submit(healthy, chosen, folder / "whole")
        judged = several.map(lambda mutant: alive(mutant, folder / mutant.name), chosen)
        complaints: list[str] = []
        for mutant, found in zip(chosen, judged, strict=True):
            say(f"{'ALIVE ' if found else 'killed'} {mutant.name}: {mutant.why}")
            complaints += found
        complaints = whole.result() + complaints
    say("".join(f"\n{complaint}" for complaint in complaints))
    killed = sum(not any(complaint.startswith(f"{mutant.name}:") for complaint in complaints) for mutant in chosen)
    say(f"{killed} of {len(chosen)} mutants were killed, in {time.monotonic() - began:.0f} s")
    return 1 if complaints else 0


def healthy(chosen: list[Mutant], tree: Path) -> list[str]:
    """Run all tests without a mutant."""
    copy_tree(tree)
    tests = sorted({test for mutant in chosen for test in mutant.tests})
    code, said = run(tree, tests)
    red = ", ".join(named("FAILED", said) | named("ERROR", said)) or said[-2000:]
    return [] if code == 0 else [f"without a mutant the tests are not green (exit code {code}): {red}"]


def alive(mutant: Mutant, tree: Path) -> list[str]:
    """Plant it and run its tests; says what is wrong about it, nothing when it was killed."""
    copy_tree(tree)
    try:
        mutant.apply(tree)
        code, said = run(tree, list(mutant.tests))
    except DoesNotApplyError as error:
        return [str(error)]
    finally:
        shutil.rmtree(tree)
    if code not in (0, 1):
        return [f"{mutant.name}: the tests did not run (exit code {code}): {said[-2000:]}"]
    failed, broken = named("FAILED", said), named("ERROR", said)
    unmoved = [test for test in mutant.tests if test not in failed]
    # A fixture that fails says nothing about the mistake: a server that did not come up in time, mostly.
    return [f"{mutant.name}: {'could not be judged' if test in broken else 'not noticed'} by {test}" for test in unmoved]


def run(tree: Path, tests: list[str]) -> tuple[int, str]:
    """Exit code, and what pytest said."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.setdefault("GRENZREGION_SERVERS_DIR", str(ROOT / "servers"))
    environment.pop("GRENZREGION_REQUIRE_LOCAL", None)
    # No server set: a test of a unit; `embedded` in the name of a test's parameter: this set. `local` is left out.
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-rfE", "-p", "no:cacheprovider", "-k", "not local", *tests]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    return done.returncode, done.stdout + done.stderr


def named(outcome: str, said: str) -> set[str]:
    """Tests of an outcome in pytest's summary, without their parameters."""
    return {re.sub(r"\[.*", "", line.split(" ")[1]) for line in said.splitlines() if line.startswith(f"{outcome} ")}


def copy_tree(tree: Path) -> None:
    """Copy what belongs to the project, as it stands."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.split("\0"):
        source = ROOT / name
        if name and source.is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, tree / name)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
