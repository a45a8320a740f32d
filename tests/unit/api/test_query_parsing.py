"""The grammar of queries: trees, values, positions of errors, limits."""

from __future__ import annotations

import base64
import json

import pytest

from api.sensorthings.odata.errors import LimitExceededError, MalformedQueryError, UnknownResourceError
from api.sensorthings.odata.limits import Limits
from api.sensorthings.odata.parser import parse
from api.sensorthings.odata.syntax import Form, Lambda, Literal, LiteralKind, Logic, Operation, Parsed, Path, Unary

LIMITS = Limits(query_bytes=4096, query_nodes=100, query_depth=20, expand_depth=3, top_default=100, top_max=10_000)


def parsed(query: str, path: str = "Things", limits: Limits = LIMITS) -> Parsed:
    return parse(path, query, limits)


def literal(text: str) -> tuple[LiteralKind, tuple[str, ...]]:
    found = parsed(f"$filter=x eq {text}")
    condition = found.request.options.filter
    assert isinstance(condition, Operation)
    assert isinstance(condition.right, Literal)
    slot = condition.right.slot
    return condition.right.kind, found.values[slot : slot + (2 if condition.right.kind is LiteralKind.INTERVAL else 1)]


@pytest.mark.parametrize(
    ("text", "kind", "values"),
    [
        ("'it''s'", LiteralKind.STRING, ("it's",)),
        ("''", LiteralKind.STRING, ("",)),
        ("'3.5'", LiteralKind.NUMERIC_STRING, ("3.5",)),
        ("'2026-01-01T00:00:00Z'", LiteralKind.TIME_STRING, ("2026-01-01T00:00:00+00:00",)),
        ("'2026-13-01T00:00:00Z'", LiteralKind.STRING, ("2026-13-01T00:00:00Z",)),
        ("3", LiteralKind.INTEGER, ("3",)),
        ("-3", LiteralKind.INTEGER, ("-3",)),
        ("9223372036854775807", LiteralKind.INTEGER, ("9223372036854775807",)),
        ("9223372036854775808", LiteralKind.DECIMAL, ("9223372036854775808",)),
        ("-9223372036854775808", LiteralKind.INTEGER, ("-9223372036854775808",)),
        ("1.5e3", LiteralKind.DECIMAL, ("1.5e3",)),
        ("2026-01-01T12:00:00%2B02:00", LiteralKind.TIME, ("2026-01-01T10:00:00+00:00",)),
        ("2026-01-01T12:00:00+02:00", LiteralKind.TIME, ("2026-01-01T10:00:00+00:00",)),
        ("2026-01-01T12:00", LiteralKind.TIME, ("2026-01-01T12:00:00+00:00",)),
        (
            "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z",
            LiteralKind.INTERVAL,
            ("2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00"),
        ),
        ("2026-01-01", LiteralKind.DATE, ("2026-01-01",)),
        ("10:15", LiteralKind.CLOCK, ("10:15:00",)),
        ("duration'P1DT2H'", LiteralKind.DURATION, ("P1DT2H",)),
        ("duration'-PT90S'", LiteralKind.DURATION, ("PT-90S",)),
        ("geography'POINT (9.4 54.8)'", LiteralKind.GEOMETRY, ("POINT (9.4 54.8)",)),
    ],
)
def test_literals_become_text_that_the_database_reads(text: str, kind: LiteralKind, values: tuple[str, ...]) -> None:
    assert literal(text) == (kind, values)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1e999", "larger than a double"),
        ("-1e999", "larger than a double"),
        ("2026-02-30T00:00:00Z", "day"),
        ("2026-02-30", "day"),
        ("25:00", "hour"),
        ("2026-01-02T00:00:00Z/2026-01-01T00:00:00Z", "ends before it starts"),
        ("duration'1 hour'", "ISO 8601"),
        ("duration'PT'", "ISO 8601"),
        ("duration'P9999999999D'", "too long"),
        ("geography'POINT(9'", "well-known text"),
        ("'%00'", "NUL"),
    ],
)
def test_impossible_literals_are_refused_at_their_place(text: str, problem: str) -> None:
    with pytest.raises(MalformedQueryError, match=problem) as caught:
        literal(text)
    assert caught.value.position == 6


@pytest.mark.parametrize(
    ("query", "position", "expected"),
    [
        ("$filter=", 1, "expected a value"),
        ("$filter=name eq", 8, "expected a value"),
        ("$filter=name eq 'abc", 9, "no closing quote"),
        ("$filter=name eq 1 1", 11, "expected the end or an operator, found '1'"),
        ("$filter=(name eq 1", 11, "'\\)' to close the parenthesis of character 1"),
        ("$filter=and name", 1, "expected a value"),
        ("$filter=name eq 1 %26", 11, "starts nothing"),
        ("$filter=f(1,", 5, "expected a value"),
        ("$filter=name in 3", 9, "'\\(' after 'in'"),
        ("$filter=name in ()", 10, "expected a value"),
        ("$orderby=name,", 6, "expected a value"),
        ("$orderby=name up", 6, "expected the end"),
        ("$select=name,", 6, "a property's name"),
        ("$select=3", 1, "a property's name"),
        ("$expand=Datastreams(", 13, "an option such as"),
        ("$expand=Datastreams($top=1", 19, "'\\)' at the end of the options"),
        ("$expand=Datastreams($top)", 17, "'=' after"),
        ("$expand=Datastreams(top=1)", 13, "an option such as"),
        ("$top=x", 1, "whole number"),
        ("$top=1.5", 1, "whole number"),
        ("$top=1 2", 3, "found '2'"),
        ("$count=1", 1, "true or false"),
    ],
)
def test_errors_name_the_position_and_what_was_expected(query: str, position: int, expected: str) -> None:
    with pytest.raises(MalformedQueryError, match=expected) as caught:
        parsed(query)
    assert caught.value.position == position


def test_operators_bind_as_in_odata() -> None:
    condition = parsed("$filter=a eq 1 or not b eq 2 and c add 1 mul 2 eq 3").request.options.filter
    assert isinstance(condition, Logic)
    assert condition.operator == "or"
    second = condition.operands[1]
    assert isinstance(second, Logic)
    assert second.operator == "and"
    negation, sum_ = second.operands
    assert isinstance(negation, Unary)
    assert isinstance(negation.operand, Operation)
    assert isinstance(sum_, Operation)
    assert isinstance(sum_.left, Operation)
    assert sum_.left.operator == "add"
    assert isinstance(sum_.left.right, Operation)
    assert sum_.left.right.operator == "mul"


def test_requests_of_one_shape_have_one_tree() -> None:
    first = parsed("$filter=name eq 'a' and id gt 10&$skip=1", "Things(1)/Datastreams")
    second = parsed("$filter=name%20eq%20'longer'+and+id gt 7&$skip=5", "Things(99)/Datastreams")
    assert first.request == second.request
    assert hash(first.request) == hash(second.request)
    assert first.values != second.values


def test_what_changes_the_statement_changes_the_shape() -> None:
    shapes = [parsed(f"$filter=x eq {t}").request for t in ("'a'", "'1'", "1", "1.5", "true", "null")]
    assert len(set(shapes)) == len(shapes)


def test_option_names_have_any_case_and_encoding() -> None:
    assert parsed("$Filter=NAME eq 1&%24TOP=3").request.options.top == 3


def test_foreign_options_are_ignored_and_near_misses_are_not() -> None:
    assert parsed("cache=1&_=2&&").request.options.filter is None
    with pytest.raises(MalformedQueryError, match=r"called \$top"):
        parsed("Top=3")


@pytest.mark.parametrize(
    ("path", "names", "form"),
    [
        ("/Things/", ["Things"], Form.WHOLE),
        ("Things(1)/name/$value", ["Things", "name"], Form.VALUE),
        ("Things/$REF", ["Things"], Form.REFERENCE),
        ("Things%281%29/Datastreams", ["Things", "Datastreams"], Form.WHOLE),
    ],
)
def test_paths_are_taken_apart(path: str, names: list[str], form: Form) -> None:
    request = parsed("", path).request
    assert [step.name for step in request.steps] == names
    assert request.form is form


@pytest.mark.parametrize(
    "path", ["Things(", "Things()", "Things(1", "Things('a')", "Things(1)x", "Things(1.5)", "a//b", "Things(1)/ "]
)
def test_a_broken_path_is_refused(path: str) -> None:
    with pytest.raises(MalformedQueryError, match="path, character"):
        parsed("", path)


def test_an_id_beyond_the_database_is_unknown() -> None:
    parsed("", "Things(9223372036854775807)")
    with pytest.raises(UnknownResourceError):
        parsed("", "Things(9223372036854775808)")


def test_bytes_that_are_no_utf8_are_refused() -> None:
    for path, query in (("Things%FF", ""), ("Things", "$filter=name eq '%FF'"), ("Things", "%FF=1")):
        with pytest.raises(MalformedQueryError, match="UTF-8"):
            parsed(query, path)


def test_every_limit_holds_at_its_bound() -> None:
    parsed("$top=10000")
    parsed("$filter=" + " or ".join(["a"] * 98))
    parsed("$filter=" + "(" * 19 + "a" + ")" * 19)
    parsed("$expand=A($expand=B($expand=C))")
    parsed("$expand=A/B/C")
    parsed("a=" + "x" * 4094)
    for query in (
        "$top=10001",
        "$top=99999999999999999999999",
        "$filter=" + " or ".join(["a"] * 99),
        "$filter=" + "(" * 20 + "a" + ")" * 20,
        "$filter=" + "not " * 20 + "a",
        "$filter=" + "- " * 20 + "a",
        "$expand=A($expand=B($expand=C($expand=D)))",
        "$expand=A/B/C/D",
        "a=" + "x" * 4095,
    ):
        with pytest.raises(LimitExceededError):
            parsed(query)


def test_links_repeat_options_and_leave_out_where_the_page_was() -> None:
    found = parsed("$skip=5&$filter=name eq 'a%26b'&$expand=Datastreams($top=1;$skip=2;$orderby=name desc)&$top=2")
    options = found.request.options
    assert options.link is not None
    expand = options.expand[0].options.link
    assert expand is not None
    # A nested $skip belongs to every row of the next page, so it stays there.
    assert found.values[options.link] == (
        "$filter=name%20eq%20'a%26b'&$expand=Datastreams($top=1;$skip=2;$orderby=name%20desc)&$top=2&"
    )
    assert found.values[expand] == "$top=1&$orderby=name%20desc&"


def test_a_token_carries_the_last_rows_keys() -> None:
    token = base64.urlsafe_b64encode(json.dumps(["2026", None, "7"]).encode()).decode().rstrip("=")
    found = parsed(f"$skiptoken={token}")
    after = found.request.options.after
    assert after is not None
    assert [None if slot is None else found.values[slot] for slot in after] == ["2026", None, "7"]


@pytest.mark.parametrize("keys", ["1", "[]", "[1]", '["a\\u0000"]', "{}", '"x"', "nonsense"])
def test_a_token_of_somebody_else_is_refused(keys: str) -> None:
    token = base64.urlsafe_b64encode(keys.encode()).decode()
    with pytest.raises(MalformedQueryError, match="skiptoken"):
        parsed(f"$skiptoken={token}")


def test_paths_in_filters_keep_their_segments() -> None:
    condition = parsed("$filter=Datastream/Thing/properties/a-b eq 1").request.options.filter
    assert isinstance(condition, Operation)
    assert condition.left == Path(segments=("Datastream", "Thing", "properties", "a-b"), position=1)


def test_a_lambda_takes_its_variable_off_the_paths() -> None:
    found = parsed("$filter=Datastreams/any(d:d/name eq 'x' and d/Observations/all(o:o/result gt 3))").request.options.filter
    assert isinstance(found, Lambda)
    assert (found.path.segments, found.every) == (("Datastreams",), False)
    assert isinstance(found.condition, Logic)
    name, inner = found.condition.operands
    assert isinstance(name, Operation)
    assert name.left == Path(segments=("name",), position=1)
    assert isinstance(inner, Lambda)
    assert (inner.path.segments, inner.every) == (("Observations",), True)
    empty = parsed("$filter=Datastreams/any()").request.options.filter
    assert isinstance(empty, Lambda)
    assert empty.condition is None


@pytest.mark.parametrize(
    ("condition", "position"),
    [
        ("Datastreams/any(d:name eq 'x')", 19),
        ("Datastreams/any(d:d eq 'x')", 19),
        ("Datastreams/any('d')", 17),
        ("Datastreams/any(d/e:d/name eq 1)", 17),
        ("Datastreams/all()", 17),
        ("Datastreams/any(d)", 18),
        ("Datastreams/any(d:d/name eq 'x'", 32),
    ],
)
def test_a_wrong_lambda_is_told_where(condition: str, position: int) -> None:
    with pytest.raises(MalformedQueryError) as told:
        parsed(f"$filter={condition}")
    assert told.value.position == position
