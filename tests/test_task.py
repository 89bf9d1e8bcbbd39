"""The DynamoDB item that carries a message, and its attribute values."""

from __future__ import annotations

from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.contract.message import Message
from chalicelib.contract.task import MAX_DEPTH, InvalidTask, from_attribute, is_task, to_attribute, to_fields, to_item

FIELDS = {
    "text": "Grüße",
    "disable_notification": True,
    "message_thread_id": 7,
    "reply_markup": {"inline_keyboard": [[{"text": "a", "url": "https://example.com"}]]},
}


def test_the_item_has_the_documented_format() -> None:
    made = to_item(
        {"text": "Hello world!"},
        partition_key="BOTTE_MESSAGE",
        sort_key="34sVCw69dftbK1MSWtRkv6T8vGp",
        sender_app="STREAM_TEST",
        expiration_ts=1762002142,
    )
    assert made == {
        "PK": {"S": "BOTTE_MESSAGE"},
        "SK": {"S": "34sVCw69dftbK1MSWtRkv6T8vGp"},
        "TaskId": {"S": "BOTTE_MESSAGE"},
        "SenderApp": {"S": "STREAM_TEST"},
        "Payload": {"M": {"text": {"S": "Hello world!"}}},
        "ExpirationTs": {"N": "1762002142"},
    }


def test_what_is_optional_is_left_out() -> None:
    assert set(to_item({"text": "a"}, partition_key="p", sort_key="s")) == {"PK", "SK", "TaskId", "Payload"}


def test_the_fields_come_back_from_the_item() -> None:
    assert to_fields(to_item(FIELDS, partition_key="p", sort_key="s")) == (FIELDS, ())


def test_the_sender_app_of_the_item_is_that_of_the_message_unless_it_has_its_own() -> None:
    item = to_item({"text": "a"}, partition_key="p", sort_key="s", sender_app="cron")
    assert to_fields(item) == ({"text": "a", "sender_app": "cron"}, ())
    item = to_item({"text": "a", "sender_app": "own"}, partition_key="p", sort_key="s", sender_app="cron")
    assert to_fields(item) == ({"text": "a", "sender_app": "own"}, ())


@pytest.mark.parametrize(
    ("item", "task"),
    [
        ({"TaskId": {"S": "BOTTE_MESSAGE"}}, True),
        ({"TaskId": {"S": "BOTTE_MESSAGE"}, "PK": {"S": "anything"}}, True),
        ({"TaskId": {"S": "OTHER"}, "PK": {"S": "BOTTE_MESSAGE"}}, False),
        ({"TaskId": {"S": ""}, "PK": {"S": "BOTTE_MESSAGE"}}, False),
        ({"TaskId": {"N": "1"}, "PK": {"S": "BOTTE_MESSAGE"}}, False),
        ({"TaskId": "BOTTE_MESSAGE"}, False),
        ({"PK": {"S": "BOTTE_MESSAGE"}}, True),
        ({"PK": {"S": "BOTTE_MESSAGE#"}}, True),
        ({"PK": {"S": "BOTTE_MESSAGE#a#b"}}, True),
        ({"PK": {"S": "BOTTE_MESSAGES"}}, False),
        ({"PK": {"S": "botte_message"}}, False),
        ({"PK": {"N": "1"}}, False),
        ({"PK": "BOTTE_MESSAGE"}, False),
        ({}, False),
    ],
)
def test_a_task_is_known_by_its_task_id_or_else_by_its_partition_key(item: dict[str, Any], task: bool) -> None:
    assert is_task(item) is task


@pytest.mark.parametrize(
    ("value", "attribute"),
    [
        ("", {"S": ""}),
        ("é", {"S": "é"}),
        (True, {"BOOL": True}),
        (False, {"BOOL": False}),
        (0, {"N": "0"}),
        (2**63, {"N": "9223372036854775808"}),
        (-1.5, {"N": "-1.5"}),
        (None, {"NULL": True}),
        ([], {"L": []}),
        ({}, {"M": {}}),
        ([1, {"a": [None]}], {"L": [{"N": "1"}, {"M": {"a": {"L": [{"NULL": True}]}}}]}),
    ],
)
def test_plain_values_and_attribute_values_stand_for_each_other(value: object, attribute: dict[str, object]) -> None:
    assert to_attribute(value) == attribute
    back = from_attribute(attribute, "x")
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    ("number", "value"),
    [("5", 5), ("5.0", 5), ("1E+2", 100), ("-0.5", -0.5), ("1762002142", 1762002142), ("1e-7", 1e-7)],
)
def test_the_numbers_of_dynamodb_are_read(number: str, value: float) -> None:
    read = from_attribute({"N": number}, "x")
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    "attribute",
    [
        pytest.param(None, id="null"),
        pytest.param("a", id="plain_string"),
        pytest.param([], id="list"),
        pytest.param({}, id="empty"),
        pytest.param({"S": "a", "N": "1"}, id="two_types"),
        pytest.param({"ZZ": 1}, id="unknown_type"),
        pytest.param({"S": 5}, id="S_not_a_string"),
        pytest.param({"S": None}, id="S_null"),
        pytest.param({"N": 5}, id="N_not_a_string"),
        pytest.param({"N": ""}, id="N_empty"),
        pytest.param({"N": "abc"}, id="N_abc"),
        pytest.param({"N": "NaN"}, id="N_NaN"),
        pytest.param({"N": "Infinity"}, id="N_Infinity"),
        pytest.param({"N": "1e999"}, id="N_1e999"),
        pytest.param({"N": "9" * 5000}, id="N_5000_digits"),
        pytest.param({"BOOL": "true"}, id="BOOL_string"),
        pytest.param({"BOOL": 1}, id="BOOL_number"),
        pytest.param({"B": "YQ=="}, id="binary"),
        pytest.param({"SS": ["a"]}, id="string_set"),
        pytest.param({"NS": ["1"]}, id="number_set"),
        pytest.param({"M": []}, id="M_list"),
        pytest.param({"L": {}}, id="L_map"),
        pytest.param({"L": [{"S": 1}]}, id="L_of_malformed"),
        pytest.param({"M": {"a": "b"}}, id="M_of_malformed"),
    ],
)
def test_a_malformed_attribute_value_is_an_error_that_names_it(attribute: object) -> None:
    with pytest.raises(InvalidTask) as caught:
        from_attribute(attribute, "Payload")
    assert caught.value.field.startswith("Payload")
    assert str(caught.value) == f"{caught.value.field}: {caught.value.reason}"


def test_the_place_of_a_malformed_value_is_told() -> None:
    attribute = {"M": {"inline_keyboard": {"L": [{"S": "a"}, {"SS": []}]}}}
    with pytest.raises(InvalidTask) as caught:
        from_attribute(attribute, "reply_markup")
    assert caught.value.field == "reply_markup.inline_keyboard[1]"


def test_a_field_that_json_has_no_word_for_is_left_out_and_told() -> None:
    """Binary, sets and what is nested too deeply cost their own field and no other."""
    deep: dict[str, Any] = {"S": "a"}
    for _ in range(MAX_DEPTH + 1):
        deep = {"L": [deep]}
    payload = {
        "text": {"S": "a"},
        "photo": {"B": "YQ=="},
        "x": {"SS": ["b"]},
        "y": 5,
        "id": deep,
        "chat": {"NULL": True},
    }
    fields, left_out = to_fields({"Payload": {"M": payload}, "SenderApp": {"NS": ["1"]}})
    assert fields == {"text": "a", "chat": None}
    assert sorted(left_out) == ["id", "photo", "sender_app", "x", "y"]


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        ({"S": '{"text": "a"}'}, '{"text": "a"}'),
        ({"N": "5"}, 5),
        ({"L": [{"S": "a"}]}, ["a"]),
        ({"NULL": True}, None),
    ],
)
def test_a_payload_that_is_no_map_comes_as_it_is(payload: dict[str, Any], value: object) -> None:
    assert to_fields({"Payload": payload, "SenderApp": {"S": "cron"}}) == (value, ())


@pytest.mark.parametrize("payload", [{"B": "YQ=="}, {"SS": ["a"]}, {"M": []}, {"S": 5}, "a", None, {}])
def test_a_payload_that_cannot_be_read_at_all_is_an_error(payload: object) -> None:
    with pytest.raises(InvalidTask, match="Payload: "):
        to_fields({"Payload": payload})


def test_an_item_without_a_payload_is_an_error() -> None:
    with pytest.raises(InvalidTask, match="Payload: is missing"):
        to_fields({"PK": {"S": "BOTTE_MESSAGE"}})


@pytest.mark.parametrize(("depth", "valid"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False), (500, False)])
def test_values_are_nested_as_deep_as_dynamodb_allows(depth: int, valid: bool) -> None:
    attribute: dict[str, Any] = {"S": "a"}
    for _ in range(depth):
        attribute = {"L": [attribute]}
    if valid:
        from_attribute(attribute, "x")
    else:
        with pytest.raises(InvalidTask, match="nested too deeply"):
            from_attribute(attribute, "x")


@pytest.mark.parametrize("value", [b"a", {1, 2}, object()])
def test_a_value_that_json_has_no_word_for_is_not_written(value: object) -> None:
    with pytest.raises(TypeError, match="no attribute value for"):
        to_attribute(value)


SCALARS = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text() | st.floats(allow_nan=False, width=32)
VALUES = st.recursive(
    SCALARS.filter(lambda value: value not in (float("inf"), float("-inf"))),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=15,
)


@settings(max_examples=100, deadline=None)
@given(VALUES)
def test_every_value_comes_back_from_its_attribute_value(value: object) -> None:
    assert from_attribute(to_attribute(value), "x") == value


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        SCALARS,
        lambda children: (
            st.lists(children, max_size=3)
            | st.dictionaries(st.sampled_from(["S", "N", "BOOL", "NULL", "M", "L", "SS", "B"]) | st.text(), children)
        ),
        max_leaves=10,
    )
)
def test_reading_anything_gives_a_value_or_invalid_task(attribute: object) -> None:
    try:
        from_attribute(attribute, "x")
        to_fields({"Payload": attribute, "SenderApp": attribute})
    except InvalidTask:
        pass


def test_boto3_writes_and_reads_the_same_attribute_values() -> None:
    attribute = to_attribute(FIELDS)
    assert TypeSerializer().serialize(FIELDS) == attribute
    assert TypeDeserializer().deserialize(attribute) == FIELDS


@pytest.mark.parametrize(
    "fields", [{"text": "a"}, FIELDS, {"photo": "https://example.com/a", "deliver_at": 1_800_000_000}]
)
def test_a_message_comes_back_from_its_item(fields: dict[str, object]) -> None:
    message = Message.from_fields(fields, now=1_800_000_000)
    item = to_item(message.to_fields(), partition_key="p", sort_key="s", sender_app="cron")
    again = Message.from_fields(to_fields(item)[0], now=1_800_000_000)
    assert again.to_fields() == {**fields, "sender_app": "cron"}
