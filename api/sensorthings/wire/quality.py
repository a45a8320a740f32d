"""The verdict on a result as JSON text: its flag, and the tests that ran by name."""

from __future__ import annotations

import itertools

from psycopg import sql
from psycopg.sql import Composable

from api.sensorthings.wire.text import text
from streams.contract import TESTS

# Most numbers are 1: good.
FLAG_TEXT = sql.SQL("CASE {0} WHEN 1 THEN '1' ELSE {0}::text END")
_GROUP = 4  # tests whose flags are looked up at once
_NIBBLE = 4  # bits of a test's flag


def verdict(flag: Composable, tests: Composable, ruleset: Composable) -> Composable:
    """Give the verdict on a result: flag, the tests that ran by name, and the ruleset (domain.md, "Quality control")."""
    usual = sql.SQL(" ").join(
        [sql.SQL("WHEN {} THEN {}").format(sql.Literal(value), sql.Literal(words)) for value, words in _USUAL]
    )
    names = sql.SQL("CASE {} {} ELSE substr({}, 2) END").format(tests, usual, _ran(tests))
    flag_text, ruleset_text = FLAG_TEXT.format(flag), sql.SQL("{}::text").format(ruleset)
    whole = text('{"scheme":"QARTOD","flag":', flag_text, ',"tests":{', names, '},"ruleset":', ruleset_text, "}")
    return whole.compose()


def _all_good(*ran: str) -> tuple[int, str]:
    """Give tests that are all good as they are packed, and as text."""
    return sum(1 << _NIBBLE * TESTS.index(name) for name in ran), ",".join(f'"{name}":1' for name in ran)


# What readings have that nothing was found with, where no rules ask for tests in context.
_USUAL = (
    _all_good("syntax", "timing_gap", "location", "gross_range"),
    _all_good("syntax", "gross_range"),
    _all_good("syntax", "timing_gap", "gross_range"),
    _all_good("syntax", "location", "gross_range"),
    _all_good("syntax"),
)


def _ran(tests: Composable) -> Composable:
    """Name the tests that ran. Of each group the combinations that are all good are constants: nearly every row has one of them."""
    rest: Composable = sql.SQL("''")
    for first in reversed(range(0, len(TESTS), _GROUP)):
        names = TESTS[first : first + _GROUP]
        shift, mask = sql.Literal(_NIBBLE * first), sql.Literal((1 << _NIBBLE * len(names)) - 1)
        packed = sql.SQL("(({} >> {}) & {})").format(tests, shift, mask)
        good = [
            (sum(1 << _NIBBLE * place for place in chosen), "".join(f',"{names[place]}":1' for place in chosen))
            for count in reversed(range(len(names) + 1))
            for chosen in itertools.combinations(range(len(names)), count)
        ]
        cases = [sql.SQL("WHEN {} THEN {}").format(sql.Literal(value), sql.Literal(words)) for value, words in good]
        each = sql.SQL(" || ").join([_one(tests, first + place, name) for place, name in enumerate(names)])
        group = sql.SQL("CASE {} {} ELSE {} END").format(packed, sql.SQL(" ").join(cases), each)
        # Most readings pass the first tests only; the rest is looked at when there is any.
        rest = sql.SQL("CASE WHEN {} >> {} = 0 THEN '' ELSE {} || {} END").format(tests, shift, group, rest)
    return rest


def _one(tests: Composable, index: int, name: str) -> Composable:
    template = sql.SQL("CASE (({tests} >> {shift}) & 15) WHEN 0 THEN '' ELSE {name} || (({tests} >> {shift}) & 15) END")
    return template.format(tests=tests, shift=sql.Literal(_NIBBLE * index), name=sql.Literal(f',"{name}":'))
