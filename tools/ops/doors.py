"""A message through each door of a stage, as a sender would send it, and what became of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import urllib3

from chalicelib.contract.task import to_item
from chalicelib.errors import TableUnavailable
from chalicelib.outbox.row import Key
from chalicelib.settings import HTTP_API_TOKEN
from tools.ops.stage import Stage, StageError

SENDER_APP = "botte-ops"
_POLL_SECONDS = 0.25
_AGAIN_SECONDS = 15.0


@dataclass(frozen=True)
class Outcome:
    """What a door did with a message. ``answer`` is for people."""

    door: str
    delivered: bool
    answer: str


def door_names(stage: Stage) -> list[str]:
    """The doors that the stage has."""
    return ["HTTP", "Lambda", "DynamoDB", *(["SQS"] if stage.queue_name else [])]


def send_through(stage: Stage, door: str, id: str, text: str, *, patience: float) -> Outcome:
    """Sends a message through a door; one that was delivered under the same id is not sent again.

    patience: seconds that the door may take; a new one may take a minute to be there.
    """
    send = {"HTTP": _http, "Lambda": _lambda, "DynamoDB": _dynamodb, "SQS": _sqs}[door]
    message = {"text": text, "id": id, "sender_app": SENDER_APP}
    try:
        return Outcome(door, True, send(stage, message, time.monotonic() + patience))
    except (StageError, TableUnavailable) as error:
        return Outcome(door, False, str(error))


def was_delivered(stage: Stage, id: str) -> bool:
    """Whether a message with this id went out before."""
    try:
        row = stage.outbox().get(Key.of_id(id))
    except TableUnavailable:
        return False
    return row is not None and row.status == "SENT"


def newest_http_token(stage: Stage) -> str:
    """The last of the HTTP API tokens. Raises StageError if there is none."""
    lines = [line.split() for line in (stage.parameter(HTTP_API_TOKEN) or "").splitlines()]
    tokens = [words[-1] for words in lines if len(words) in (1, 2)]
    if not tokens:
        raise StageError(f"parameter {stage.parameters_path}/{HTTP_API_TOKEN} holds no token")
    return tokens[-1]


def http_request(
    stage: Stage, method: str, path: str, token: str | None, body: object = None
) -> tuple[int, dict[str, Any]]:
    """The status and the JSON of an answer of the HTTP door. Raises StageError where there is none."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": token} if token else {})
    try:
        with urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=5, read=30)) as pool:
            content = None if body is None else json.dumps(body)
            answer = pool.request(method, stage.http_url() + path, body=content, headers=headers, redirect=False)
        answered = json.loads(answer.data)
    except urllib3.exceptions.HTTPError as error:
        raise StageError(f"{stage.http_url()} cannot be reached: {type(error).__name__}") from None
    except ValueError:
        raise StageError(f"{stage.http_url()} answers {answer.status}, and no JSON") from None
    return answer.status, answered if isinstance(answered, dict) else {}


def _http(stage: Stage, message: dict[str, Any], ends: float) -> str:
    token = newest_http_token(stage)
    while True:
        status, answer = http_request(stage, "POST", "/message", token, message)
        if status == 200:
            return f"200, message_id {answer.get('message_id')}"
        if status == 202:
            return f"202, then {_await(stage, message['id'], ends)}"
        # A new API, and a new role, take a moment to be everywhere.
        if status == 400 or status == 422 or (status == 502 and "Code" in answer) or time.monotonic() > ends:
            raise StageError(f"{status} {answer.get('Message') or answer.get('message')}")
        time.sleep(_POLL_SECONDS)


def _lambda(stage: Stage, message: dict[str, Any], ends: float) -> str:
    name = stage.handlers["message"]
    while True:
        answer = stage.call("lambda", "invoke", FunctionName=name, Payload=json.dumps(message).encode())
        result = json.loads(answer["Payload"].read())
        if "FunctionError" not in answer:
            break
        # A new role takes a moment to be everywhere.
        if result.get("errorType") in ("InvalidMessage", "Refused") or time.monotonic() > ends:
            raise StageError(f"{result.get('errorType')}: {result.get('errorMessage')}")
        time.sleep(_POLL_SECONDS)
    if "message_id" in result:
        return f"message_id {result['message_id']}"
    return f"{result.get('status')}, then {_await(stage, message['id'], ends)}"


def _dynamodb(stage: Stage, message: dict[str, Any], ends: float) -> str:
    fields = {name: value for name, value in message.items() if name != "sender_app"}
    key = Key.of_id(message["id"])
    item = to_item(fields, partition_key=key.partition, sort_key=key.sort, sender_app=SENDER_APP)

    def put() -> None:
        # A mapping that was made a moment ago may have missed the item, and what changes nothing gives no record.
        keys = {"PK": item["PK"], "SK": item["SK"]}
        stage.call("dynamodb", "delete_item", TableName=stage.task_table_name, Key=keys)
        stage.call("dynamodb", "put_item", TableName=stage.task_table_name, Item=item)

    put()
    return f"put, then {_await(stage, message['id'], ends, put)}"


def _sqs(stage: Stage, message: dict[str, Any], ends: float) -> str:
    url = stage.call("sqs", "get_queue_url", QueueName=stage.queue_name)["QueueUrl"]

    def put() -> None:
        stage.call("sqs", "send_message", QueueUrl=url, MessageBody=json.dumps(message))

    put()
    # One whose function failed stays hidden for six minutes. The same id is delivered once, however often it is sent.
    return f"taken, then {_await(stage, message['id'], ends, put)}"


def _await(stage: Stage, id: str, ends: float, send_again: Callable[[], None] | None = None) -> str:
    """How a message ended that the outbox keeps. Raises StageError if it does not go out in time.

    send_again: called from time to time while no function has taken the message.
    """
    outbox = stage.outbox()
    again = time.monotonic() + _AGAIN_SECONDS
    while True:
        row = outbox.get(Key.of_id(id))
        status = row.status if row else None
        if row is not None and status == "SENT":
            return f"SENT, message_id {', '.join(map(str, row.progress.message_ids))}"
        if row is not None and status == "FAILED":
            raise StageError(f"FAILED: {row.last_error}")
        if send_again is not None and status is None and time.monotonic() > again:
            send_again()
            again = time.monotonic() + _AGAIN_SECONDS
        if time.monotonic() > ends:
            reason = row.last_error if row else None
            raise StageError(f"{status or 'not taken by its function'} after a while{f': {reason}' if reason else ''}")
        time.sleep(_POLL_SECONDS)
