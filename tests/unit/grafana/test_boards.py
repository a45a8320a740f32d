"""Every board in every language is a valid, complete, translated dashboard."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from devices.catalogue import THEMES, load_catalogue
from devices.places import LANGUAGES as DEVICE_LANGUAGES
from devices.places import REGION_BOX
from grafana import words
from grafana.boards import frame, region_today
from grafana.catalogue import BOARDS, Rendered, render, rendered
from grafana.panels import DATASOURCE_TYPE, DATASOURCE_UID, FLAGS
from grafana.words import LANGUAGES
from infra.migrate import MIGRATIONS
from streams.contract import TESTS

ALL = rendered()
PROVISIONING = Path(words.__file__).parents[1] / "provisioning"


def panels(board: Rendered) -> Iterator[dict[str, Any]]:
    return (panel for panel in board.model["panels"] if panel["type"] != "row")


def strings(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text in the model with the name of its field."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from strings(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item, name)
    elif isinstance(value, str):
        yield name, value


def test_there_is_each_board_in_each_language() -> None:
    assert [board.uid for board in ALL] == [f"{uid}-{language}" for uid in ("region-today", "quality") for language in LANGUAGES]
    assert LANGUAGES == DEVICE_LANGUAGES


@pytest.mark.parametrize("board", ALL, ids=lambda board: board.uid)
def test_a_dashboards_uid_fits_grafanas_limit_and_its_panels_have_their_own_ids(board: Rendered) -> None:
    ids = [panel["id"] for panel in board.model["panels"]]
    assert len(board.uid) <= 40
    assert board.model["uid"] == board.uid
    assert sorted(ids) == list(range(1, len(ids) + 1))


@pytest.mark.parametrize("board", ALL, ids=lambda board: board.uid)
def test_panels_lie_within_the_grid_and_do_not_overlap(board: Rendered) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board.model["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("board", ALL, ids=lambda board: board.uid)
def test_every_query_goes_to_our_data_source_and_reads_the_read_schema(board: Rendered) -> None:
    ours = {"type": DATASOURCE_TYPE, "uid": DATASOURCE_UID}
    for panel in panels(board):
        assert panel["datasource"] == ours
        assert panel["targets"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        for target in panel["targets"]:
            assert target["datasource"] == ours
            assert not re.search(r":(language|properties|limits|labelled)\b", target["rawSql"].replace("::", ""))
            relations = re.findall(r"\b(?:FROM|JOIN)\s+([a-z_.]+)", target["rawSql"])
            assert any(relation.startswith("read.") for relation in relations) or target["refId"] == "L"


@pytest.mark.parametrize("board", ALL, ids=lambda board: board.uid)
def test_every_aggregate_shows_completeness_and_the_share_of_flag_1(board: Rendered) -> None:
    for panel in panels(board):
        text = " ".join(target["rawSql"] for target in panel["targets"])
        if "read.board_aggregate" in text:
            assert "AS completeness" in text, panel["title"]
            assert "AS good" in text, panel["title"]


@pytest.mark.parametrize("board", ALL, ids=lambda board: board.uid)
def test_every_panel_has_a_title_and_a_description_and_says_when_there_are_no_data(board: Rendered) -> None:
    for panel in panels(board):
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["noValue"]


def test_catalogues_have_the_same_keys_and_no_empty_or_unused_text() -> None:
    catalogues = {language: words.load(language) for language in LANGUAGES}
    for language, catalogue in catalogues.items():
        for board in BOARDS:
            board.define(catalogue, lambda language: f"x-{language}", LANGUAGES).build()
        assert all(text.strip() for text in catalogue.texts.values())
        assert set(catalogue.texts) - {f"language.{language}"} == catalogue.used, language  # nobody links to himself
    assert len({frozenset(catalogue.texts) for catalogue in catalogues.values()}) == 1


def test_no_text_of_one_language_stands_in_anothers_dashboard() -> None:
    texts = {language: words.load(language).texts for language in LANGUAGES}
    for board in ALL:
        shown = {
            text for name, text in strings(board.model) if name in {"title", "description", "label", "text", "noValue", "value"}
        }
        for other in set(LANGUAGES) - {board.language}:
            foreign = {text for key, text in texts[other].items() if text not in texts[board.language].values() and " " in text}
            assert not shown & foreign


def test_no_board_says_compliant() -> None:
    for board in ALL:
        assert not re.search(r"compliant|eingehalten|overholdt|konform", json.dumps(board.model, ensure_ascii=False), re.IGNORECASE)


@pytest.mark.parametrize("board", ALL, ids=lambda board: board.uid)
def test_a_dashboard_links_to_its_sisters_with_range_and_variables(board: Rendered) -> None:
    urls = {link["url"] for link in board.model["links"]}
    sisters = {f"{board.uid.removesuffix(board.language)}{language}" for language in LANGUAGES}
    assert urls == {f"/d/{uid}" for uid in sisters - {board.uid}}
    assert all(link["keepTime"] and link["includeVars"] and "placement" not in link for link in board.model["links"])


def test_every_theme_flag_and_property_is_one_that_devices_know() -> None:
    catalogue = load_catalogue()
    assert set(frame.THEMES) == set(THEMES)
    assert set(FLAGS) == {0, 1, 2, 3, 4, 9}
    for _, courses in region_today.ROWS:
        for course in courses:
            assert set(course.properties) <= set(catalogue)


@pytest.mark.parametrize(
    ("key", "ucum", "shown"),
    [
        ("charging", "kW", "kwatt"),
        ("wind", "kW", "kwatt"),
        ("solar", "kW", "kwatt"),
        ("heat", "kW", "kwatt"),
        ("pm25", "ug/m3", "conμgm3"),
        ("pm10", "ug/m3", "conμgm3"),
        ("no2", "ug/m3", "conμgm3"),
        ("noise", "dB", "suffix: dB(A)"),
        ("co2", "[ppm]", "ppm"),
        ("water", "m", "lengthm"),
        ("traffic", "{vehicle}", "unit.vehicles"),
        ("border", "{vehicle}", "unit.vehicles"),
        ("cycles", "{bicycle}", "unit.bicycles"),
    ],
)
def test_a_panels_unit_is_that_of_its_property(key: str, ucum: str, shown: str) -> None:
    catalogue = load_catalogue()
    course = next(course for _, courses in region_today.ROWS for course in courses if course.key == key)
    assert {catalogue[name].unit for name in course.properties} == {ucum}
    assert course.unit == shown


def test_the_region_is_the_one_that_devices_know() -> None:
    text = (MIGRATIONS / "0040_create_board_views.sql").read_text(encoding="utf-8")
    west, south, east, north = REGION_BOX
    assert f"place.lon BETWEEN {west} AND {east} AND place.lat BETWEEN {south} AND {north}" in text


def test_limits_carry_their_validity_and_the_old_law_ends_when_the_new_one_begins() -> None:
    for limits in region_today.LIMITS.values():
        assert all(since < until for _, _, since, until in limits)
    old = [
        until
        for limits in region_today.LIMITS.values()
        for key, _, _, until in limits
        if key in {"limit.pm10.day", "limit.no2.hour"}
    ]
    new = [since for limits in region_today.LIMITS.values() for key, _, since, _ in limits if key.endswith("_2030")]
    assert {*old, *new} == {"2026-12-12T00:00:00Z"}


def test_rendering_writes_one_file_per_dashboard_and_again_the_same(tmp_path: Path) -> None:
    files = render(tmp_path)
    first = {path: path.read_bytes() for path in files}
    assert [path.relative_to(tmp_path).as_posix() for path in files] == [f"Smarte Grenzregion/{board.uid}.json" for board in ALL]
    assert [json.loads(text) for text in first.values()] == [board.model for board in ALL]
    assert {path: path.read_bytes() for path in render(tmp_path)} == first


def test_provisioning_names_our_data_source_and_the_folder_of_the_dashboards() -> None:
    source = yaml.safe_load((PROVISIONING / "datasources" / "grenzregion.yaml").read_text(encoding="utf-8"))["datasources"][0]
    provider = yaml.safe_load((PROVISIONING / "dashboards" / "grenzregion.yaml").read_text(encoding="utf-8"))["providers"][0]
    assert (source["uid"], source["type"]) == (DATASOURCE_UID, DATASOURCE_TYPE)
    assert source["secureJsonData"] == {"password": "${GRENZREGION_GRAFANA_DB_PASSWORD}"}
    assert provider["options"] == {"path": "/var/lib/grafana/dashboards", "foldersFromFilesStructure": True}


def test_the_database_names_the_tests_in_the_order_of_their_nibbles() -> None:
    text = next(MIGRATIONS.glob("*_show_quality.sql")).read_text(encoding="utf-8")
    names = re.search(r"unnest\(ARRAY\[(.*?)\]\)", text, re.DOTALL)
    assert names is not None
    assert tuple(re.findall(r"'(\w+)'", names[1])) == TESTS
