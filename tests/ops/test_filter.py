"""The filter of the stream lets through what asks for a message, and as little else as it can say."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.contract.task import is_task
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
    status=st.sampled_from([None, {"S": "SENT"}]),
)
def test_what_asks_for_a_message_passes_whatever_else_it_holds(
    event: str, partition: str, task_id: Any, status: Any
) -> None:
    attributes = {name: value for name, value in (("TaskId", task_id), ("Status", status)) if value is not None}
    made = record(event, partition, attributes)
    taken = event != "REMOVE" and is_task(made["dynamodb"]["NewImage"])
    if taken:
        assert passes(made, CRITERIA)
    # A pattern cannot tell an attribute of another type from one that is not there; the app sorts those out.
    if passes(made, CRITERIA) and "S" in (task_id or {"S": ""}):
        assert taken


def test_the_relays_own_deletes_start_no_function() -> None:
    keys = {"PK": {"S": "BOTTE_MESSAGE"}, "SK": {"S": "1"}}
    assert not passes({"eventName": "REMOVE", "dynamodb": {"Keys": keys}}, CRITERIA)


def test_a_mapping_without_a_filter_lets_everything_through() -> None:
    assert passes({"eventName": "REMOVE"}, None)
    assert passes({"eventName": "REMOVE"}, {"Filters": []})
