"""The reader of menus' JSON reads what Python's reads, refuses what is none, and knows where each value stood."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orders.located_json import DEEPEST, Location, NotJson, read

texts = st.text(st.characters(codec="utf-8"), max_size=8)
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.integers(-999, 999).map(lambda n: n / 8)
    | texts
)  # fmt: skip
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)


def places(value: Any, at: Location = ()) -> list[tuple[Location, Any]]:
    """Every value of a document, with the way to it."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(at, value)] + [found for key, inner in members for found in places(inner, (*at, key))]


def strictly(text: str) -> Any:
    """Python's own reader, without what it takes beyond RFC 8259."""

    def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("twice")
        return dict(pairs)

    def none(name: str) -> Any:
        raise ValueError(name)

    value = json.loads(text, parse_constant=none, object_pairs_hook=each_once)
    json.dumps(value, ensure_ascii=False).encode()
    return value


@given(values, st.sampled_from([None, 0, 1, 4]), st.booleans())
def test_what_is_written_is_read_back_with_each_value_where_it_stands(
    value: Any, indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    document = read(text)
    assert document.value == value
    assert repr(document.value) == repr(value) or any(isinstance(v, float) for _, v in places(value))
    for location, inner in places(value):
        begins = document.begins[location]
        stands, end = json.JSONDecoder().raw_decode(text, begins)
        if location and isinstance(location[-1], str):
            # A member begins with its name; behind that and a colon stands the value.
            assert stands == location[-1]
            begins = end + len(text[end:]) - len(text[end:].lstrip()) + 1
            stands, _ = json.JSONDecoder().raw_decode(text[begins:].lstrip())
        assert stands == inner
        assert document.line(location) == text[: document.begins[location]].count("\n") + 1


@given(values, st.data())
def test_what_is_spoilt_is_refused_by_both_readers_or_by_none(value: Any, data: st.DataObject) -> None:
    text = json.dumps(value, indent=data.draw(st.sampled_from([None, 1])))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(st.sampled_from([*'"{}[]:,\\ \n01.e-+', "", "u", "NaN"])) + text[at + 1 :]
    try:
        expected = strictly(text)
    except ValueError:
        with pytest.raises(NotJson) as refused:
            read(text)
        assert 1 <= refused.value.line <= text.count("\n") + 1
        return
    try:
        assert read(text).value == expected
    except NotJson as refused:
        assert "number" in refused.reason  # longer than any price


@pytest.mark.parametrize(
    ("text", "line", "location", "reason"),
    [
        ("", 1, (), "a value is expected here"),
        ("\n\nNaN", 3, (), "a value is expected here"),
        ('{"a": Infinity}', 1, ("a",), "a value is expected here"),
        ('{"a": 1,\n "b": 2,\n "a": 3}', 3, ("a",), "this name stands twice in one object"),
        ('{"a": [1,\n 2,\n]}', 3, ("a", 2), "a value is expected here"),
        ('{"a": 1\n "b": 2}', 2, (), "a comma or } is expected here"),
        ("[1 2]", 1, (), "a comma or ] is expected here"),
        ('{"a"\n 1}', 2, ("a",), "a colon is expected here"),
        ("{a: 1}", 1, (), 'a name in "quotes" is expected here'),
        ('{"a": 1,}', 1, (), 'a name in "quotes" is expected here'),
        ("{}\n{}", 2, (), "something follows the end of the document"),
        ('["\n"]', 1, (0,), "a text that does not end, or holds a control character or an unknown escape"),
        (r'["\x"]', 1, (0,), "a text that does not end, or holds a control character or an unknown escape"),
        (r'["\ud800"]', 1, (0,), "half of a character: a lone surrogate"),
        ("1" * 5000, 1, (), "a number of more than 20 characters"),
        ("1e400", 1, (), "a number that is too large"),
        ("01", 1, (), "something follows the end of the document"),
    ],
)
def test_what_is_no_json_is_refused_with_its_line_and_its_place(
    text: str, line: int, location: Location, reason: str
) -> None:
    with pytest.raises(NotJson) as refused:
        read(text)
    assert (refused.value.line, refused.value.location, refused.value.reason) == (line, location, reason)


def test_it_nests_so_deep_and_no_deeper() -> None:
    assert read("[" * DEEPEST + "1" + "]" * DEEPEST).value
    with pytest.raises(NotJson, match="nested more than 16 deep"):
        read("[" * 100_000)


def test_a_whole_number_is_one_however_it_is_written() -> None:
    assert [repr(value) for value in read("[2, 2.0, 2e0, 2.5]").value] == ["2", "2", "2", "2.5"]


@pytest.mark.parametrize(
    ("location", "line"), [((), 1), (("a",), 2), (("a", 0), 3), (("a", 0, "missing"), 3), (("none",), 1)]
)
def test_what_is_missing_is_looked_for_around_it(location: Location, line: int) -> None:
    assert read('{\n"a": [\n{}]}').line(location) == line
