"""The stack is made whatever a run before has left: states of CloudFormation that moto never shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tools.ops.stack import stack_up
from tools.ops.stage import AwsRefused, Stage, StageError


class ScriptedStage(Stage):
    """A stage whose stack is in one state after the other, each time it is asked for; None: there is none.

    tasks, outbox: the states of its tables. queues: how many messages each holds, as SQS counts them. uncounted: a
    queue with one more. ``done`` has what was called, and the tables that a call gave the stack.
    """

    def __init__(
        self,
        *states: str | None,
        tasks: str | None = "ACTIVE",
        outbox: str | None = "ACTIVE",
        queues: Mapping[str, int] | None = None,
        uncounted: str | None = None,
    ) -> None:
        super().__init__("prod")
        self.messages, self.uncounted = dict(queues or {}), uncounted
        self.states = list(states)
        self.tables = {"botte-prod-tasks": tasks, "botte-prod-outbox": outbox}
        self.done: list[str] = []

    def call(self, service: str, operation: str, **arguments: object) -> Any:
        if operation == "describe_stacks":
            state = self.states.pop(0)
            if state is None:
                raise _refused(operation, "ValidationError", "Stack with id botte-prod does not exist")
            return {"Stacks": [{"StackStatus": state}]}
        if operation == "describe_stack_events":
            return {"StackEvents": []}
        if operation == "describe_table":
            status = self.tables[str(arguments["TableName"])]
            if status is None:
                raise _refused(operation, "ResourceNotFoundException", "Requested resource not found")
            return {"Table": {"TableStatus": status}}
        if operation == "get_queue_url":
            if arguments["QueueName"] not in self.messages:
                raise _refused(operation, "QueueDoesNotExist", "The specified queue does not exist.")
            return {"QueueUrl": arguments["QueueName"]}
        if operation == "get_queue_attributes":
            return {"Attributes": {"ApproximateNumberOfMessages": str(self.messages[str(arguments["QueueUrl"])])}}
        if operation == "receive_message":
            return {"Messages": [{}]} if arguments["QueueUrl"] == self.uncounted else {}
        given: Any = arguments.get("Parameters", [])
        tables = [name for name in TABLES if {"ParameterKey": name, "ParameterValue": "true"} in given]
        self.done.append(" ".join([operation, *tables]))
        return {}

    def wait(self, service: str, waiter: str, **arguments: object) -> None:
        self.done.append(waiter)


TABLES = ("WithTaskTable", "WithOutboxTable")
BOTH = " ".join(TABLES)


def _refused(operation: str, code: str, message: str) -> AwsRefused:
    return AwsRefused(operation, ClientError({"Error": {"Code": code, "Message": message}}, operation))


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.ops.stack._POLL_SECONDS", 0.0)


@pytest.mark.parametrize("state", ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"])
def test_a_stack_that_a_stopped_run_left_at_work_is_waited_for(state: str) -> None:
    stage = ScriptedStage(state, state, "CREATE_COMPLETE", "UPDATE_COMPLETE")
    assert stack_up(stage, {}) == "botte-prod is changed, without a queue"
    assert stage.done == [f"update_stack {BOTH}"]


@pytest.mark.parametrize("state", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS"])
def test_a_stack_that_cannot_be_changed_is_made_anew_and_its_tables_are_kept(state: str) -> None:
    stage = ScriptedStage(state, state, "DELETE_IN_PROGRESS", None, "CREATE_COMPLETE")
    assert stack_up(stage, {}) == "botte-prod is made, without a queue"
    assert stage.done == ["delete_stack", "create_stack"]


def test_a_stack_that_cannot_be_changed_keeps_its_queue_while_there_is_a_message_in_it() -> None:
    stage = ScriptedStage("DELETE_FAILED", queues={"botte-prod-failures": 2})
    with pytest.raises(
        StageError, match=r"messages would be deleted: 2 in botte-prod-failures\. make redrive STAGE=prod"
    ):
        stack_up(stage, {})
    assert stage.done == []


def test_a_message_that_sqs_does_not_count_yet_is_found_by_looking() -> None:
    stage = ScriptedStage("DELETE_FAILED", queues={"botte-prod-failures": 0}, uncounted="botte-prod-failures")
    with pytest.raises(StageError, match=r"messages would be deleted: 1 in botte-prod-failures\."):
        stack_up(stage, {})
    assert stage.done == []


def test_a_table_that_is_being_deleted_is_made_again() -> None:
    stage = ScriptedStage(None, "CREATE_COMPLETE", tasks="DELETING")
    assert stack_up(stage, {}) == "botte-prod is made, without a queue"
    assert stage.done == ["table_not_exists", "create_stack WithTaskTable"]


@pytest.mark.parametrize(
    ("gone", "kept", "told"),
    [
        ({"tasks": None}, "WithOutboxTable", "botte-prod-tasks"),
        ({"outbox": None}, "WithTaskTable", "botte-prod-outbox"),
        ({"tasks": None, "outbox": None}, "", "botte-prod-tasks and botte-prod-outbox"),
    ],
)
def test_a_stack_lets_go_of_a_table_that_was_deleted_and_makes_it_again(
    gone: dict[str, None], kept: str, told: str
) -> None:
    stage = ScriptedStage("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE", **gone)
    assert stack_up(stage, {}) == f"botte-prod has made {told} again, without a queue"
    assert stage.done == [f"update_stack {kept}".strip(), f"update_stack {BOTH}"]


def test_a_stack_that_fails_is_told_with_its_state() -> None:
    with pytest.raises(StageError, match="the stack botte-prod is UPDATE_ROLLBACK_COMPLETE: see its events"):
        stack_up(ScriptedStage("CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"), {})
