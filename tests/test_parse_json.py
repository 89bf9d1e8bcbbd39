"""JSON is read strictly: what has two meanings, or none, is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.contract.message import MAX_BODY_BYTES, InvalidMessage, parse_json


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        (b'{"a": "\xc3\xa9"}', {"a": "é"}),
        (' \t\r\n[1, -2.5e3, true, null, "\\u00e9"] ', [1, -2500.0, True, None, "é"]),
        ("0", 0),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ('{"a": {"a": 1}, "b": {"a": 2}}', {"a": {"a": 1}, "b": {"a": 2}}),
        ("\ufeff{}", {}),
        ("\ufeff 5".encode(), 5),
        ("[" * 256 + "]" * 256, None),
    ],
)
def test_json_is_read(body: bytes | str, value: object) -> None:
    assert value is None or parse_json(body) == value


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param("", "body", id="empty"),
        pytest.param(b" \r\n", "body", id="blank"),
        pytest.param("{", "body", id="cut"),
        pytest.param('{"a": 1}x', "body", id="trailing"),
        pytest.param("{} {}", "body", id="two_values"),
        pytest.param("{'a': 1}", "body", id="single_quotes"),
        pytest.param('{"a": 1,}', "body", id="trailing_comma"),
        pytest.param('{"a": 01}', "body", id="leading_zero"),
        pytest.param('{"a": +1}', "body", id="plus"),
        pytest.param('{"a": .5}', "body", id="no_leading_digit"),
        pytest.param('{"a": 0x10}', "body", id="hexadecimal"),
        pytest.param("NaN", "body", id="NaN"),
        pytest.param("Infinity", "body", id="Infinity"),
        pytest.param('{"a": [-Infinity]}', "body", id="minus_Infinity"),
        pytest.param('{"a": 1e999}', "body", id="1e999"),
        pytest.param('{"a": -1e999}', "body", id="minus_1e999"),
        pytest.param("9" * 5000, "body", id="int_5000_digits"),
        pytest.param("[" * 257 + "]" * 257, "body", id="deep_257"),
        pytest.param('{"a":' * 256 + "[]" + "}" * 256, "body", id="deep_257_objects"),
        pytest.param("[" * 100_000, "body", id="deep_100k"),
        pytest.param('{"a":' * 40_000, "body", id="deep_objects"),
        pytest.param("\ufeff\ufeff{}", "body", id="bom_twice"),
        pytest.param("\ufeff", "body", id="bom_alone"),
        pytest.param(b'"\xff"', "body", id="not_utf8"),
        pytest.param(b'"\xed\xa0\x80"', "body", id="encoded_surrogate"),
        pytest.param("{}".encode("utf-16"), "body", id="utf16"),
        pytest.param('"a\nb"', "body", id="newline_in_string"),
        pytest.param('"\\x41"', "body", id="bad_escape"),
        pytest.param('"\x00"', "body", id="nul_in_string"),
        pytest.param('{"a": 1, "a": 1}', "a", id="key_twice"),
        pytest.param('{"b": {"a": 1, "\\u0061": 2}}', "a", id="key_twice_inside"),
        pytest.param('"' + "é" * (MAX_BODY_BYTES // 2) + '"', "body", id="too_large_in_bytes"),
        pytest.param(b" " * (MAX_BODY_BYTES + 1), "body", id="too_large"),
        pytest.param("\u00a0{}", "body", id="no_break_space"),
        pytest.param('"\ud800', "body", id="surrogate_in_str"),
    ],
)
def test_what_is_not_strictly_json_is_refused(body: bytes | str, field: str) -> None:
    with pytest.raises(InvalidMessage) as caught:
        parse_json(body)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            '{"text": "a\nb"}',
            "a line break or a control character in a string, at character 11; write a line break as \\n",
        ),
        ("{'text': 1}", "Expecting property name enclosed in double quotes at character 1"),
        ('"\\x"', "Invalid \\escape at character 1"),
        ("9" * 5000, "bad number"),
    ],
)
def test_what_is_wrong_with_json_is_said_once_and_in_words_for_its_writer(body: str, words: str) -> None:
    """Python's own words say where it is twice over, and not what to do about it."""
    with pytest.raises(InvalidMessage) as caught:
        parse_json(body)
    assert str(caught.value) == f"body: is not JSON: {words}"


@pytest.mark.timeout(5)  # a search that grows with the square of the keys takes 20 s
def test_a_body_of_the_greatest_size_is_read_in_no_time_whatever_is_in_it() -> None:
    keys = ",".join(f'"{number:04x}":1' for number in range(26_000))
    with pytest.raises(InvalidMessage, match="658f: is given twice"):
        parse_json("{" + keys + ',"658f":1}')
    assert parse_json(b"{}" + b" " * (MAX_BODY_BYTES - 2)) == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=40) | st.text(max_size=40) | JSON.map(json.dumps))
def test_parsing_anything_gives_a_value_or_invalid_message(body: bytes | str) -> None:
    try:
        value = parse_json(body)
    except InvalidMessage:
        return
    assert json.loads(body.removeprefix("\ufeff") if isinstance(body, str) else body) == value
