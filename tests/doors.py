"""The doors of the app as callers see them: HTTP over a socket, Lambda's Invoke, stream and queue events."""

from __future__ import annotations

import base64
import itertools
import json
import os
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from http.client import HTTPResponse
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol
from urllib.parse import parse_qs

import requests
from chalice.app import Chalice, Request
from chalice.cli.factory import CLIFactory
from chalice.config import Config
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

from chalicelib.aws import Aws, AwsError
from chalicelib.contract.message import Message
from chalicelib.contract.task import to_attribute
from chalicelib.doors import hook, http
from chalicelib.doors.invoke import send_invoked
from chalicelib.doors.queue import read_queue
from chalicelib.doors.stream import Tasks
from chalicelib.errors import Unavailable
from chalicelib.outbox import states
from chalicelib.outbox.row import Key
from chalicelib.outbox.states import Content
from chalicelib.outbox.table import Outbox
from chalicelib.relay import Relay
from chalicelib.settings import Parameters
from tests import notices
from tools.dev.functions import REGION, Answer, Functions
from tools.dev.http_door import HttpDoor

if TYPE_CHECKING:
    from tests.outbox.memory_table import MemoryTable

APP_DIR = Path(__file__).resolve().parents[1] / "botte-app"
EVENTS_DIR = Path(__file__).resolve().parent / "events"
TOKEN = "local-token"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_REGION": "us-east-1"}


def load_app(environment: Mapping[str, str]) -> Chalice:
    """The app of botte-app for the stage local, with ``environment`` on top of the stage's own."""
    config = json.loads((APP_DIR / ".chalice" / "config.json").read_text())
    os.environ.update({**config["stages"]["local"]["environment_variables"], **environment})
    return CLIFactory(str(APP_DIR), environ=os.environ).load_chalice_app({})


class Doors:
    """One app, through its doors."""

    def __init__(self, app: Chalice) -> None:
        self.app = app
        self.functions = Functions(app, "local", async_retry_delays=())
        self._http = HttpDoor(app, Config(chalice_stage="local"), 0)
        self.url = self._http.url

    def __enter__(self) -> Doors:
        self._http.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.stop()
        self.functions.stop()

    def post(self, message: object, *, token: str | None = TOKEN, **headers: str) -> requests.Response:
        """``POST /message``: a str or bytes as it is, anything else as JSON, with curl's own content type."""
        body = message if isinstance(message, (str, bytes)) else json.dumps(message)
        given = {"Content-Type": "application/x-www-form-urlencoded"} | ({"Authorization": token} if token else {})
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.post(f"{self.url}/message", data=body, headers=given, timeout=30)

    def get(self, path: str, *, token: str | None = TOKEN) -> requests.Response:
        headers = {"Authorization": token} if token else {}
        return requests.get(self.url + path, headers=headers, timeout=30)

    def raw(self, request: bytes) -> tuple[int, Any]:
        """The status and the JSON body that answer a request of exactly these bytes."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(request)
            answer = HTTPResponse(connection)
            answer.begin()
            return answer.status, json.loads(answer.read() or b"null")

    def rest(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """What the function behind the API Gateway answers to a proxy event, its body parsed."""
        answer: dict[str, Any] = json.loads(self.functions.invoke("botte-local", json.dumps(event).encode()).body)
        return {**answer, "body": json.loads(answer["body"])}

    def invoke(self, event: object, function: str = "message") -> Answer:
        """A sync Invoke, as Lambda answers it."""
        return self.functions.invoke(f"botte-local-{function}", json.dumps(event).encode())

    def stream(self, *records: Mapping[str, Any]) -> Answer:
        """A batch of the table's stream."""
        return self.invoke({"Records": list(records)}, "dynamodb_message")

    def queue(self, *records: Mapping[str, Any]) -> Answer:
        """A batch of the queue."""
        return self.invoke({"Records": list(records)}, "sqs_message")

    def redeliver(self) -> Answer:
        """A run of the schedule."""
        return self.invoke(event("schedule"), "redeliver")


class Sources(Protocol):
    """What brings records: each call is a batch, which has to be acknowledged."""

    def stream(self, *records: Mapping[str, Any]) -> None: ...
    def queue(self, *records: Mapping[str, Any]) -> None: ...


class AppSources:
    """The sources of the functions of an app."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def stream(self, *records: Mapping[str, Any]) -> None:
        assert self._doors.stream(*records).function_error is None

    def queue(self, *records: Mapping[str, Any]) -> None:
        assert self._doors.queue(*records).function_error is None


class RelaySources:
    """The sources of a relay without an app around it. They give it a minute, as Lambda does."""

    def __init__(self, relay: Relay, tasks: Tasks, clock: Clock) -> None:
        self._relay = relay
        self._tasks = tasks
        self._clock = clock

    def stream(self, *records: Mapping[str, Any]) -> None:
        self._relay.take(self._tasks.read_stream(records), deadline=self._clock() + 60)

    def queue(self, *records: Mapping[str, Any]) -> None:
        self._relay.take(read_queue(records), deadline=self._clock() + 60)


class RelayDoors(RelaySources):
    """All doors of a relay without an app around it; what there is to route, Chalice's part, is left out."""

    def __init__(self, relay: Relay, tasks: Tasks, parameters: Parameters, clock: Clock) -> None:
        super().__init__(relay, tasks, clock)
        self._parameters = parameters

    def post(self, body: bytes | str, *, query: str = "", **headers: str) -> http.Answer:
        """``POST /message``."""
        return http.post_message(self._relay, self._parameters, request(body, query, headers), self._clock())

    def hook(self, body: bytes | str, *, name: str = "cron", query: str = "", **headers: str) -> http.Answer:
        """``POST /hook/<name>``."""
        return hook.post_hook(self._relay, self._parameters, request(body, query, headers), name, self._clock())

    def invoke(self, event: object, request_id: str = "request-1") -> dict[str, Any]:
        """The Lambda door."""
        return send_invoked(self._relay, event, request_id, self._clock() + 60)

    def redeliver(self) -> None:
        """A run of the schedule."""
        self._relay.redeliver(deadline=self._clock() + 60)

    def send(self, door: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Brings a message's fields through one of DOORS, and gives what its sender is told: at a queue nothing."""
        body = json.dumps(fields)
        match door:
            case "HTTP":
                return _body(self.post(body))
            case "hook":
                return _body(self.hook(body))
            case "Lambda":
                return self.invoke(fields)
            case "Lambda, from SNS":
                return self.invoke({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": body}}]})
            case "SQS":
                self.queue(queue_record(body, "m1"))
            case "DynamoDB":
                self.stream(stream_record(item(to_attribute(fields)["M"], sort_key="s1")))  # type: ignore[arg-type]
            case _:
                raise ValueError(door)
        return {}


# Where a sender may listen, and is told what is wrong; and where nobody listens, so that the words go out.
STRICT_DOORS = ("HTTP", "Lambda")
LENIENT_DOORS = ("SQS", "DynamoDB", "Lambda, from SNS", "hook")
DOORS = (*STRICT_DOORS, *LENIENT_DOORS)


def _body(answer: http.Answer) -> Mapping[str, Any]:
    assert isinstance(answer.body, dict)
    assert answer.status_code in (200, 202), answer.body
    return answer.body


def request(body: bytes | str, query: str = "", headers: Mapping[str, str] = {}) -> Request:
    """An authorised request as Chalice has it from API Gateway. An underscore in a header's name is a hyphen."""
    given = {"Authorization": TOKEN} | {name.replace("_", "-"): value for name, value in headers.items()}
    content = base64.b64encode(body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body).decode()
    parts = {"headers": given, "multiValueQueryStringParameters": parse_qs(query, keep_blank_values=True) or None}
    return Request({**event("apigateway_post"), **parts, "body": content, "isBase64Encoded": True})


class Table:
    """A table as an operator sees it, in plain values."""

    def __init__(self, client: Any, name: str) -> None:
        self.client = client
        self.name = name

    def clear(self) -> None:
        """Empties it, in moto itself: to ask for what is there, and to delete it, takes longer than many a test."""
        get_backend("dynamodb")[DEFAULT_ACCOUNT_ID][REGION].tables[self.name].items.clear()

    def put(self, item: Mapping[str, Any]) -> None:
        self.client.put_item(TableName=self.name, Item=item)

    def delete(self, item: Mapping[str, Any]) -> None:
        """Takes an item out of the table, as the time to live does."""
        self.client.delete_item(TableName=self.name, Key={name: item[name] for name in ("PK", "SK")})

    def items(self) -> list[dict[str, Any]]:
        pages = self.client.get_paginator("scan").paginate(TableName=self.name)
        return [item for page in pages for item in page["Items"]]

    def row(self, sort_key: str) -> dict[str, Any]:
        """The one row with a sort key, its scalars without their types."""
        (found,) = [item for item in self.items() if item["SK"]["S"] == sort_key]
        return _plain(found)

    def statuses(self) -> dict[str, str]:
        """The statuses of the messages by their rows' sort keys."""
        return {item["SK"]["S"]: item["Status"]["S"] for item in self.messages()}

    def states(self) -> dict[str, str]:
        """The statuses of the messages by their texts; bad input is named by what came."""
        return {_words(item): item["Status"]["S"] for item in self.messages()}

    def message(self, words: str) -> dict[str, Any]:
        """The one row of the message with a text, or of the bad input that came so."""
        (found,) = [item for item in self.messages() if _words(item) == words]
        return _plain(found)

    def messages(self) -> list[dict[str, Any]]:
        """The rows of the messages that senders sent."""
        return [item for item in self.items() if "Status" in item and not _key_of(item).is_notice]


class MemoryRows(Table):
    """The table in memory, seen in the same way."""

    def __init__(self, memory: MemoryTable) -> None:
        super().__init__(None, "memory")
        self._memory = memory

    def clear(self) -> None:
        for key in list(self._memory.items):
            self._memory.replace(key, None)

    def put(self, item: Mapping[str, Any]) -> None:
        self._memory.replace(_key_of(item), item)

    def delete(self, item: Mapping[str, Any]) -> None:
        self._memory.replace(_key_of(item), None)

    def items(self) -> list[dict[str, Any]]:
        return [dict(item) for item in self._memory.items.values()]


def _key_of(item: Mapping[str, Any]) -> Key:
    return Key(item["PK"]["S"], item["SK"]["S"])


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: next(iter(value.values())) for name, value in item.items()}


def _words(item: Mapping[str, Any]) -> str:
    if "Message" not in item:
        return str(item["RawBody"]["S"])
    fields = json.loads(item["Message"]["S"])
    return str(fields.get("text", fields))


class Clock:
    """A time in epoch seconds that stands still, except when it is slept through or set forward."""

    def __init__(self) -> None:
        self.now = float(int(time.time()))
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class RawServer:
    """Answers the requests on one port with the bytes it was given, one after the other, and the last one for ever.

    An answer of None closes the connection instead; hangs_up: close it after each answer, too. dripping: what follows
    each answer, a byte each tenth of a second. ``requests`` has what came, head and body.
    """

    def __init__(self, *answers: bytes | None, hangs_up: bool = False, dripping: bytes = b"") -> None:
        self._answers = list(answers)
        self._hangs_up = hangs_up
        self._dripping = dripping
        self._stopped = threading.Event()
        self.requests: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._open: list[tuple[socket.socket, threading.Thread]] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def connections(self) -> int:
        """How many are open, or were, since they were dropped last."""
        return len(self._open)

    def __enter__(self) -> RawServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self.drop_connections()

    def drop_connections(self) -> None:
        """Closes the connections that are open, and waits until they are."""
        for connection, thread in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join()
        self._open.clear()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._answer, args=[connection], daemon=True)
            self._open.append((connection, thread))
            thread.start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError), connection, connection.makefile("rb") as stream:
            while head := _read_head(stream):
                lengths = [line.split(b":")[1] for line in head.lower().splitlines() if b"content-length:" in line]
                self.requests.append(head + b"\r\n" + stream.read(int(lengths[0]) if lengths else 0))
                answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                if answer is None:
                    return
                connection.sendall(answer)
                for byte in self._dripping:
                    self._stopped.wait(0.1)
                    connection.sendall(bytes([byte]))
                if self._hangs_up:
                    return


def _read_head(stream: BinaryIO) -> bytes:
    """The request line and the headers; empty where the connection ends."""
    lines = takewhile(lambda line: line not in (b"", b"\r\n"), iter(stream.readline, b""))
    return b"".join(lines)


def http_answer(status: int, body: object, *headers: str) -> bytes:
    """An HTTP/1.1 answer; a body that is not bytes goes as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + content


@cache
def closed_port() -> int:
    """A port that refuses connections: it is taken, and nobody listens."""
    _taken.bind(("127.0.0.1", 0))
    port: int = _taken.getsockname()[1]
    return port


_taken = socket.socket()


def event(name: str) -> dict[str, Any]:
    """An event as AWS sends it, from ``tests/events``."""
    loaded: dict[str, Any] = json.loads(_event_text(name))
    return loaded


@cache
def _event_text(name: str) -> str:
    return (EVENTS_DIR / f"{name}.json").read_text()


def item(
    payload: Mapping[str, Any], *, sort_key: str, partition_key: str = "BOTTE_MESSAGE", **more: Any
) -> dict[str, Any]:
    """A task as a writer puts it: the documented format, and nothing more. ``payload`` has DynamoDB's types."""
    return {
        "PK": {"S": partition_key},
        "SK": {"S": sort_key},
        "TaskId": {"S": "BOTTE_MESSAGE"},
        "SenderApp": {"S": "STREAM_TEST"},
        "Payload": {"M": payload},
        "ExpirationTs": {"N": "1762002142"},
        **more,
    }


_numbers = itertools.count(1)


def stream_record(image: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """The stream's record of an item that was put: after all that were made before."""
    record = event("dynamodb_insert")["Records"][0]
    keys = {"PK": image["PK"], "SK": image["SK"]}
    record["dynamodb"] |= {"Keys": keys, "NewImage": dict(image), "SequenceNumber": f"{10**20 + next(_numbers)}"}
    return {**record, **changes}


def queue_record(body: str, message_id: str, **attributes: str) -> dict[str, Any]:
    """The queue's record of a message."""
    record = event("sqs")["Records"][0]
    record["attributes"] |= attributes
    return {**record, "body": body, "messageId": message_id}


def texts(messages: Iterable[Mapping[str, Any]]) -> list[str]:
    """The texts of messages that a sender sent."""
    return notices.sent(str(message["text"]) for message in messages)


def unreachable_aws() -> Aws:
    """An AWS that is down."""
    return Aws({**CREDENTIALS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{closed_port()}"})


class Killed(BaseException):
    """The process is gone: nobody catches this."""


LOST = AwsError("ReadTimeoutError", may_pass=True, perhaps_done=True)
THROTTLED = AwsError("ThrottlingException", may_pass=True)
GONE = AwsError("NewConnectionError", may_pass=True)


class FlakyAws(Aws):
    """An AWS whose DynamoDB writes as the script says: with None, and at its end, it does its work.

    LOST does its work and loses the answer; any other error is raised instead.
    """

    def __init__(self, environment: Mapping[str, str], *script: Exception | None) -> None:
        super().__init__(environment)
        self.script = list(script)

    def call(self, operation: str, arguments: Mapping[str, object], *, patience: float = 0.0) -> dict[str, Any]:
        is_write = operation == "DynamoDB_20120810.UpdateItem"
        error = self.script.pop(0) if is_write and self.script else None
        if error is not None and error is not LOST:
            raise error
        answer = super().call(operation, arguments, patience=patience)
        if error is not None:
            raise error
        return answer


class Script:
    """Stands in for Telegram, on a script: an error is raised, None and the script's end are a delivery.

    is_away: it does not even answer ``getMe``.
    """

    def __init__(self, clock: Clock, *script: BaseException | None, is_away: bool = False) -> None:
        self.clock = clock
        self.is_away = is_away
        self.script = list(script)
        self.calls: list[tuple[float, int, str]] = []

    def call(self, method: str, fields: Mapping[str, Any], file: tuple[str, bytes] | None = None) -> dict[str, Any]:
        del file
        if method == "getMe":
            if self.is_away:
                raise Unavailable("away")
            return {"id": 42}
        self.calls.append((self.clock(), fields["chat_id"], fields["text"]))
        error = self.script.pop(0) if self.script else None
        if error is not None:
            raise error
        return {"message_id": len(self.calls), "text": fields["text"]}

    @property
    def texts(self) -> list[str]:
        return notices.sent(text for _, _, text in self.calls)


class Picky(Script):
    """A Telegram that has something against some texts: one that begins with a name gets its error, each time."""

    def __init__(self, clock: Clock, *script: BaseException | None, **errors: Exception) -> None:
        super().__init__(clock, *script)
        self.errors = errors
        self.delivered: list[str] = []

    def call(self, method: str, fields: Mapping[str, Any], file: tuple[str, bytes] | None = None) -> dict[str, Any]:
        answer = super().call(method, fields, file)
        if method != "getMe":
            for name, error in self.errors.items():
                if fields["text"].startswith(name):
                    raise error
            self.delivered.append(fields["text"])
        return answer


def owe(outbox: Outbox, text: str, *, due: float, chat: str = "default", id: str | None = None) -> Key:
    """Puts a message that is due at a time into the outbox."""
    key = Key.of_id(id or text[:20])
    outbox.apply(key, states.wait(Content.of(Message(text=text, chat=chat), due)))
    return key
