"""`grenzregion letters …`, `device release` and `resume`: what people do about what could not be stored (docs/dead-letters.md)."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from grenzregion.cli_gateway import DataDir, device
from grenzregion.desk import EXIT_FAILED, EXIT_UNUSABLE, DatabaseUrl, fail, user_here, with_database

if TYPE_CHECKING:
    from streams.letter_box import LetterBox, LetterFilter
    from streams.replay import Outcome

letters = typer.Typer(help="Dead letters: messages and readings that could not be stored.", no_args_is_help=True)

REPLAYED_AT_ONCE = 1_000
TOLD = 20

T = TypeVar("T")

Device = Annotated[str, typer.Option(metavar="TENANT/DEVICE", help="Only letters of this device.")]
Reason = Annotated[str, typer.Option(help="Only letters with this reason (docs/dead-letters.md).")]
Since = Annotated[str, typer.Option(help="Only letters received at or after this time, ISO 8601; without a zone: UTC.")]
Until = Annotated[str, typer.Option(help="Only letters received before this time.")]
Ids = Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Numbers of letters.")]
AsJson = Annotated[bool, typer.Option("--json", help="A JSON object per line.")]


@letters.command("list")
def list_command(
    device: Device = "",
    reason: Reason = "",
    since: Since = "",
    until: Until = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the newest first.")] = 50,
    before: Annotated[int | None, typer.Option(min=1, help="Only letters older than the one of this number.")] = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = "",
    data_dir: DataDir = Path("var"),
) -> None:
    """List dead letters, the newest first."""
    which = _which(None, device, reason, since, until)
    rows = _with_box(database_url, data_dir, lambda box: box.find(which, limit, before))
    for row in rows:
        typer.echo(_line(row) if not as_json else json.dumps({**row, "received": row["received"].isoformat()}, ensure_ascii=False))
    if len(rows) == limit:
        typer.echo(f"older ones: --before {rows[-1]['id']}", err=True)


def _line(row: dict[str, Any]) -> str:
    where = f"{row['tenant']}/{row['device']}" if row["device"] else row["topic"]
    identity = f" epoch {row['epoch']} seq {row['seq']}" if row["seq"] is not None else ""
    told = (
        row["id"],
        f"{row['received']:%Y-%m-%dT%H:%M:%SZ}",
        where + identity,
        row["reason"],
        row["readings"],
        row["detail"][:120],
    )
    return "\t".join(str(each) for each in told)


@letters.command("show")
def show_command(
    number: Annotated[int, typer.Argument(metavar="ID", min=1, help="Number of a letter.")],
    raw: Annotated[bool, typer.Option("--raw", help="Only the original bytes.")] = False,
    database_url: DatabaseUrl = "",
    data_dir: DataDir = Path("var"),
) -> None:
    """Show one dead letter with its original bytes."""
    letter = _with_box(database_url, data_dir, lambda box: box.read(number))
    if letter is None:
        fail(f"there is no dead letter {number}")
    if raw:
        sys.stdout.buffer.write(letter.payload)
        sys.stdout.buffer.flush()
        return
    from api.operations.letters import whole  # noqa: PLC0415 - a process that needs little shall load little

    typer.echo(json.dumps(whole(letter), ensure_ascii=False, indent=2))


@letters.command("replay")
def replay_command(
    ids: Ids = None,
    device: Device = "",
    reason: Reason = "",
    since: Since = "",
    until: Until = "",
    everything: Annotated[bool, typer.Option("--all", help="All letters.")] = False,
    database_url: DatabaseUrl = "",
    data_dir: DataDir = Path("var"),
) -> None:
    """Take dead letters in again: what can be read by now is stored, the rest stays.

    May be repeated and interrupted. The exit code is 1 when some stay.
    """
    which = _chosen(ids, device, reason, since, until, everything=everything)

    outcome = _with_box(database_url, data_dir, lambda box: _replay_all(box, which))
    for each in outcome.left[:TOLD]:
        typer.echo(f"{each.id} stays: {each.reason}: {each.detail[:120]}", err=True)
    typer.echo(f"{outcome.stored} readings stored, {outcome.letters} letters gone, {len(outcome.left)} stay")
    raise typer.Exit(EXIT_FAILED if outcome.left else 0)


async def _replay_all(box: LetterBox, which: LetterFilter) -> Outcome:
    whole, go_on = await box.replay(which, most=REPLAYED_AT_ONCE)
    while go_on is not None:
        more, go_on = await box.replay(which, after=go_on, most=REPLAYED_AT_ONCE)
        whole += more
    return whole


@letters.command("drop")
def drop_command(
    ids: Ids = None,
    device: Device = "",
    reason: Reason = "",
    since: Since = "",
    until: Until = "",
    everything: Annotated[bool, typer.Option("--all", help="All letters.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    who: Annotated[str, typer.Option(help="Who decides this; kept for good. None: the user of this machine.")] = "",
    database_url: DatabaseUrl = "",
    data_dir: DataDir = Path("var"),
) -> None:
    """Delete dead letters for good; who did it, when, and what they were is kept."""
    from streams.letter_box import UnexpectedCountError  # noqa: PLC0415

    which = _chosen(ids, device, reason, since, until, everything=everything)
    found = _with_box(database_url, data_dir, lambda box: box.count(which))
    if not found:
        fail("there is no such dead letter")
    if not yes and not (sys.stdin.isatty() and typer.confirm(f"drop {found} dead letters for good?")):
        fail(f"{found} dead letters would be dropped for good: --yes does it", EXIT_UNUSABLE)
    try:
        dropped = _with_box(database_url, data_dir, lambda box: box.drop(which, who or user_here(), found))
    except UnexpectedCountError as error:
        fail(f"{error}: try again")
    typer.echo(f"{dropped} letters dropped")


@device.command("release")
def release_command(
    name: Annotated[str, typer.Argument(metavar="TENANT/DEVICE", help="A quarantined device.")],
    who: Annotated[str, typer.Option(help="Who decides this; kept for good. None: the user of this machine.")] = "",
    database_url: DatabaseUrl = "",
    data_dir: DataDir = Path("var"),
) -> None:
    """Take a device out of quarantine; `letters replay --reason quarantined` then stores what was set aside."""
    tenant, _, own = name.partition("/")
    if not _with_box(database_url, data_dir, lambda box: box.release(tenant, own, who or user_here())):
        fail(f"{name} is not quarantined")
    typer.echo(f"{name} is released")


def resume(
    worker: Annotated[str, typer.Argument(help="One worker; none: all.")] = "",
    who: Annotated[str, typer.Option(help="Who decides this; kept for good. None: the user of this machine.")] = "",
    database_url: DatabaseUrl = "",
    data_dir: DataDir = Path("var"),
) -> None:
    """Let workers go on that paused because most of what came could not be read."""
    resumed = _with_box(database_url, data_dir, lambda box: box.resume(who or user_here(), worker or None))
    if not resumed:
        fail("no worker is paused")
    typer.echo("\n".join(f"{each} goes on" for each in resumed))


def _chosen(ids: list[int] | None, device: str, reason: str, since: str, until: str, *, everything: bool) -> LetterFilter:
    if not (ids or device or reason or since or until or everything):
        fail("which letters? Give numbers, --device, --reason, --since, --until or --all", EXIT_UNUSABLE)
    return _which(ids, device, reason, since, until)


def _which(ids: list[int] | None, device: str, reason: str, since: str, until: str) -> LetterFilter:
    from streams.letter_box import LetterFilter  # noqa: PLC0415

    tenant, slash, own = device.partition("/")
    if device and not (slash and tenant and own):
        fail(f"{device!r} is not TENANT/DEVICE", EXIT_UNUSABLE)
    return LetterFilter(
        ids=tuple(ids) if ids else None, tenant=tenant or None, device=own or None, reason=reason or None,
        since=_time("--since", since), until=_time("--until", until),
    )  # fmt: skip


def _time(option: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        fail(f"{option}: {text!r} is no time of ISO 8601", EXIT_UNUSABLE)


def _with_box(database_url: str, data_dir: Path, work: Callable[[LetterBox], Awaitable[T]]) -> T:
    from grenzregion.related import write_related  # noqa: PLC0415
    from infra.settings import WorkerSettings  # noqa: PLC0415
    from streams.letter_box import LetterBox  # noqa: PLC0415
    from streams.limits import limits_of  # noqa: PLC0415

    async def run(url: str) -> T:
        box = await LetterBox.open(url, *limits_of(WorkerSettings()), related=write_related)
        try:
            return await work(box)
        finally:
            await box.close()

    return with_database(database_url, data_dir, run)
