"""The filter of the stream lets through what the app would take, and as little else as it can say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.records import from_stream
from tools.ops.mappings import PATTERNS
from tools.rehearsal.filters import passes

CRITERIA = {"Filters": [{"Pattern": json.dumps(pattern)} for pattern in PATTERNS]}
values = st.sampled_from(
    [None, {"S": "BOTTE_MESSAGE"}, {"S": "BOTTE_ID"}, {"S": "BOTTE_MESSAGE#x"}, {"S": ""}, {"N": "1"}, {"NULL": True}]
)


def record(event: str, partition: str, attributes: dict[str, Any]) -> dict[str, Any]:
    keys = {"PK": {"S": partition}, "SK": {"S": "1"}}
    return {"eventName": event, "dynamodb": {"Keys": keys, "NewImage": {**keys, **attributes}}}


@given(
    event=st.sampled_from(["INSERT", "MODIFY", "REMOVE"]),
    partition=st.sampled_from(["BOTTE_MESSAGE", "BOTTE_MESSAGE#a", "BOTTE_MESSAGES", "OTHER"]),
    task_id=values,
    status=st.sampled_from([None, {"S": "SENDING"}]),
)
def test_what_the_app_takes_passes(event: str, partition: str, task_id: Any, status: Any) -> None:
    attributes = {name: value for name, value in (("TaskId", task_id), ("Status", status)) if value is not None}
    made = record(event, partition, attributes)
    taken = bool(list(from_stream([made], lambda key: None)))
    if taken:
        assert passes(made, CRITERIA)
    # A pattern cannot tell an attribute of another type from one that is not there; the app sorts those out.
    if passes(made, CRITERIA) and "S" in (task_id or {"S": ""}):
        assert taken


@pytest.mark.parametrize(
    ("event", "attributes"),
    [
        ("INSERT", {"TaskId": {"S": "BOTTE_MESSAGE"}, "Status": {"S": "PENDING"}}),
        ("INSERT", {"TaskId": {"S": "BOTTE_ID"}}),
        ("MODIFY", {"TaskId": {"S": "BOTTE_MESSAGE"}, "Status": {"S": "SENT"}}),
        ("REMOVE", {"TaskId": {"S": "BOTTE_MESSAGE"}}),
    ],
)
def test_what_the_relay_itself_writes_starts_no_function(event: str, attributes: dict[str, Any]) -> None:
    assert not passes(record(event, "BOTTE_MESSAGE#a", attributes), CRITERIA)


def test_a_mapping_without_a_filter_lets_everything_through() -> None:
    assert passes({"eventName": "REMOVE"}, None)
    assert passes({"eventName": "REMOVE"}, {"Filters": []})
