"""The CloudFormation stack of a stage: the table, the queue if the stage wants it, alarms if the owner does."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from tools.ops.stage import AwsRefused, Stage, StageError

_POLL_SECONDS = 3.0
_WAIT_SECONDS = 900.0
_BROKEN = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS")


def template(stage: Stage) -> str:
    return (stage.root / ".chalice" / "resources.yaml").read_text()


def stack_up(stage: Stage, options: Mapping[str, str]) -> str:
    """Makes the stack what the template says; how it is now, in a line.

    options: further parameters of the template; those that are not given stay as they are. Raises StageError.
    """
    stack = _settled(stage)  # a run that was stopped may have left it at work
    if stack is not None and stack["StackStatus"] in _BROKEN:
        # A first creation that failed leaves a stack that can only be deleted. The table would have stayed.
        stack_down(stage)
        stack = None
    if stack is None:
        parameters = _parameters(stage, options, {}, with_table=not _table_exists(stage))
        _run(stage, "create_stack", parameters)
        return f"{stage.prefix} is made, {_extent(stage)}"
    before = _parameters_of(stack)
    owned = before.get("WithTable", "true") == "true"
    if owned and not _table_exists(stage):
        # Somebody deleted the table behind the stack's back: it lets go of it, and then makes a new one.
        _run(stage, "update_stack", _parameters(stage, options, before, with_table=False))
        _run(stage, "update_stack", _parameters(stage, options, before, with_table=True))
        return f"{stage.prefix} has made its table again, {_extent(stage)}"
    with_table = owned or not _table_exists(stage)
    changed = _run(stage, "update_stack", _parameters(stage, options, before, with_table=with_table))
    return f"{stage.prefix} is {'changed' if changed else 'unchanged'}, {_extent(stage)}"


def stack_down(stage: Stage) -> None:
    """Deletes the stack; the table stays."""
    if find_stack(stage) is None:
        return
    stage.call("cloudformation", "delete_stack", StackName=stage.prefix)
    _wait(stage, "DELETE_COMPLETE")


def find_stack(stage: Stage) -> Any:
    """The stack as CloudFormation describes it; None if there is none."""
    try:
        return stage.call("cloudformation", "describe_stacks", StackName=stage.prefix)["Stacks"][0]
    except AwsRefused as error:
        if "does not exist" in error.reason:
            return None
        raise


def stack_parameters(stage: Stage) -> dict[str, str]:
    """The parameters that the stack has now; none if there is no stack."""
    stack = find_stack(stage)
    return _parameters_of(stack) if stack else {}


def ensure_table(stage: Stage, options: Mapping[str, str]) -> tuple[str, str]:
    """The ARN of the table's stream, and a line on the table.

    A table that was restored from a backup has neither stream nor TTL: they are switched on again. One that the stack
    does not own gets its recovery here, too. options: as those of ``stack_up``. Raises StageError.
    """
    told = []
    table = stage.call("dynamodb", "describe_table", TableName=stage.table_name)["Table"]
    if not table.get("StreamSpecification", {}).get("StreamEnabled"):
        stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
        stage.call("dynamodb", "update_table", TableName=stage.table_name, StreamSpecification=stream)
        stage.wait("dynamodb", "table_exists", TableName=stage.table_name)
        table = stage.call("dynamodb", "describe_table", TableName=stage.table_name)["Table"]
        told.append("its stream is switched on")
    ttl = stage.call("dynamodb", "describe_time_to_live", TableName=stage.table_name)["TimeToLiveDescription"]
    if ttl.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING"):
        setting = {"Enabled": True, "AttributeName": "ExpirationTs"}
        stage.call("dynamodb", "update_time_to_live", TableName=stage.table_name, TimeToLiveSpecification=setting)
        told.append("its time to live is switched on")
    if recovery := _ensure_recovery(stage, options):
        told.append(recovery)
    label = table["LatestStreamArn"].rpartition("/")[2]
    return table["LatestStreamArn"], ", ".join([f"{stage.table_name}, stream {label}", *told])


def _ensure_recovery(stage: Stage, options: Mapping[str, str]) -> str | None:
    """Switches point-in-time recovery as the stack says; off only if that was asked for. A line if it was changed."""
    wanted = stack_parameters(stage).get("WithRecovery") == "true"
    backups = stage.call("dynamodb", "describe_continuous_backups", TableName=stage.table_name)
    found = backups["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    on = found.get("PointInTimeRecoveryStatus") == "ENABLED"
    if on == wanted or (on and "WithRecovery" not in options):
        return None
    setting = {"PointInTimeRecoveryEnabled": wanted}
    arguments = {"TableName": stage.table_name, "PointInTimeRecoverySpecification": setting}
    stage.call("dynamodb", "update_continuous_backups", **arguments)
    return f"its point-in-time recovery is switched {'on' if wanted else 'off'}"


def _parameters(
    stage: Stage, options: Mapping[str, str], before: Mapping[str, str], *, with_table: bool
) -> list[dict[str, str]]:
    values = {
        **before,
        **options,
        "Stage": stage.name,
        "WithQueue": "true" if stage.queue_name else "false",
        "WithTable": "true" if with_table else "false",
    }
    return [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]


def _run(stage: Stage, operation: str, parameters: list[dict[str, str]]) -> bool:
    """Creates or updates the stack, and waits; whether there was anything to do."""
    try:
        stage.call(
            "cloudformation", operation, StackName=stage.prefix, TemplateBody=template(stage), Parameters=parameters
        )
    except AwsRefused as error:
        if "No updates are to be performed" in error.reason:
            return False
        raise
    _wait(stage, "CREATE_COMPLETE", "UPDATE_COMPLETE")
    return True


def _wait(stage: Stage, *wanted: str) -> None:
    stack = _settled(stage)
    status = stack["StackStatus"] if stack else "DELETE_COMPLETE"
    if status not in wanted:
        raise StageError(f"the stack {stage.prefix} is {status}: {_reason(stage)}")


def _settled(stage: Stage) -> Any:
    """The stack once nothing is at work on it; None if there is none. Raises StageError if that takes too long."""
    ends = time.monotonic() + _WAIT_SECONDS
    while True:
        stack = find_stack(stage)
        status = stack["StackStatus"] if stack else ""
        if not status.endswith("IN_PROGRESS") or status in _BROKEN:
            return stack
        if time.monotonic() > ends:
            raise StageError(f"the stack {stage.prefix} has been {status} for {_WAIT_SECONDS / 60:.0f} minutes")
        time.sleep(_POLL_SECONDS)


def _parameters_of(stack: Any) -> dict[str, str]:
    return {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])}


def _reason(stage: Stage) -> str:
    """Why the stack failed: the first failure of its last operation."""
    events = stage.call("cloudformation", "describe_stack_events", StackName=stage.prefix)["StackEvents"]
    reasons = [
        f"{each['LogicalResourceId']}: {each.get('ResourceStatusReason', '')}"
        for each in events
        if each["ResourceStatus"].endswith("FAILED")
    ]
    return reasons[-1] if reasons else "see its events in the CloudFormation console"


def _table_exists(stage: Stage) -> bool:
    answer = stage.find("dynamodb", "describe_table", TableName=stage.table_name)
    if answer is not None and answer["Table"]["TableStatus"] == "DELETING":
        stage.wait("dynamodb", "table_not_exists", TableName=stage.table_name)
        return False
    return answer is not None


def _extent(stage: Stage) -> str:
    return "with the queue" if stage.queue_name else "without a queue"
