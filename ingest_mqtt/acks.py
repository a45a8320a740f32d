"""Which MQTT messages may be acknowledged: the contiguous run that Kafka has confirmed, on the connection they came by.

An acknowledgement is valid only on the connection that delivered the message: after a broker has lost its session, the same packet
identifier names another message, and a late PUBACK would lose it (delivery.md 2).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable


class AckTracker:
    """In-order acknowledgement over connection epochs.

    Every arrival gets an ordinal, counted through all connections. An epoch is known by the ordinal of its first arrival, so a
    confirmation from an earlier connection is recognised by being smaller.
    """

    def __init__(self) -> None:
        self._mids: deque[int] = deque()  # arrivals of this epoch that were not acknowledged
        self._oldest = 0  # ordinal of _mids[0]
        self._confirmed: set[int] = set()

    def __len__(self) -> int:
        """How many arrivals of this connection wait for their acknowledgement."""
        return len(self._mids)

    def new_epoch(self) -> None:
        """Forget what the last connection delivered: the broker sends it again, or has lost it."""
        self._oldest += len(self._mids)
        self._mids.clear()
        self._confirmed.clear()

    def arrived(self, mid: int) -> int:
        """Note a message with packet identifier `mid` (0: QoS 0, never acknowledged) and give its ordinal."""
        self._mids.append(mid)
        return self._oldest + len(self._mids) - 1

    def confirm(self, ordinals: Iterable[int]) -> None:
        """Note that Kafka has these messages; those of an earlier connection are ignored."""
        oldest = self._oldest
        self._confirmed.update([ordinal for ordinal in ordinals if ordinal >= oldest])

    def take(self) -> list[int]:
        """Packet identifiers to acknowledge now, in the order of arrival, each once."""
        confirmed, mids, oldest = self._confirmed, self._mids, self._oldest
        taken: list[int] = []
        while oldest in confirmed:
            confirmed.discard(oldest)
            mid = mids.popleft()
            if mid:
                taken.append(mid)
            oldest += 1
        self._oldest = oldest
        return taken
