"""The event source mappings: what Chalice cannot set on them, and those that it forgets."""

from __future__ import annotations

import json
import time
from typing import Any

from chalicelib.contract.task import GROUP_PREFIX, TASK_ID
from tools.ops.deployed import find_mappings
from tools.ops.stage import AwsRefused, Stage, StageError

_POLL_SECONDS = 2.0
_WAIT_SECONDS = 180.0

# Each lets items through that ask for a message, put there or changed (``chalicelib.contract.task.is_task``). The
# relay's own deletes, and those of the time to live, would start the function for nothing.
_PUT = {"eventName": ["INSERT", "MODIFY"]}
PATTERNS: list[dict[str, Any]] = [
    {**_PUT, "dynamodb": {"NewImage": {"TaskId": {"S": [TASK_ID]}}}},
    {
        **_PUT,
        "dynamodb": {
            "Keys": {"PK": {"S": [TASK_ID, {"prefix": GROUP_PREFIX}]}},
            "NewImage": {"TaskId": {"S": [{"exists": False}]}},
        },
    },
]


def queue_arn(stage: Stage, name: str) -> str:
    return arn(stage, "sqs", name)


def arn(stage: Stage, service: str, name: str) -> str:
    """Of something that is called so, in the stage's account and region, of any partition."""
    account = stage.call("sts", "get_caller_identity")["Account"]
    return f"arn:{stage.client(service).meta.partition}:{service}:{stage.region}:{account}:{name}"


def stream_settings(stage: Stage) -> dict[str, Any]:
    """What is set on the mapping of the table's stream.

    The function only fails when the outbox cannot be used, and then the shard waits for it: six hours, without a limit
    of attempts. What is given up after that is told to the failures queue; its items are still in the task table,
    where the sweep of `redeliver` finds them.
    https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html
    """
    return {
        "FilterCriteria": {"Filters": [{"Pattern": json.dumps(each)} for each in PATTERNS]},
        "DestinationConfig": {"OnFailure": {"Destination": queue_arn(stage, stage.failures_queue)}},
        "MaximumRetryAttempts": -1,
        "MaximumRecordAgeInSeconds": 6 * 3600,
        "BisectBatchOnFunctionError": True,
    }


def remove_stale_mappings(stage: Stage, stream_arn: str) -> str:
    """Deletes mappings to anything but the stream and the queue that the stage has now; a line on it.

    Chalice keeps the mapping of a table that was made again, and says that all is well.
    """
    removed = 0
    queue = {queue_arn(stage, stage.queue_name)} if stage.queue_name else set()
    for handler, wanted in (("dynamodb_message", {stream_arn}), ("sqs_message", queue)):
        for mapping in find_mappings(stage, handler):
            if mapping["EventSourceArn"] not in wanted:
                stage.call("lambda", "delete_event_source_mapping", UUID=mapping["UUID"])
                removed += 1
    return f"{removed} removed" if removed else "none"


def tune_mappings(stage: Stage) -> str:
    """Sets what Chalice cannot, switches on what is off, and waits until it works; a line on it. Raises StageError."""
    stream = _tune(stage, "dynamodb_message", stream_settings(stage))
    told = [f"stream: {stream}filtered, bisecting, 6 h of retries, then the failures queue"]
    if stage.queue_name:
        queue = _tune(stage, "sqs_message", {})
        told.append(f"queue: {queue}1000 attempts, then the dead-letter queue")
    return "; ".join(told)


def _tune(stage: Stage, handler: str, wanted: dict[str, Any]) -> str:
    """Makes a mapping what is wanted, and enabled; a word on it if it was not."""
    mapping = _settled(stage, handler, "Enabled", "Disabled")
    is_off = mapping["State"] == "Disabled"
    if is_off or differences(mapping, wanted):
        _update(stage, mapping["UUID"], {**wanted, "Enabled": True})
        _settled(stage, handler, "Enabled")
    return "switched on again, " if is_off else ""


def differences(mapping: Any, wanted: dict[str, Any]) -> list[str]:
    """The names of the settings in which a mapping is not what is wanted."""
    return [name for name, value in wanted.items() if not is_within(value, mapping.get(name))]


def is_within(wanted: Any, found: Any) -> bool:
    """Whether settings are as wanted; AWS may tell of more than it was asked for."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(is_within(value, found.get(name)) for name, value in wanted.items())
    return bool(wanted == found)


def _update(stage: Stage, uuid: str, settings: dict[str, Any]) -> None:
    """A mapping that is being created or updated refuses changes for a while."""
    ends = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            stage.call("lambda", "update_event_source_mapping", UUID=uuid, **settings)
            return
        except AwsRefused as error:
            if error.code != "ResourceInUseException" or time.monotonic() > ends:
                raise
        time.sleep(_POLL_SECONDS)


def _settled(stage: Stage, handler: str, *states: str) -> Any:
    """The one mapping of a function, once it is in one of the states. Raises StageError if that takes too long."""
    ends = time.monotonic() + _WAIT_SECONDS
    while True:
        mappings = find_mappings(stage, handler)
        if len(mappings) == 1 and mappings[0]["State"] in states:
            return mappings[0]
        if time.monotonic() > ends:
            found = ", ".join(each["State"] for each in mappings) or "not there"
            raise StageError(f"the mapping of {handler} is {found}, and not {' or '.join(states)}")
        time.sleep(_POLL_SECONDS)
