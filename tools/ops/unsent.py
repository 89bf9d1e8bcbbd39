"""What was accepted and is not delivered yet: it is counted, in queues and tables, before either is deleted."""

from __future__ import annotations

import json
import time
from typing import Any

from chalicelib.contract.task import is_task
from chalicelib.errors import TableUnavailable
from tools.ops.deployed import find_mappings
from tools.ops.stage import Stage, StageError

_POLL_SECONDS = 2.0
_PATIENCE_SECONDS = 60.0  # with a queue that does not get shorter
_CLOSING_SECONDS = 60.0  # until all of SQS knows of a change
_CLOSED = "BotteTakesNoMore"
_WAITING, _TAKEN, _LATER = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


def queue_url(stage: Stage, queue: str) -> str | None:
    """None where there is no such queue."""
    found = stage.find("sqs", "get_queue_url", QueueName=queue)
    return str(found["QueueUrl"]) if found else None


def count_in_queues(stage: Stage, *queues: str) -> dict[str, int]:
    """How many messages each of these queues holds that exist: waiting, being taken, and delayed."""
    urls = {queue: queue_url(stage, queue) for queue in queues}
    return {queue: _count(stage, url) for queue, url in urls.items() if url is not None}


def count_in_tables(stage: Stage) -> dict[str, int]:
    """How many messages the tables hold that are not delivered, by where they are. It reads both as a whole."""
    counts = {}
    if _exists(stage, stage.task_table_name):
        scan = {"ConsistentRead": True, "ProjectionExpression": "PK, TaskId"}
        items = stage.pages("dynamodb", "scan", "Items", TableName=stage.task_table_name, **scan)
        counts[f"new in {stage.task_table_name}"] = sum(map(is_task, items))
    if _exists(stage, stage.outbox_table_name):
        try:
            found = stage.outbox().count()
        except TableUnavailable as error:
            raise StageError(error.reason) from None
        counts[f"pending in {stage.outbox_table_name}"] = found.pending
        counts[f"parked in {stage.outbox_table_name}"] = found.failed
    return counts


def tell(counts: dict[str, int]) -> str:
    """Such as "2 in botte-prod-failures", for each that is not 0."""
    return ", ".join(f"{count} {where}" for where, count in counts.items() if count)


def empty_queues(stage: Stage, *queues: str, force: str | None = None) -> str:
    """Closes the SQS door's queue to senders, and waits while its function takes what is there; a line on it.

    It takes a minute at least: so long a sender may still be served by a part of SQS that takes messages.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
    queues: all that will be deleted. force: the command that deletes them with what is in them; None, and they are to
    be purged. Raises StageError where a message is left in one; then senders may go on, if they could before.
    """
    check_queues(stage, *(each for each in queues if each != stage.messages_queue), force=force)
    url = queue_url(stage, stage.messages_queue)
    if url is None:
        return "no queue holds a message"
    was_open = _set_open(stage, url, is_open=False)
    try:
        if was_open:
            time.sleep(_CLOSING_SECONDS)
        _wait_until_taken(stage, url)
        check_queues(stage, *queues, force=force)
    except BaseException:
        _set_open(stage, url, is_open=was_open)
        raise
    return f"{stage.messages_queue} is closed, and none holds a message"


def check_queues(stage: Stage, *queues: str, force: str | None = None) -> None:
    """Raises StageError where one of the queues holds a message; ``force`` as for ``empty_queues``."""
    # AWS's counts may be a minute old. A long poll asks all of SQS's servers; what it sees, others see too.
    counts = {
        queue: count or _look(stage, str(queue_url(stage, queue)))
        for queue, count in count_in_queues(stage, *queues).items()
    }
    left = {queue: count for queue, count in counts.items() if count}
    if not left:
        return
    mends = []
    if stage.messages_queue in left:
        where = "" if stage.queue_name else ", with its QUEUE_NAME,"
        mends.append(f"make doctor STAGE={stage.name}{where} tells why those of {stage.messages_queue} are not taken")
    if left.keys() - {stage.messages_queue}:
        mends.append(f"make redrive STAGE={stage.name} sends those that AWS gave up, and make discard forgets one")
    purges = [f"aws sqs purge-queue --queue-url {queue_url(stage, queue)}" for queue in left]
    told = tell({f"in {queue}": count for queue, count in left.items()})
    delete = f"{force or ' && '.join(purges)} deletes them"
    raise StageError(f"messages would be deleted: {told}. {'; '.join([*mends, delete])}")


def check_tables(stage: Stage, *, force: str) -> None:
    """Raises StageError where the tables hold a message that is not delivered."""
    counts = count_in_tables(stage)
    if any(counts.values()):
        raise StageError(
            f"messages would be deleted: {tell(counts)}. A stage that works sends what is new or pending, and make "
            f"redrive STAGE={stage.name} what is parked; {force} deletes them"
        )


def open_queue(stage: Stage) -> None:
    """Lets senders use the SQS door's queue, where it was closed."""
    url = queue_url(stage, stage.messages_queue)
    if url is not None:
        _set_open(stage, url, is_open=True)


def _wait_until_taken(stage: Stage, url: str) -> None:
    """Waits until the queue is empty, or gets no shorter."""
    least, ends = _count(stage, url), time.monotonic() + _PATIENCE_SECONDS
    while least and time.monotonic() < ends:
        if not any(each["State"] == "Enabled" for each in find_mappings(stage, "sqs_message")):
            return
        time.sleep(_POLL_SECONDS)
        if (count := _count(stage, url)) < least:
            least, ends = count, time.monotonic() + _PATIENCE_SECONDS


def _set_open(stage: Stage, url: str, *, is_open: bool) -> bool:
    """Adds a statement to the queue's policy that denies SendMessage to all, or takes it out; whether it had to."""
    attributes = {"QueueUrl": url, "AttributeNames": ["Policy", "QueueArn"]}
    found = stage.call("sqs", "get_queue_attributes", **attributes)["Attributes"]
    policy: dict[str, Any] = json.loads(found.get("Policy") or '{"Version": "2012-10-17", "Statement": []}')
    others = [each for each in policy["Statement"] if each.get("Sid") != _CLOSED]
    if is_open == (len(others) == len(policy["Statement"])):
        return False
    deny = {
        "Sid": _CLOSED,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:SendMessage",
        "Resource": found["QueueArn"],
    }
    policy["Statement"] = others if is_open else [*others, deny]
    changed = json.dumps(policy) if policy["Statement"] else ""
    stage.call("sqs", "set_queue_attributes", QueueUrl=url, Attributes={"Policy": changed})
    return True


def _count(stage: Stage, url: str) -> int:
    attributes = {"QueueUrl": url, "AttributeNames": [_WAITING, _TAKEN, _LATER]}
    found = stage.call("sqs", "get_queue_attributes", **attributes)["Attributes"]
    return sum(int(count) for count in found.values())


def _look(stage: Stage, url: str) -> int:
    answer = stage.call(
        "sqs", "receive_message", QueueUrl=url, WaitTimeSeconds=1, MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    return len(answer.get("Messages", []))


def _exists(stage: Stage, table: str) -> bool:
    return stage.find("dynamodb", "describe_table", TableName=table) is not None
