"""Which of the languages that names come in somebody wants, by `Accept-Language` (RFC 9110, 12.5.4)."""

from __future__ import annotations

from functools import lru_cache

LANGUAGES = ("de", "da", "en")
_LONGEST = 500  # characters; an honest header is shorter


@lru_cache(1_024)
def preferred(header: str) -> tuple[str, ...]:
    """Give the languages of a header that there are, the dearest first; `de-AT` is `de`, and `*` says nothing."""
    weights: dict[str, float] = {}
    for part in header[:_LONGEST].lower().split(","):
        tag, _, parameter = part.partition(";")
        language = tag.strip().partition("-")[0]
        if language in LANGUAGES:
            weights[language] = max(weights.get(language, 0.0), _weight(parameter))
    return tuple(sorted((language for language, weight in weights.items() if weight > 0), key=lambda name: -weights[name]))


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if not parameter.strip():
        return 1.0
    try:
        return min(float(value), 1.0) if name.strip() == "q" else 0.0
    except ValueError:
        return 0.0
