"""What filters may say, and what is said of those that say it wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import filter_stores
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlmd_lineage as ml
from mlmd_lineage.errors import FilterError
from mlmd_lineage.filters import grammar
from mlmd_lineage.filters.find import find_ids
from mlmd_lineage.filters.grammar import parse
from mlmd_lineage.filters.semantics import analyze
from mlmd_lineage.filters.syntax_tree import Comparison, Literal, Name

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("", "1:1", "the filter is empty"),
        (" \n ", "1:1", "the filter is empty"),
        ("id = 1 AND", "1:11", "the filter ends, where there may be a value"),
        ("id = 1\n  AND nme = 'x'", "2:7", "unknown field 'nme'; an artifact has id, type_id"),
        ("nme = 'x'", "1:1", "Did you mean 'name'?"),
        ("contexts_a.nme = 'x'", "1:1", "contexts_a has id, type_id, type, name"),
        ("state = LIFE", "1:9", "Did you mean 'LIVE'?"),
        ("state = live", "1:9", "Did you mean 'LIVE'?"),
        ("state > LIVE", "1:7", "Artifact.State has no order"),
        ("state BETWEEN 'LIVE' AND 'DELETED'", "1:1", "Artifact.State has no order; write IN"),
        ("events_0.type = 3", "1:17", "compared with a name: UNKNOWN, DECLARED_OUTPUT"),
        ("last_known_state = COMPLETE", "1:1", "unknown field 'last_known_state'"),
        ("id = 'x'", "1:6", "this is a text, and what it is compared with is a number"),
        ("id IN (1, 'x')", "1:11", "this is a text"),
        ("name = NULL", "1:8", "write IS NULL"),
        ("name != NULL", "1:9", "write IS NOT NULL"),
        ("name", "1:1", "this is a text, where a condition is due"),
        ("id + name = 1", "1:6", "where a number is due"),
        ("id IS TRUE", "1:1", "a number is neither TRUE nor FALSE"),
        ("name LIKE uri", "1:11", "the pattern of LIKE is a text in quotes"),
        ("name LIKE 'a\\\\'", "1:11", "ends in a backslash"),
        ("id LIKE '1'", "1:1", "LIKE compares texts"),
        ("name LIKE '" + "x" * 5001 + "'", "1:11", "more than 5,000 characters"),
        ("EXISTS(select 1)", "1:15", "'1' does not fit"),
        ("sleep(name) = 'x'", "1:1", "there is no function sleep; there are LOWER, UPPER, LENGTH"),
        ("lowr(name) = 'x'", "1:1", "Did you mean 'LOWER'?"),
        ("lower(id) = 'x'", "1:7", "LOWER takes a text; this is a number"),
        ("properties.x = 1", "1:1", "a property is written properties.NAME.int_value|"),
        ("properties.x.int = 1", "1:1", "Did you mean 'int_value'"),
        ("contexts_a = 1", "1:1", "contexts_a is written with one of its fields"),
        ("name = 'it''s'", "1:12", r"Within a text a quote is written \'."),
        ("name = 'open", "1:8", "here begins a text that does not end"),
        ("`open = 1", "1:1", "here begins a name that does not end"),
        ("id = 1 /* open", "1:8", "here begins a comment that does not end"),
        ("name = '\\q'", "1:9", r"'\\q' is no escape sequence"),
        ("name = '\\ud800'", "1:8", "half of a surrogate pair"),
        ("name = 'a\\x00'", "1:8", "a text may hold no NUL"),
        ("id = 99999999999999999999", "1:6", "too large"),
        (f"id = {'9' * 400}", "1:6", "too large"),
        (f"id = {'9' * 5000}", "1:6", "too large"),
        ("id < 1e999", "1:6", "too large"),
        ("id = 1and 2 = 2", "1:6", "a space is missing"),
        ("id == 1", "1:5", "Equality is written =."),
        ("id = 1 && id = 2", "1:8", "write AND"),
        ("id = ?", "1:6", "write the value itself"),
        ("id = 1; DROP TABLE Type", "1:7", "a filter is one condition"),
        ("(" * 3 + "id = 1", "1:10", "the filter ends, where there may be )"),
    ],
)
def test_a_mistake_is_shown_where_it_is(text: str, place: str, said: str):
    with pytest.raises(FilterError) as caught:
        analyze(text, "artifact")
    message = str(caught.value)
    assert message.startswith(f"The filter fails at {place}: ")
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (r"'it\'s'", "it's"),
        (r'"say \"hi\""', 'say "hi"'),
        (r"'\a\b\f\n\r\t\v\\\?\`'", "\a\b\f\n\r\t\v\\?`"),
        (r"'\x41\101\u0042\U0001f600'", "AAB\U0001f600"),
        (r"r'\d\'", None),
        (r"r'\d'", r"\d"),
        ("'''it's\n\"so\"'''", 'it\'s\n"so"'),
        ("0x10", 16),
        ("007", 7),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e-3", 0.001),
        ("-9223372036854775808", -(2**63)),
        ("- - 2", 2),
        ("+2", 2),
        ("true", True),
        ("NuLl", None),
    ],
)
def test_values_are_what_zetasql_takes_them_for(written: str, value: object):
    if written == r"r'\d\'":
        with pytest.raises(FilterError, match="does not end"):
            parse(f"x = {written}")
    else:
        said = parse(f"x = {written}")
        assert said == Comparison("=", Name(("x",)), Literal(value))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a = 1 or b = 2 and c = 3", "a = 1 OR (b = 2 AND c = 3)"),
        ("not a = 1 and b = 2", "(NOT a = 1) AND b = 2"),
        ("a = 1 + 2 * -3", "a = (1 + (2 * (-3)))"),
        ("a between 1 and 2 and b", "(a BETWEEN 1 AND 2) AND b"),
        ("a = 1 -- b\n# c\n/* d */", "a = 1"),
        ("a.`b c`.d = 1", "`a`.`b c`.`d` = 1"),
        ("a <> 1", "a != 1"),
        ("custom_properties.0.int_value=1", "custom_properties.`0`.int_value = 1"),
        ("custom_properties.select.int_value=1", "custom_properties.`select`.int_value=1"),
    ],
)
def test_parts_belong_together_as_in_zetasql(text: str, same: str):
    assert parse(text) == parse(same)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 20_000 + "id = 1" + ")" * 20_000,
        "NOT " * 15_000 + "id = 1",
        "- " * 30_000 + "1 = id",
        "1 + " * 15_000 + "1 = id",
        "id = 1 OR NOT (" * 4_000 + "id = 1" + ")" * 4_000,
        "x" * 70_000,
        "lower(" * 10_000,
    ],
    ids=lambda text: f"{text[:12]}...",
)
def test_a_filter_of_any_depth_is_answered_or_refused(text: str):
    try:
        assert analyze(text, "artifact")
    except FilterError as error:
        assert len(str(error)) < 600  # noqa: PT017 - either may be


@pytest.mark.slow
def test_a_filter_as_long_as_allowed_is_answered(tmp_path: Path):
    store = ml.connect(filter_stores.made(tmp_path / "m.db"))
    numbers = ", ".join(map(str, range(9_000)))
    assert len(store.find_artifacts(f"id IN ({numbers})")) == 11
    texts = ", ".join(f"'{n}'" for n in range(7_000))
    assert len(store.find_artifacts(f"name IN ({texts}, 'A1')")) == 2
    several = " OR ".join(f"id = {n}" for n in range(5_000))
    assert len(store.find_artifacts(several)) == 11
    mixed = " AND ".join(f"(name = 'A{n}' OR contexts_c{n}.id = 1)" for n in range(1, 5))
    assert store.find_artifacts(mixed).index.tolist() == [1, 4]
    assert max(map(len, (numbers, texts, several, mixed))) < grammar.LONGEST


TOO_MANY = [
    # It multiplied all members of a context with each other, and did not end on the demo's store.
    (" + ".join(f"artifacts_{n}.id" for n in "abcdef") + " = -1", "compares 6 neighbours"),
    ("artifacts_a.id BETWEEN artifacts_b.id AND artifacts_c.id + artifacts_d.id", "1:16: this"),
    (
        "name = 'x' OR NOT artifacts_a.id IN (artifacts_b.id, executions_c.id, id, artifacts_d.id)",
        "4",
    ),
    (
        " AND ".join(f"artifacts_{a}.id < artifacts_{b}.id" for a, b in ("ab", "bc", "cd", "de")),
        "5",
    ),
    (" AND ".join(f"(name = 'A{n}' OR artifacts_a{n}.id = 1)" for n in range(1, 9)), "relates 8"),
    (" AND ".join(f"artifacts_a{n}.id IS NULL" for n in range(5)), "relates 5"),
    (" AND ".join(f"artifacts_a{n}.id = {n}" for n in range(49)), "mentions 49 neighbours"),
]


@pytest.mark.parametrize(("where", "told"), TOO_MANY)
def test_too_many_neighbours_at_once_are_refused_before_the_store_is_asked(where: str, told: str):
    with pytest.raises(FilterError, match=told):
        ml.connect("no such file.db").find_contexts(where)


def test_many_neighbours_that_stand_alone_are_answered(tmp_path: Path):
    store = ml.connect(filter_stores.made(tmp_path / "m.db"))
    alone = " AND ".join(f"artifacts_a{n}.id > 0" for n in range(40))
    assert len(store.find_contexts(alone)) == len(store.find_contexts("artifacts_a.id > 0")) > 0
    either = " OR ".join(f"artifacts_a{n}.id > 0" for n in range(30))
    assert len(store.find_contexts(either)) == len(store.find_contexts("artifacts_a.id > 0"))
    pair = "artifacts_a.id < artifacts_b.id AND executions_c.id < executions_d.id"
    assert len(store.find_contexts(pair)) > 0


@given(st.text(max_size=60) | st.text("()=<>!'\"`\\.,+-*/%_ aidnmNOTRLIKE\n019#", max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_text_is_a_filter_or_a_filter_error(text: str):
    try:
        analyze(text, "context")
    except FilterError as error:
        assert str(error).startswith("The filter ")  # noqa: PT017 - either may be


@pytest.mark.parametrize(
    "text",
    [
        "' OR 1=1 --",
        "'; DROP TABLE Artifact; --",
        '" OR ""="',
        "x\\' OR 1=1 #",
        "%s",
        "?",
        "$1",
        "\\",
        "{0}",
        "name",
        "t.id",
    ],
)
def test_no_text_becomes_part_of_a_statement(text: str, tmp_path: Path):
    path = filter_stores.made(tmp_path / "m.db")
    before = path.read_bytes()
    reader = ml.connect(path)._reader
    quoted = "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    name = "`" + text.replace("\\", "\\\\").replace("`", "\\`") + "`"
    for filter_ in (
        f"name = {quoted}",
        f"uri IN ({quoted}, {quoted})",
        f"contexts_a.name = {quoted}",
        f"custom_properties.{name}.string_value = 'x'",
        f"lower(name) = {quoted}",
    ):
        assert reader.ask(lambda session, f=filter_: find_ids(session, "artifact", f)) == []
    assert path.read_bytes() == before


def test_parentheses_are_counted_before_they_are_parsed():
    assert parse("(" * 400 + "id > 3" + ")" * 400) == parse("id > 3")
    with pytest.raises(FilterError, match="1:501: parentheses are nested deeper"):
        parse("(" * 60_000)
    parse("name = '" + "(" * 600 + "'")
