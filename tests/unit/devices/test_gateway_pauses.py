"""When a gateway sends again what has no receipt: soon at first, ever more rarely while its connection lasts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from devices.gateway.outbox import Line
from devices.gateway.sender import Pace, Sender, _State

LINE = Line(id=1, tenant="default", device="a", epoch=1, base=0, first=0, next=5)


def silent(*_args: Any, **_more: Any) -> int:
    return 1


CONNECTION: Any = SimpleNamespace(session_present=True, subscribe=list, publish=silent)


def resends(sender: Sender, state: _State, start: int, end: int) -> list[int]:
    """Seconds at which everything was to be sent again, while nothing is heard."""
    found: list[int] = []
    for now in range(start, end):
        state.sent = LINE.next
        sender._resend(now)
        if state.sent == LINE.first:
            found.append(now)
    return found


def test_silence_doubles_the_pause_and_a_new_connection_begins_anew() -> None:
    now = 0.0
    sender = Sender(cast("Any", None), cast("Any", None), Pace(), lambda: now)
    state = _State(line=LINE, sent=LINE.next, limit=4)
    sender._states["receipt"] = state
    sender._begin(CONNECTION)
    assert resends(sender, state, 0, 1_300) == [11, 32, 73, 154, 315, 616, 917, 1_218]
    now = 1_300.0
    sender._begin(CONNECTION)
    assert resends(sender, state, 1_300, 1_340) == [1_311, 1_332]
