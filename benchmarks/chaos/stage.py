"""What stands still in the storm: the embedded AWS in a process of its own, and the fake Telegram in this one."""

from __future__ import annotations

import contextlib
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
from benchmarks.chaos.pool import PROCESSES
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram

_STARTS_WITHIN_SECONDS = 60.0
_BATCH_WRITE = 25


class Stage:
    """A context manager that starts both, and leaves nothing behind.

    Attributes:
        environment: the variables with which a worker finds them.
        telegram: the fake, without a pace.
        table: a boto3 client of DynamoDB.
    """

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self.environment: dict[str, str] = {}

    def __enter__(self) -> Stage:
        with contextlib.ExitStack() as stack:
            self.telegram = stack.enter_context(FakeTelegram(pace=None))
            connection = stack.enter_context(_aws_process())
            if not connection.poll(_STARTS_WITHIN_SECONDS):
                raise TimeoutError("the embedded AWS did not start")
            aws, table_name, stream_arn = connection.recv()
            self.table_name: str = table_name
            self._aws_url: str = aws["AWS_ENDPOINT_URL"]
            arns = {"TASK_STREAM_ARN": stream_arn, "TASK_TABLE_NAME": table_name}
            self.environment = {**stage_environment(), **aws, **arns, "TELEGRAM_API_URL": self.telegram.url}
            self.table = _table_client(aws)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def reset(self) -> None:
        """An empty table, an empty inbox, no fault, no call counted."""
        keys = [{"Key": {"PK": row["PK"], "SK": row["SK"]}} for row in self.rows()]
        for first in range(0, len(keys), _BATCH_WRITE):
            deletions = [{"DeleteRequest": key} for key in keys[first : first + _BATCH_WRITE]]
            self.table.batch_write_item(RequestItems={self.table_name: deletions})
        self.telegram.set_fault({"kind": "none"})
        self.telegram.clear()
        requests.delete(f"{self._aws_url}/_botte/calls", timeout=30)

    def table_calls(self) -> int:
        counted: dict[str, int] = requests.get(f"{self._aws_url}/_botte/calls", timeout=30).json()
        return sum(count for operation, count in counted.items() if operation.startswith("DynamoDB."))

    def rows(self) -> list[dict[str, Any]]:
        pages = self.table.get_paginator("scan").paginate(TableName=self.table_name, ConsistentRead=True)
        return [row for page in pages for row in page["Items"]]

    def owed(self) -> int:
        """How many rows owe a delivery."""
        answer = self.table.query(
            TableName=self.table_name,
            IndexName="due",
            Select="COUNT",
            KeyConditionExpression="TaskId = :task",
            ExpressionAttributeValues={":task": {"S": "BOTTE_MESSAGE"}},
        )
        return int(answer["Count"])


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
        resources = aws.create_resources(bot_token=TWIN_BOT_TOKEN, chat_id=TWIN_CHAT_ID)
        # A request that a killed worker left unfinished is reported there, and nothing else.
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        connection.send((aws.environment, resources.table_name, resources.stream_arn))
        with contextlib.suppress(EOFError):
            connection.recv()


def _table_client(environment: dict[str, str]) -> Any:
    session = boto3.Session(
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_REGION"],
    )
    config = Config(proxies={}, user_agent_extra="botte-twin-internal", read_timeout=30)
    return session.client("dynamodb", endpoint_url=environment["AWS_ENDPOINT_URL"], config=config)
