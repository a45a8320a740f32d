"""The page in a real browser: what a person sees, hears and does, and that nothing leaves the server it came from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from needs import CHROMIUM, need_chromium
from page_sample import PRIVATE, THINGS, write
from page_server import Site, site_on
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

QUIET = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SOFTWARE_GL = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
WITHOUT_GL = ("--disable-gpu", "--disable-3d-apis")
PATIENCE_MS = 30_000

pytestmark = pytest.mark.e2e


@dataclass(slots=True)
class Watch:
    """What a page did that a user never sees."""

    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def site(servers: Any) -> Iterator[Site]:
    with site_on(servers) as site:
        yield site


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    need_chromium()
    with sync_playwright() as started:
        yield started


@contextmanager
def _browser(playwright: Playwright, *flags: str) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *flags])
    try:
        yield browser
    finally:
        browser.close()


@pytest.fixture(scope="module")
def with_gl(playwright: Playwright) -> Iterator[Browser]:
    with _browser(playwright, *SOFTWARE_GL) as browser:
        yield browser


@pytest.fixture(scope="module")
def without_gl(playwright: Playwright) -> Iterator[Browser]:
    """Drawing the map by software takes seconds; what isn't about the map is tested without."""
    with _browser(playwright, *WITHOUT_GL) as browser:
        yield browser


Visit = Callable[..., Page]


def _visiting(browser: Browser, site: Site, watch: Watch) -> tuple[Visit, list[BrowserContext]]:
    contexts: list[BrowserContext] = []

    def visit(path: str = "", **options: Any) -> Page:
        context = browser.new_context(
            **{"locale": "en-GB", "reduced_motion": "reduce", "viewport": {"width": 1280, "height": 800}} | options
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on(
            "request", lambda request: request.url.startswith((site.url, "data:", "blob:")) or watch.outside.append(request.url)
        )
        page.on("pageerror", lambda error: watch.errors.append(str(error)))
        page.on("console", lambda message: message.type == "error" and watch.errors.append(message.text))
        page.goto(site.url + path)
        return page

    return visit, contexts


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    yield watch
    assert watch.outside == []
    assert watch.errors == []


@pytest.fixture
def visit(without_gl: Browser, site: Site, watch: Watch) -> Iterator[Visit]:
    visit, contexts = _visiting(without_gl, site, watch)
    yield visit
    for context in contexts:
        context.close()


@pytest.fixture
def visit_map(with_gl: Browser, site: Site, watch: Watch) -> Iterator[Visit]:
    visit, contexts = _visiting(with_gl, site, watch)
    yield visit
    for context in contexts:
        context.close()


def _row(page: Page, name: str) -> Any:
    return page.locator(".row", has_text=name)


def test_every_public_station_is_listed_with_value_flag_and_age(visit: Visit) -> None:
    page = visit()
    expect(page.locator(".row")).to_have_count(len(THINGS))
    row = _row(page, "Lärm Neumarkt")
    expect(row.locator(".value")).to_have_text(re.compile(r"^\d\d\.\d\sdB$"))
    expect(row.locator(".flag")).to_have_text("good")
    expect(row.locator(".age")).to_have_text(re.compile("just now|sec|min"))
    expect(_row(page, "Schule Niebüll").locator(".flag")).to_have_text("suspect")
    expect(_row(page, "Sensor ohne Messwerte")).to_contain_text("No readings yet")
    expect(_row(page, PRIVATE[0])).to_have_count(0)


def test_simulated_stations_say_so_and_recordings_stand_apart(visit: Visit) -> None:
    page = visit()
    expect(_row(page, "Pegel Husum")).to_contain_text("simulated")
    apart = page.locator(".group.elsewhere")
    expect(apart.locator(".row")).to_have_count(1)
    expect(apart).to_contain_text("Vejrstation Aarhus")
    expect(apart).to_contain_text("recorded")


def test_the_language_follows_the_address_the_browser_and_the_last_choice(visit: Visit, site: Site) -> None:
    page = visit(locale="da-DK")
    expect(page.locator("#stations-title")).to_have_text("Stationer")
    expect(page.locator("html")).to_have_attribute("lang", "da")
    page.get_by_role("button", name="Deutsch").click()
    expect(page.locator("#stations-title")).to_have_text("Stationen")
    expect(_row(page, "Luft Bahnhofstraße").locator(".value")).to_have_text(re.compile(r"^\d+,\d\sµg/m³$"))
    page.goto(site.url)
    expect(page.locator("#stations-title")).to_have_text("Stationen")
    page.goto(site.url + "?lang=en")
    expect(page.locator("#stations-title")).to_have_text("Stations")


def test_themes_and_search_narrow_the_list(visit: Visit) -> None:
    page = visit()
    page.get_by_role("checkbox", name="Water").check()
    expect(page.locator(".row .name")).to_have_text(["Pegel Flensburg", "Pegel Husum"])
    expect(page.locator("#count")).to_have_text(f"2 of {len(THINGS)} stations")
    page.get_by_role("checkbox", name="Noise").check()
    expect(page.locator(".row")).to_have_count(3)
    page.get_by_role("searchbox").fill("nothing like this")
    page.get_by_role("button", name="Show all stations").click()
    expect(page.locator(".row")).to_have_count(len(THINGS))


DEVICE = """
    UPDATE thing SET properties = properties || '{"device": "noise-1"}' WHERE name = 'Lärm Neumarkt';
    INSERT INTO device_health VALUES ('default', 'noise-1', now(), 1.25);
    INSERT INTO receipt (tenant, device, epoch, first, runs, repeats) VALUES ('default', 'noise-1', 1, 0, '{[0,90),[91,100)}', 3);
    INSERT INTO device_state (tenant, device, refused_run, quarantined, since) VALUES ('default', 'noise-1', 100, true, now());
"""


def test_the_panel_tells_how_the_stations_device_is(visit: Visit, site: Site) -> None:
    with psycopg.connect(site.database, autocommit=True) as connection:
        connection.execute(DEVICE)
    page = visit()
    _row(page, "Lärm Neumarkt").click()
    device = page.locator(".device")
    device.locator("summary").click()
    for heading, told in [
        ("Set aside since", "20"), ("Last heard of", "just now"), ("From measuring", "1.3\u202fs"), ("Missing", "1 (1.00\u202f%)"),
        ("sent again", "3"),
    ]:  # fmt: skip
        expect(device.locator("tr", has_text=heading)).to_contain_text(told)
    _row(page, "Pegel Husum").click()
    device.locator("summary").click()
    expect(device).to_contain_text("No device is registered here.")


def test_the_keyboard_alone_reaches_chart_and_table(visit: Visit) -> None:
    page = visit()
    expect(page.locator(".row")).to_have_count(len(THINGS))
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".row").first).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    expect(_row(page, "Luft Aabenraa")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#panel-title")).to_be_focused()
    expect(page.locator("#panel-title")).to_have_text("Luft Aabenraa")
    stage = page.locator(".chart-stage")
    expect(stage).to_have_attribute("aria-label", re.compile("Particulate matter PM2.5: chart of 9[56] readings"))
    for _ in range(8):
        page.keyboard.press("Tab")
        if stage.evaluate("element => element === document.activeElement"):
            break
    expect(stage).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".chart [aria-live]")).to_have_text(re.compile("µg/m³, good"))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("table tbody tr").first).to_contain_text("good")
    expect(page.locator("table tbody")).to_contain_text("fail")
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_hidden()
    expect(_row(page, "Luft Aabenraa")).to_be_focused()


def test_the_chart_marks_flags_by_shape_and_word(visit: Visit) -> None:
    page = visit()
    _row(page, "Luft Bahnhofstraße").click()
    expect(page.locator(".chart g.flag-3")).to_have_count(3)
    expect(page.locator(".chart g.flag-4")).to_have_count(1)
    expect(page.locator(".legend")).to_contain_text("suspect")
    page.locator(".reading", has_text="Nitrogen dioxide").click()
    expect(page.locator("#chart-title")).to_have_text("Nitrogen dioxide (µg/m³)")
    expect(page.locator(".chart g.flag-sign")).to_have_count(0)


def test_states_that_are_no_numbers_have_a_lane_each(visit: Visit) -> None:
    page = visit()
    _row(page, "Ladesäule Exe").click()
    expect(page.locator(".chart .lane")).to_have_text(["available", "charging", "blocked"])


def test_a_new_reading_arrives_by_itself(visit: Visit, site: Site) -> None:
    page = visit()
    expect(page.locator("#pulse")).to_have_text("Live")
    _row(page, "Fernwärme Nord").click()
    expect(page.locator("#figures")).to_contain_text("readings")
    with psycopg.connect(site.database) as connection:
        write(connection, site.streams["Fernwärme Nord/flow_temperature"], [(datetime.now(UTC), 99.4, None, 3)])
    expect(_row(page, "Fernwärme Nord").locator(".value")).to_have_text("99.4\u202f°C")
    expect(_row(page, "Fernwärme Nord").locator(".flag")).to_have_text("suspect")
    expect(page.locator(".reading .value")).to_have_text("99.4\u202f°C")
    expect(page.locator(".chart g.flag-3")).to_have_count(1)
    expect(page.locator("#announcer")).to_contain_text("99.4")


def test_without_webgl_the_list_works_and_a_notice_says_why(visit: Visit) -> None:
    page = visit()
    expect(page.locator("#map-notice")).to_contain_text("WebGL")
    expect(page.locator(".row")).to_have_count(len(THINGS))


def test_an_api_that_is_away_is_told_and_can_be_tried_again(visit: Visit, watch: Watch) -> None:
    page = visit()
    expect(page.locator(".row")).to_have_count(len(THINGS))
    page.route("**/planning/v1/*", lambda route: route.abort())
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("can't be loaded")
    expect(page.locator("#pulse")).to_have_text("No connection")
    page.unroute("**/planning/v1/*")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".row")).to_have_count(len(THINGS))
    expect(page.get_by_role("alert")).to_be_hidden()
    assert all("ERR_FAILED" in error for error in watch.errors)
    watch.errors.clear()


def test_live_values_are_polled_where_events_do_not_flow(visit: Visit, watch: Watch) -> None:
    page = visit("words-only-to-have-an-origin")
    page.route("**/planning/v1/live", lambda route: route.abort())
    page.goto(page.url.rpartition("/")[0] + "/")
    expect(page.locator(".row")).to_have_count(len(THINGS))
    expect(page.locator("#pulse")).to_have_text("Every 10 s")
    watch.errors.clear()  # the 404 and the aborted stream, both asked for here


def test_a_server_without_stations_says_so(visit: Visit) -> None:
    page = visit()
    page.route("**/planning/v1/stations", lambda route: route.fulfill(json={"time": "2026-11-22T10:00:00Z", "stations": []}))
    page.reload()
    expect(page.locator("#stations")).to_contain_text("There are no stations yet.")


def test_names_from_outside_are_shown_as_text(visit: Visit) -> None:
    page = visit()
    name = "<img src=x onerror=alert(1)>"
    station = {
        "id": 1,
        "name": name,
        "names": {},
        "theme": "no such theme",
        "source": None,
        "timezone": "Europe/Berlin",
        "position": None,
    }
    page.route(
        "**/planning/v1/stations",
        lambda route: route.fulfill(json={"time": "2026-11-22T10:00:00Z", "stations": [station | {"datastreams": []}]}),
    )
    page.reload()
    expect(page.locator(".row .name")).to_have_text(name)
    expect(page.locator(".row")).to_contain_text("Other")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_phone_scrolls_in_one_direction_only(visit: Visit, scheme: str) -> None:
    page = visit(viewport={"width": 390, "height": 844}, color_scheme=scheme, has_touch=True)
    expect(page.locator(".row")).to_have_count(len(THINGS))
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    _row(page, "Lärm Neumarkt").tap()
    expect(page.locator(".chart-stage")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    box = page.locator("#panel").bounding_box()
    assert box
    assert (box["x"], box["width"]) == (0, 390)
    assert box["y"] + box["height"] == 844
    page.get_by_role("button", name="Close").tap()
    expect(page.locator("#panel")).to_be_hidden()


def test_the_map_is_drawn_and_a_station_on_it_opens(visit_map: Visit) -> None:
    page = visit_map()
    expect(page.locator("html")).to_have_attribute("data-map", "ready", timeout=60_000)
    expect(page.locator(".maplibregl-ctrl-attrib")).to_contain_text("OpenStreetMap")
    expect(page.get_by_role("button", name="Zoom in")).to_be_visible()
    _row(page, "Cykeltæller Sønderborg").click()
    expect(page.locator(".chart-stage")).to_be_visible()
    panel, box = page.locator("#panel").bounding_box(), page.locator("#map").bounding_box()
    assert panel
    assert box
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#panel")).to_be_hidden()
    # The map was moved so that the chosen station stands in the middle of what the panel leaves free.
    place = {"x": (box["width"] - panel["width"]) / 2, "y": box["height"] / 2}
    page.locator("#map canvas").hover(position=place)
    expect(page.locator(".maplibregl-popup")).to_contain_text("Cycle traffic")
    page.locator("#map canvas").click(position=place)
    expect(page.locator("#panel-title")).to_have_text("Cykeltæller Sønderborg")


ALERT = """
    INSERT INTO alert (rule, rule_version, datastream, begins, state, level, highest, value)
    VALUES ('stale_air', 1, %s, now() - interval '25 min', 'raised', 2, 2, 2350)
"""


def test_open_alerts_are_counted_and_listed_and_lead_to_their_station(visit: Visit, site: Site) -> None:
    with psycopg.connect(site.database, autocommit=True) as connection:
        try:
            for stream in ("Schule Niebüll, Raum 12/co2", "Geheimer Sensor/co2"):
                connection.execute(ALERT, (site.streams[stream],))
            page = visit("?lang=de")
            button = page.get_by_role("button", name="1 Meldung: 1 der Stufe 2", exact=True)
            expect(button).to_have_attribute("aria-expanded", "false")
            button.press("Enter")
            expect(page.get_by_role("heading", name="Offene Meldungen")).to_be_focused()
            row = page.locator(".alert-row")
            expect(row).to_have_text(
                re.compile("Schule Niebüll.*Verbrauchte Luft: hygienisch inakzeptabel.*2\\.350\\sppm.*begann vor 2")
            )
            page.get_by_role("button", name="Dansk").click()
            expect(row).to_contain_text("Dårligt indeklima: uacceptabelt")
            row.press("Enter")
            expect(page.locator("#panel-title")).to_have_text("Schule Niebüll, Raum 12")
            expect(page.locator(".alert-note")).to_contain_text("Dårligt indeklima: uacceptabelt")
            connection.execute("UPDATE alert SET acknowledged_at = now(), acknowledged_by = 'somebody'")
            expect(row).to_contain_text("✓ kvitteret", timeout=PATIENCE_MS)  # asked for every ten seconds
            connection.execute("DELETE FROM alert")
            expect(page.get_by_role("button", name="Ingen varsler")).to_be_visible(timeout=PATIENCE_MS)
            expect(page.locator(".alert-note")).to_have_count(0)
            page.get_by_role("heading", name="Åbne varsler").press("Escape")
            expect(page.get_by_role("button", name="Ingen varsler")).to_be_focused()
        finally:
            connection.execute("DELETE FROM alert")
