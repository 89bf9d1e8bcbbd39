"""Rows of the outbox with any attribute of any type: reading one never raises, and none stops another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chalicelib.outbox import states
from chalicelib.outbox.row import Row
from chalicelib.outbox.table import Outbox
from chalicelib.relay import Relay
from tests.conftest import NewRelay
from tests.doors import Clock, Doors, Script, Table, owe

NAMES = (*states.ATTRIBUTES, "PK", "SK", "NotBefore", "Touched")
NUMBERS = st.sampled_from(["1.5", "-1", "1e999", "NaN", "9" * 400, "x", "", "0", "1E+38"])
LONG = st.sampled_from(["[", "9"]).map(lambda character: character * 5000)
STRINGS = st.text() | LONG | st.sampled_from(["{}", "[1]", "null", "PENDING", "SENDING"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | STRINGS | NUMBERS
ATTRIBUTES = st.recursive(
    st.fixed_dictionaries({}, optional={"S": SCALARS, "N": SCALARS, "BOOL": SCALARS, "NULL": SCALARS}),
    lambda children: st.fixed_dictionaries(
        {}, optional={"L": st.lists(children | SCALARS) | SCALARS, "M": st.dictionaries(st.text(), children) | SCALARS}
    ),
    max_leaves=5,
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES) | st.text(), ATTRIBUTES | SCALARS, max_size=8))
@example({"Attempts": {"N": 10**400}})
@example({"TelegramMessageId": {"N": "1.5"}})
@example({"TelegramMessageId": {"L": [{"N": "1.5"}, {"S": "x"}, 5, {"N": "1" * 400}]}})
@example({"Answer": {"S": "[" * 200_000}})
@example({"Message": {"S": "[" * 200_000}})
@example({"RawBody": {"S": '{"text": "x", "deliver_at": 1e999, "chat": 5}'}})
def test_reading_a_row_never_raises(item: dict[str, Any]) -> None:
    row = Row(item)
    for name in vars(Row):
        if isinstance(vars(Row)[name], property):
            getattr(row, name)
    assert row.is_over(0.0) in (True, False)
    json.dumps(row.progress.result)
    states.redrive(row, now=0.0)


# What DynamoDB itself takes for an attribute.
ANY = [
    {"S": "x"},
    {"N": "1.5"},
    {"N": "-1"},
    {"BOOL": True},
    {"NULL": True},
    {"B": b"x"},
    {"SS": ["x"]},
    {"L": [{"N": "1.5"}, {"S": "x"}]},
    {"M": {"S": {"S": "x"}}},
]
KEYS_OF_INDEXES = ("Chat", "DueTs", "Place")  # of which DynamoDB lets no other type in


def put_odd_rows(outbox: Outbox, table: Table, attribute: Mapping[str, Any]) -> list[str]:
    """Puts rows that are due, each with another attribute that is not as it should be, and gives their ids."""
    owe(outbox, "pattern", due=1.0)
    (pattern,) = table.items()
    names = [name for name in states.ATTRIBUTES if name not in KEYS_OF_INDEXES]
    for name in names:
        table.put({**pattern, "PK": {"S": f"BOTTE_MESSAGE#{name}"}, "SK": {"S": name}, name: attribute})
    return names


def cases(*more_marks: pytest.MarkDecorator) -> list[Any]:
    """Each attribute in memory, and the one with most in it in DynamoDB. more_marks: of the latter."""
    in_memory = pytest.mark.outbox("memory")
    each = [pytest.param(attribute, id=json.dumps(attribute, default=str)[:20], marks=in_memory) for attribute in ANY]
    return [*each, pytest.param({"L": [{"N": "1.5"}, {"B": b"x"}, {"M": {}}]}, id="in DynamoDB", marks=more_marks)]


@pytest.mark.parametrize("attribute", cases())
def test_the_state_of_any_row_can_be_asked_for(
    relay: Relay, outbox: Outbox, table: Table, attribute: Mapping[str, Any]
) -> None:
    for id in put_odd_rows(outbox, table, attribute):
        json.dumps(relay.status(id))


def test_whatever_a_row_holds_http_answers(doors: Doors, outbox: Outbox, table: Table) -> None:
    put_odd_rows(outbox, table, {"S": "[" * 100_000})
    assert {doors.get(f"/message/{id}").status_code for id in ("Answer", "Attempts", "TelegramMessageId")} == {200}


@pytest.mark.parametrize("attribute", cases(pytest.mark.slow))
def test_no_row_stops_another(
    new_relay: NewRelay, outbox: Outbox, table: Table, clock: Clock, attribute: Mapping[str, Any]
) -> None:
    put_odd_rows(outbox, table, attribute)
    owe(outbox, "healthy", due=clock())
    sender = Script(clock)
    new_relay(sender=sender).redeliver(deadline=clock() + 90)
    assert sender.texts[-1] == "healthy"
    assert table.row("healthy")["Status"] == "SENT"


def test_a_row_whose_message_cannot_be_read_is_parked_with_the_reason(
    relay: Relay, outbox: Outbox, table: Table, clock: Clock
) -> None:
    for number, message in enumerate(("{", "[]", '{"text": ""}', "[" * 100_000, '{"text": 5}', "")):
        owe(outbox, f"{number}", due=clock())
        row = next(row for row in table.items() if row["SK"]["S"] == f"{number}")
        table.put({**row, "Message": {"S": message}})
    relay.redeliver(deadline=clock() + 90)
    assert set(table.statuses().values()) == {"FAILED"}
    assert table.row("0")["LastError"].startswith("body: is not JSON")
