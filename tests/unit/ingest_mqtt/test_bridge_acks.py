"""In-order acknowledgement, attacked by hypothesis: any order of confirmations, reconnects in the middle."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ingest_mqtt.acks import AckTracker


def test_nothing_is_acknowledged_before_the_oldest_is_confirmed() -> None:
    acks = AckTracker()
    first, second, third = (acks.arrived(mid) for mid in (7, 8, 9))
    acks.confirm([second, third])
    assert acks.take() == []
    acks.confirm([first])
    assert acks.take() == [7, 8, 9]
    assert acks.take() == []


def test_a_confirmation_from_an_earlier_connection_acknowledges_nothing() -> None:
    acks = AckTracker()
    late = acks.arrived(1)
    acks.new_epoch()
    again = acks.arrived(1)
    acks.confirm([late])
    assert acks.take() == []
    acks.confirm([again])
    assert acks.take() == [1]


def test_a_qos_0_message_holds_its_place_but_is_never_acknowledged() -> None:
    acks = AckTracker()
    ordinals = [acks.arrived(mid) for mid in (1, 0, 2)]
    acks.confirm(ordinals[2:])
    acks.confirm(ordinals[:1])
    assert acks.take() == [1]
    acks.confirm(ordinals)
    assert acks.take() == [2]
    assert len(acks) == 0


@given(st.permutations(range(40)), st.integers(1, 7))
def test_every_order_of_confirmations_ends_with_all_acknowledged_in_order_of_arrival(order: list[int], step: int) -> None:
    acks = AckTracker()
    ordinals = [acks.arrived(mid) for mid in range(1, 41)]
    taken: list[int] = []
    for start in range(0, len(order), step):
        acks.confirm([ordinals[index] for index in order[start : start + step]])
        taken += acks.take()
        done = {ordinals[index] for index in order[: start + step]}
        assert all(ordinals[mid - 1] in done for mid in taken)
    assert taken == list(range(1, 41))


class Connections(RuleBasedStateMachine):
    """A broker's view: per connection, which packet identifiers are open, and what Kafka has confirmed."""

    def __init__(self) -> None:
        super().__init__()
        self.acks = AckTracker()
        self.mids = 0
        self.epoch: list[tuple[int, int]] = []  # (ordinal, mid) of this connection, not acknowledged
        self.unconfirmed: list[int] = []
        self.confirmed: set[int] = set()

    @rule()
    def arrive(self) -> None:
        self.mids = self.mids % 65_535 + 1
        ordinal = self.acks.arrived(self.mids)
        self.epoch.append((ordinal, self.mids))
        self.unconfirmed.append(ordinal)

    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        if self.unconfirmed:
            some = data.draw(st.lists(st.sampled_from(self.unconfirmed), unique=True))
            self.unconfirmed = [each for each in self.unconfirmed if each not in some]
            self.confirmed.update(some)
            self.acks.confirm(some)

    @rule()
    def confirm_again(self) -> None:
        self.acks.confirm(self.confirmed)

    @rule()
    def reconnect(self) -> None:
        self.acks.new_epoch()
        self.epoch.clear()

    @rule()
    def take(self) -> None:
        for mid in self.acks.take():
            ordinal, expected = self.epoch.pop(0)
            assert mid == expected
            assert ordinal in self.confirmed
        assert not self.epoch or self.epoch[0][0] not in self.confirmed

    @invariant()
    def counts_what_waits(self) -> None:
        assert len(self.acks) == len(self.epoch)


TestConnections = Connections.TestCase
