"""Many Observations in one request: data arrays (18-088, 13.2, `CreateObservations`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from api.errors import InvalidEntityError
from api.sensorthings.entities.schema import entity_set
from api.sensorthings.writer import times
from api.sensorthings.writer.plan import Existing
from api.sensorthings.writer.planner import ID, LARGEST_ID, reference
from api.store import Store
from api.unit import within
from streams.contract import NewObservation

_TEXTS = {"phenomenonTime", "result", "resultTime", "resultQuality", "validTime", "parameters"}
_COMPONENTS = frozenset(_TEXTS | {"FeatureOfInterest/id", "FeatureOfInterest/@iot.id"})
_ARRAY = {"Datastream", "MultiDatastream", "components", "dataArray", "dataArray@iot.count"}

Item = NewObservation | str  # or why a row is no Observation


def read_arrays(body: Any, now: datetime) -> list[Item]:
    """Read the rows of all arrays in their order; raises `InvalidEntityError` for what is wrong of a whole array."""
    if not isinstance(body, list):
        raise InvalidEntityError("the body must be an array with one object for each Datastream (18-088, 13.2)")
    return [item for index, array in enumerate(cast("list[Any]", body)) for item in _read_array(array, f"[{index}]", now)]


async def store_arrays(items: Sequence[Item], store: Store, root: str) -> tuple[list[str], int]:
    """Store what can be; gives for each row its address or `error` and why, and how many were stored."""
    results = iter(await store.write_observations([item for item in items if not isinstance(item, str)], within()))
    answers: list[str] = []
    created = 0
    for item in items:
        if isinstance(item, str):
            answers.append(item)
            continue
        result = next(results)
        if isinstance(result, int):
            created += 1
            answers.append(f"{root}({result})")
        else:
            answers.append(f"error: {result}")
    return answers, created


def _read_array(array: Any, path: str, now: datetime) -> list[Item]:
    if not isinstance(array, dict):
        raise InvalidEntityError(f"{path} must be an object with Datastream, components and dataArray", field=path)
    given = cast("dict[str, Any]", array)
    for name in given:
        if name not in _ARRAY:
            raise InvalidEntityError(f"{path}.{name} is unknown", field=f"{path}.{name}")
    is_multi = "MultiDatastream" in given
    name = "MultiDatastream" if is_multi else "Datastream"
    described = entity_set(f"{name}s")
    assert described is not None
    datastream = reference(given.get(name), described, f"{path}.{name}")
    if datastream is None or (is_multi and "Datastream" in given):
        raise InvalidEntityError(f'{path}.Datastream must be one reference: {{"{ID}": n}}', field=f"{path}.{name}")
    columns = _Columns(_components(given.get("components"), path))
    rows = given.get("dataArray")
    if not isinstance(rows, list):
        raise InvalidEntityError(f"{path}.dataArray must be an array of rows", field=f"{path}.dataArray")
    return [_read_row(row, columns, datastream, now) for row in cast("list[Any]", rows)]


def _components(value: Any, path: str) -> list[str]:
    field = f"{path}.components"
    if not isinstance(value, list) or "result" not in value:
        raise InvalidEntityError(f"{field} must be an array of names with result among them", field=field)
    names = cast("list[Any]", value)
    for name in names:
        if name not in _COMPONENTS or names.count(name) > 1:
            raise InvalidEntityError(f"{field}: {name!r} is unknown or there twice", field=field)
    return names


class _Columns:
    """Where the components stand in a row."""

    __slots__ = ("more", "names", "result", "size", "time")

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.size = len(names)
        self.result = names.index("result")
        self.time = names.index("phenomenonTime") if "phenomenonTime" in names else None
        self.more = not set(names) <= {"result", "phenomenonTime"}


def _read_row(row: Any, columns: _Columns, owner: Existing, now: datetime) -> Item:
    if not isinstance(row, list) or len(row) != columns.size:  # pyright: ignore[reportUnknownArgumentType] -- JSON
        return f"error: a row must have {columns.size} values, as components say"
    values: list[Any] = row  # pyright: ignore[reportUnknownVariableType] -- JSON; a cast costs as much as the checks
    try:
        said = None if columns.time is None else values[columns.time]
        start, end = (now, None) if said is None else times.instant_or_interval(said, "phenomenonTime")
        if columns.more:
            return _observation(dict(zip(columns.names, values, strict=True)), owner, start, end)
        return NewObservation(
            datastream_id=owner.id, phenomenon_time=start, phenomenon_end=end, result=values[columns.result],
            multi=owner.entity_set == "MultiDatastreams",
        )  # fmt: skip
    except InvalidEntityError as error:
        return f"error: {error.message}"


def _observation(given: dict[str, Any], owner: Existing, start: datetime, end: datetime | None) -> NewObservation:
    result_time, valid, parameters = given.get("resultTime"), given.get("validTime"), given.get("parameters")
    valid_start, valid_end = times.interval(valid, "validTime") if valid is not None else (None, None)
    if parameters is not None and not isinstance(parameters, dict):
        raise InvalidEntityError("parameters must be an object")
    return NewObservation(
        datastream_id=owner.id, phenomenon_time=start, phenomenon_end=end, result=given["result"],
        result_time=times.instant(result_time, "resultTime") if result_time is not None else None,
        valid_start=valid_start, valid_end=valid_end, feature_id=_feature(given), multi=owner.entity_set == "MultiDatastreams",
        parameters=cast("dict[str, Any] | None", parameters), quality=given.get("resultQuality"),
    )  # fmt: skip


def _feature(given: dict[str, Any]) -> int | None:
    value = given.get("FeatureOfInterest/id", given.get("FeatureOfInterest/@iot.id"))
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LARGEST_ID:
        raise InvalidEntityError("FeatureOfInterest/id must be the id of a FeatureOfInterest")
    return value
