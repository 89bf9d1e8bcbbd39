"""The stack is made whatever a run before has left: states of CloudFormation that moto never shows."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tools.ops.stack import stack_up
from tools.ops.stage import AwsRefused, Stage, StageError


class ScriptedStage(Stage):
    """A stage whose stack is in one state after the other, each time it is asked for; None: there is none."""

    def __init__(self, *states: str | None, table: str | None = "ACTIVE") -> None:
        super().__init__("prod")
        self.states = list(states)
        self.table = table
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
            if self.table is None:
                raise _refused(operation, "ResourceNotFoundException", "Requested resource not found")
            return {"Table": {"TableStatus": self.table}}
        self.done.append(operation)
        given: Any = arguments.get("Parameters", [])
        self.done += [f"WithTable={each['ParameterValue']}" for each in given if each["ParameterKey"] == "WithTable"]
        return {}

    def wait(self, service: str, waiter: str, **arguments: object) -> None:
        self.done.append(waiter)


def _refused(operation: str, code: str, message: str) -> AwsRefused:
    return AwsRefused(operation, ClientError({"Error": {"Code": code, "Message": message}}, operation))


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.ops.stack._POLL_SECONDS", 0.0)


@pytest.mark.parametrize("state", ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"])
def test_a_stack_that_a_stopped_run_left_at_work_is_waited_for(state: str) -> None:
    stage = ScriptedStage(state, state, "CREATE_COMPLETE", "UPDATE_COMPLETE")
    assert stack_up(stage, {}) == "botte-prod is changed, without a queue"
    assert stage.done == ["update_stack", "WithTable=true"]


@pytest.mark.parametrize("state", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS"])
def test_a_stack_that_cannot_be_changed_is_made_anew_and_its_table_is_kept(state: str) -> None:
    stage = ScriptedStage(state, state, "DELETE_IN_PROGRESS", None, "CREATE_COMPLETE")
    assert stack_up(stage, {}) == "botte-prod is made, without a queue"
    assert stage.done == ["delete_stack", "create_stack", "WithTable=false"]


def test_a_table_that_is_being_deleted_is_made_again() -> None:
    stage = ScriptedStage(None, "CREATE_COMPLETE", table="DELETING")
    assert stack_up(stage, {}) == "botte-prod is made, without a queue"
    assert stage.done == ["table_not_exists", "create_stack", "WithTable=true"]


def test_a_stack_that_fails_is_told_with_its_state() -> None:
    with pytest.raises(StageError, match="the stack botte-prod is UPDATE_ROLLBACK_COMPLETE: see its events"):
        stack_up(ScriptedStage("CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"), {})
