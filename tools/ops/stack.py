"""The CloudFormation stack of a stage: the tables, the queue if the stage wants it, alarms if the owner does."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from tools.ops.resources import read_template
from tools.ops.stage import AwsRefused, Stage, StageError
from tools.ops.tables import update_table
from tools.ops.unsent import check_queues, empty_queues, open_queue

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
        # A first creation that failed leaves a stack that can only be deleted. Its tables stay.
        check_queues(stage, *stage.queues)
        stack_down(stage)
        stack = None
    if stack is None:
        _run(stage, "create_stack", _parameters(stage, options, {}, _missing(stage)))
        return f"{stage.prefix} is made, {_extent(stage)}"
    before = _parameters_of(stack)
    owned = {parameter for parameter in _tables(stage) if before.get(parameter, "true") == "true"}
    missing = _missing(stage)
    if before.get("WithQueue") == "true" and not stage.queue_name:
        empty_queues(stage, stage.messages_queue, stage.dead_letter_queue)
    if gone := owned & missing:
        # Somebody deleted a table behind the stack's back: it lets go of it, and then makes a new one.
        _run(stage, "update_stack", _parameters(stage, options, before, owned - gone))
    changed = _run(stage, "update_stack", _parameters(stage, options, before, owned | missing))
    if stage.queue_name:
        open_queue(stage)  # a run that was to delete it, and was stopped, has closed it
    if gone:
        again = " and ".join(name for parameter, name in _tables(stage).items() if parameter in gone)
        return f"{stage.prefix} has made {again} again, {_extent(stage)}"
    return f"{stage.prefix} is {'changed' if changed else 'unchanged'}, {_extent(stage)}"


def stack_down(stage: Stage) -> None:
    """Deletes the stack; the tables stay."""
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


def standing_stack(stage: Stage) -> tuple[str, dict[str, str]] | None:
    """The template and the parameters of the stack, of its tables only those that are there; None if none stands."""
    stack = find_stack(stage)
    if stack is None or stack["StackStatus"] in _BROKEN:
        return None
    body = stage.call("cloudformation", "get_template", StackName=stage.prefix, TemplateStage="Original")
    return str(body["TemplateBody"]), {**_parameters_of(stack), **dict.fromkeys(_missing(stage), "false")}


def planned_parameters(stage: Stage, options: Mapping[str, str]) -> dict[str, str]:
    """The parameters that ``stack_up`` will give the stack."""
    stack, missing = find_stack(stage), _missing(stage)
    before = {} if stack is None or stack["StackStatus"] in _BROKEN else _parameters_of(stack)
    owned = {parameter for parameter in _tables(stage) if before and before.get(parameter, "true") == "true"}
    planned = _parameters(stage, options, before, owned | missing)
    return {each["ParameterKey"]: each["ParameterValue"] for each in planned}


def ensure_tables(stage: Stage, options: Mapping[str, str]) -> tuple[str, str]:
    """The ARN of the task table's stream, and a line on the tables.

    A table that was kept, or restored from a backup, has not all that the template says: it is brought up to date. One
    that the stack does not own gets its recovery here, too. options: as those of ``stack_up``. Raises StageError.
    """
    resources = read_template(template(stage))["Resources"]

    def bring_up_to_date(logical_id: str, name: str) -> str:
        changed = [*update_table(stage, name, resources[logical_id]["Properties"]), *_recovery(stage, name, options)]
        return ", ".join(["", *changed])

    tasks = bring_up_to_date("TaskTable", stage.task_table_name)
    outbox = bring_up_to_date("OutboxTable", stage.outbox_table_name)
    stream = stage.call("dynamodb", "describe_table", TableName=stage.task_table_name)["Table"]["LatestStreamArn"]
    label = stream.rpartition("/")[2]
    return stream, f"{stage.task_table_name}, stream {label}{tasks}; {stage.outbox_table_name}{outbox}"


def _recovery(stage: Stage, table: str, options: Mapping[str, str]) -> Iterator[str]:
    """Gives a table point-in-time recovery as the stack says; what had to be changed."""
    wanted = stack_parameters(stage).get("WithRecovery") == "true"
    backups = stage.call("dynamodb", "describe_continuous_backups", TableName=table)
    found = backups["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    on = found.get("PointInTimeRecoveryStatus") == "ENABLED"
    if on != wanted and (wanted or "WithRecovery" in options):  # off only if that was asked for
        recovery = {"PointInTimeRecoveryEnabled": wanted}
        stage.call("dynamodb", "update_continuous_backups", TableName=table, PointInTimeRecoverySpecification=recovery)
        yield f"its point-in-time recovery is switched {'on' if wanted else 'off'}"


def _tables(stage: Stage) -> dict[str, str]:
    """The tables by the parameters of the template that say whether they belong to the stack."""
    return {"WithTaskTable": stage.task_table_name, "WithOutboxTable": stage.outbox_table_name}


def _missing(stage: Stage) -> set[str]:
    """The parameters of the tables that are not there."""
    return {parameter for parameter, table in _tables(stage).items() if not _table_exists(stage, table)}


def _parameters(
    stage: Stage, options: Mapping[str, str], before: Mapping[str, str], tables: set[str]
) -> list[dict[str, str]]:
    """tables: the parameters of those that the stack has to have."""
    values = {
        **before,
        **options,
        "Stage": stage.name,
        "WithQueue": "true" if stage.queue_name else "false",
        **{parameter: "true" if parameter in tables else "false" for parameter in _tables(stage)},
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


def _table_exists(stage: Stage, table: str) -> bool:
    answer = stage.find("dynamodb", "describe_table", TableName=table)
    if answer is not None and answer["Table"]["TableStatus"] == "DELETING":
        stage.wait("dynamodb", "table_not_exists", TableName=table)
        return False
    return answer is not None


def _extent(stage: Stage) -> str:
    return "with the queue" if stage.queue_name else "without a queue"
