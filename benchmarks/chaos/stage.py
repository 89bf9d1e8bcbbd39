"""What stands still in the storm: the embedded AWS in a process of its own, and the fake Telegram in this one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

import boto3
import requests
from botocore.config import Config

from benchmarks.chaos.consumers import stage_environment
from benchmarks.chaos.plan import CHATS
from benchmarks.chaos.pool import PROCESSES
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, FakeTelegram

_STARTS_WITHIN_SECONDS = 60.0
_BATCH_WRITE = 25


class Stage:
    """A context manager that starts both, and leaves nothing behind.

    Attributes:
        environment: the variables with which a worker finds them.
        telegram: the fake, without a pace.
        aws: a boto3 client of DynamoDB. table_name, outbox_table_name, stream_arn: what it finds there.
        max_receives: how often the queue gives a message out before it is a dead letter.
    """

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self.environment: dict[str, str] = {}

    def __enter__(self) -> Stage:
        with contextlib.ExitStack() as stack:
            self.telegram = stack.enter_context(FakeTelegram(chats={id: name for name, id in CHATS.items()}, pace=None))
            connection = stack.enter_context(_aws_process())
            if not connection.poll(_STARTS_WITHIN_SECONDS):
                raise TimeoutError("the embedded AWS did not start")
            aws, resources, self.max_receives = connection.recv()
            self.table_name: str = resources.table_name
            self.outbox_table_name: str = resources.outbox_table_name
            self.stream_arn: str = resources.stream_arn
            self._aws_url: str = aws["AWS_ENDPOINT_URL"]
            self.environment = {
                **stage_environment(),
                **aws,
                "TASK_STREAM_ARN": resources.stream_arn,
                "TASK_TABLE_NAME": resources.table_name,
                "OUTBOX_TABLE_NAME": resources.outbox_table_name,
                "TELEGRAM_API_URL": self.telegram.url,
            }
            self.aws = _dynamodb_client(aws)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def reset(self) -> None:
        """Empty tables, an empty inbox, no fault, no call counted."""
        for table_name in (self.table_name, self.outbox_table_name):
            keys = [{"Key": {"PK": row["PK"], "SK": row["SK"]}} for row in self._scan(table_name)]
            for first in range(0, len(keys), _BATCH_WRITE):
                deletions = [{"DeleteRequest": key} for key in keys[first : first + _BATCH_WRITE]]
                self.aws.batch_write_item(RequestItems={table_name: deletions})
        self.telegram.set_fault({"kind": "none"})
        self.telegram.clear()
        requests.delete(f"{self._aws_url}/_botte/calls", timeout=30)

    def table_calls(self) -> int:
        counted: dict[str, int] = requests.get(f"{self._aws_url}/_botte/calls", timeout=30).json()
        return sum(count for operation, count in counted.items() if operation.startswith("DynamoDB."))

    def outbox(self) -> list[dict[str, Any]]:
        return self._scan(self.outbox_table_name)

    def tasks(self) -> list[dict[str, Any]]:
        """What is in the task table, also what is no task."""
        return self._scan(self.table_name)

    def owes(self) -> bool:
        """Whether a message is to be delivered, or a group to be closed."""
        answer = self.aws.scan(TableName=self.outbox_table_name, IndexName="due", Select="COUNT")
        return bool(answer["Count"])

    def _scan(self, table_name: str) -> list[dict[str, Any]]:
        pages = self.aws.get_paginator("scan").paginate(TableName=table_name, ConsistentRead=True)
        return [row for page in pages for row in page["Items"]]


@contextlib.contextmanager
def _aws_process() -> Any:
    connection, other_end = PROCESSES.Pipe()
    process = PROCESSES.Process(target=_serve_aws, args=(other_end,), daemon=True)
    process.start()
    other_end.close()
    try:
        yield connection
    finally:
        process.kill()
        process.join()
        connection.close()


def _serve_aws(connection: Connection) -> None:
    """Runs the embedded AWS until the other end of the connection is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from tools.dev.aws import EmbeddedAws

    with EmbeddedAws() as aws:
        resources = aws.create_resources(bot_token=TWIN_BOT_TOKEN, chat_id=CHATS["default"])
        aws.client("ssm").put_parameter(Name="/botte/local/telegram-chats", Value=json.dumps(CHATS), Overwrite=True)
        attributes = {"QueueUrl": resources.queue_url, "AttributeNames": ["RedrivePolicy"]}
        policy = aws.client("sqs").get_queue_attributes(**attributes)["Attributes"]["RedrivePolicy"]
        max_receives = int(json.loads(policy)["maxReceiveCount"])
        # A request that a killed worker left unfinished is reported there, and nothing else.
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        connection.send((aws.environment, resources, max_receives))
        with contextlib.suppress(EOFError):
            connection.recv()


def _dynamodb_client(environment: dict[str, str]) -> Any:
    session = boto3.Session(
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_REGION"],
    )
    config = Config(proxies={}, user_agent_extra="botte-twin-internal", read_timeout=30)
    return session.client("dynamodb", endpoint_url=environment["AWS_ENDPOINT_URL"], config=config)
