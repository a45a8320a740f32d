"""Errors of the streams.

StreamsError
├── FencedError          another owner holds the partition: drop the batch, it is not ours any more
├── GapError             the batch does not start where the ledger is: fatal
├── LetterMovedError     a dead letter changed while it was replayed: read it again and repeat
├── RegistryMovedError   a Datastream vanished between look-up and storing: read the registry again and repeat
└── StandingMovedError   a device was released from quarantine between judging and storing: read again and repeat
"""


class StreamsError(Exception):
    """Any error that the streams raise themselves."""


class FencedError(StreamsError):
    """Another owner, or our own newer claim, holds the partition."""


class GapError(StreamsError):
    """The batch does not start where the ledger is; going on could lose or repeat readings."""


class RegistryMovedError(StreamsError):
    """A Datastream of the batch does not exist any more."""


class StandingMovedError(StreamsError):
    """A device does not stand any more as it did when its messages were judged."""


class LetterMovedError(StreamsError):
    """A dead letter is not any more what was replayed."""
