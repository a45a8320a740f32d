"""Many Observations in one request: data arrays (18-088, 13.2, `CreateObservations`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from api.errors import InvalidEntityError
from api.sensorthings.entities.schema import entity_set
from api.sensorthings.writer import times
from api.sensorthings.writer.planner import ID, LARGEST_ID, reference
from api.store import Store
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
    results = iter(await store.write_observations([item for item in items if not isinstance(item, str)]))
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
    components = _components(given.get("components"), path)
    rows = given.get("dataArray")
    if not isinstance(rows, list):
        raise InvalidEntityError(f"{path}.dataArray must be an array of rows", field=f"{path}.dataArray")
    return [_read_row(row, components, datastream.id, now, is_multi=is_multi) for row in cast("list[Any]", rows)]


def _components(value: Any, path: str) -> list[str]:
    field = f"{path}.components"
    if not isinstance(value, list) or "result" not in value:
        raise InvalidEntityError(f"{field} must be an array of names with result among them", field=field)
    names = cast("list[Any]", value)
    for name in names:
        if name not in _COMPONENTS or names.count(name) > 1:
            raise InvalidEntityError(f"{field}: {name!r} is unknown or there twice", field=field)
    return names


def _read_row(row: Any, components: list[str], datastream_id: int, now: datetime, *, is_multi: bool) -> Item:
    if not isinstance(row, list) or len(cast("list[Any]", row)) != len(components):
        return f"error: a row must have {len(components)} values, as components say"
    given = dict(zip(components, cast("list[Any]", row), strict=True))
    try:
        return _observation(given, datastream_id, now, is_multi=is_multi)
    except InvalidEntityError as error:
        return f"error: {error.message}"


def _observation(given: dict[str, Any], datastream_id: int, now: datetime, *, is_multi: bool) -> NewObservation:
    said, result_time, valid = given.get("phenomenonTime"), given.get("resultTime"), given.get("validTime")
    start, end = times.instant_or_interval(said, "phenomenonTime") if said is not None else (now, None)
    valid_start, valid_end = times.interval(valid, "validTime") if valid is not None else (None, None)
    parameters = given.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise InvalidEntityError("parameters must be an object")
    return NewObservation(
        datastream_id=datastream_id, phenomenon_time=start, phenomenon_end=end, result=given["result"],
        result_time=times.instant(result_time, "resultTime") if result_time is not None else None,
        valid_start=valid_start, valid_end=valid_end, feature_id=_feature(given), multi=is_multi,
        parameters=cast("dict[str, Any] | None", parameters), quality=given.get("resultQuality"),
    )  # fmt: skip


def _feature(given: dict[str, Any]) -> int | None:
    value = given.get("FeatureOfInterest/id", given.get("FeatureOfInterest/@iot.id"))
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LARGEST_ID:
        raise InvalidEntityError("FeatureOfInterest/id must be the id of a FeatureOfInterest")
    return value
