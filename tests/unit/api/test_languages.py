"""`Accept-Language`: which languages are understood, and in which order."""

from __future__ import annotations

import pytest

from api.sensorthings.languages import preferred


@pytest.mark.parametrize(
    ("header", "languages"),
    [
        ("da", ("da",)),
        ("de-AT", ("de",)),
        ("DA, de;q=0.8, en;q=0.9", ("da", "en", "de")),
        ("fr, pl;q=0.5", ()),
        ("*", ()),
        ("", ()),
        ("da;q=0, de", ("de",)),
        ("de;q=0.1, de-CH;q=0.9, da;q=0.5", ("de", "da")),
        ("da;q=x, de;level=1, en", ("en",)),
        ("en;q=7, da", ("en", "da")),
        ("da;q=-1", ()),
        ("da;q=nan,en", ("en",)),
        (";;,,=,da ; q=0.5", ("da",)),
        ("x" * 600 + ",da", ()),
    ],
)
def test_a_header_names_the_languages_that_there_are(header: str, languages: tuple[str, ...]) -> None:
    assert preferred(header) == languages
