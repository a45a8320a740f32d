"""What api and grafana may use of the streams: the one way to write readings, the readable views, the names of the tests.

`ObservationStore` is the store that the worker uses too: judge, rows, aggregates, summary and news in one transaction
(architecture.md, "The API").
"""

from streams.alerts.book import AlertBook, UnknownAlertError
from streams.alerts.mail_text import names_of
from streams.alerts.rules import AlertRule, Level, RuleError, alert_rules
from streams.alerts.sinks import Sinks, SinksError, sinks_of
from streams.changes import UnfitResultError, UnknownObservationError, Values, delete_of_feature, lock_thing, recompute_days
from streams.derived.catalogue import FIGURES
from streams.derived.noise import PERIODS
from streams.derived.numbers import direction_of, mean_of
from streams.derived.window import Reading, Site, Window
from streams.errors import RegistryMovedError
from streams.letter_box import LetterBox, LetterFilter, UnexpectedCountError
from streams.limits import limits_of
from streams.new_observation import (
    NewObservation,
    NoFeatureError,
    RefusedObservationError,
    UnknownDatastreamError,
    UnknownFeatureError,
    Written,
)
from streams.observations import ObservationStore
from streams.quality.tests import TESTS
from streams.related import RefusedRelatedError
from streams.replay import Kept

READABLE_SCHEMA = "read"  # views for readers, infra/migrations/0005
READER_ROLE = "grenzregion_reader"

__all__ = [
    "FIGURES",
    "PERIODS",
    "READABLE_SCHEMA",
    "READER_ROLE",
    "TESTS",
    "AlertBook",
    "AlertRule",
    "Kept",
    "LetterBox",
    "LetterFilter",
    "Level",
    "NewObservation",
    "NoFeatureError",
    "ObservationStore",
    "Reading",
    "RefusedObservationError",
    "RefusedRelatedError",
    "RegistryMovedError",
    "RuleError",
    "Sinks",
    "SinksError",
    "Site",
    "UnexpectedCountError",
    "UnfitResultError",
    "UnknownAlertError",
    "UnknownDatastreamError",
    "UnknownFeatureError",
    "UnknownObservationError",
    "Values",
    "Window",
    "Written",
    "alert_rules",
    "delete_of_feature",
    "direction_of",
    "limits_of",
    "lock_thing",
    "mean_of",
    "names_of",
    "recompute_days",
    "sinks_of",
]
