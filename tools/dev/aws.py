"""Embedded AWS: DynamoDB with streams, SQS, Parameter Store and CloudFormation (all moto), and Lambda's Invoke API.

    python -m tools.dev.aws --port 4566

runs it alone, with Botte's tables, queue and parameters, until it is interrupted. moto keeps its state in the process,
so there is one embedded AWS in a process at a time, and it starts empty.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import json
import os
import re
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol
from urllib.parse import parse_qs

import boto3
from botocore.config import Config
from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from tools.dev.calls import Calls
from tools.dev.changes import Changes
from tools.dev.functions import REGION, Answer, function_not_found
from tools.dev.operations import CHANGES, operation_name
from tools.dev.quick_moto import make_moto_quick
from tools.dev.stream_records import use_dynamodbs_records
from tools.dev.wsgi_server import Environ, StartResponse, WsgiServer

RESOURCES_FILE = Path(__file__).resolve().parents[2] / ".chalice" / "resources.yaml"
HTTP_API_TOKEN = "local-token"
HOOK_TOKEN = "local-hook-token"
WEBHOOK_SECRET = "local-webhook-secret"

# moto is not thread-safe: without this, two writers win the same conditional put. Its state belongs to the process,
# and so does the lock.
_MOTO_LOCK = threading.Lock()

# Making a boto3 client is not thread-safe either; using one is.
_SESSION_LOCK = threading.Lock()

_INVOKE = re.compile(r"/2015-03-31/functions/(?P<function>[^/]+)/invocations/?")
_UNCOUNTED = "botte-twin-internal"


class Invokes(Protocol):
    """What stands behind the Invoke API."""

    def invoke(
        self, function: str, payload: bytes, *, invocation_type: str = ..., qualifier: str | None = ...
    ) -> Answer: ...


@dataclass(frozen=True)
class Resources:
    """What the CloudFormation stack made."""

    table_name: str
    outbox_table_name: str
    stream_arn: str
    queue_url: str


class EmbeddedAws:
    """AWS on `http://127.0.0.1:<port>`; port 0 takes any free one. A context manager, which starts and stops it.

    longest_poll: the seconds that a long poll of a queue waits at most. On AWS it also has all of SQS's servers asked;
    here there is one, so that nothing is missed where nobody sends in the meantime.

    Attributes:
        calls: how often each operation was called; also `GET` and `DELETE /_botte/calls`. The twin's own polling is
            left out.
        changes: moves when something was written to a table or sent to a queue.
        functions: what answers Lambda's Invoke; None, and every function is unknown.
    """

    def __init__(self, port: int = 0, *, longest_poll: float = 20.0) -> None:
        self._longest_poll = longest_poll
        self.calls = Calls()
        self.changes = Changes()
        self.functions: Invokes | None = None
        use_dynamodbs_records()
        make_moto_quick()
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = WsgiServer(self._app, port)
        self.port = self._server.port
        self.url = self._server.url
        self._clients: dict[tuple[str, bool], Any] = {}

    def start(self) -> None:
        _forget()
        self._server.start()

    def stop(self) -> None:
        """Closes the port and ends what waits for changes. The state is gone."""
        self.changes.close()
        self._server.stop()
        _forget()

    def __enter__(self) -> EmbeddedAws:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which any AWS SDK or CLI talks to this embedded AWS."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        }

    def client(self, service: str, *, counted: bool = True) -> Any:
        """A boto3 client of this embedded AWS, one per service; boto3's clients may be shared by threads."""
        with _SESSION_LOCK:
            if (service, counted) not in self._clients:
                config = Config(
                    proxies={},
                    max_pool_connections=64,
                    retries={"total_max_attempts": 1},
                    user_agent_extra=None if counted else _UNCOUNTED,
                )
                client = _session().client(service, endpoint_url=self.url, config=config)
                self._clients[service, counted] = client
            return self._clients[service, counted]

    def create_resources(self, *, bot_token: str, chat_id: int | str) -> Resources:
        """Makes the stack `botte-local` of .chalice/resources.yaml, and the parameters under /botte/local."""
        cloudformation = self.client("cloudformation", counted=False)
        cloudformation.create_stack(
            StackName="botte-local",
            TemplateBody=RESOURCES_FILE.read_text(),
            Parameters=[
                {"ParameterKey": "Stage", "ParameterValue": "local"},
                {"ParameterKey": "WithQueue", "ParameterValue": "true"},
            ],
        )
        ssm = self.client("ssm", counted=False)
        for name, kind, value in (
            ("telegram-bot-token", "SecureString", bot_token),
            ("http-api-token", "SecureString", HTTP_API_TOKEN),
            ("hook-tokens", "SecureString", HOOK_TOKEN),
            ("telegram-webhook-secret", "SecureString", WEBHOOK_SECRET),
            ("telegram-chats", "String", json.dumps({"default": chat_id})),
        ):
            ssm.put_parameter(Name=f"/botte/local/{name}", Type=kind, Value=value, Overwrite=True)
        return self.find_resources()

    def find_resources(self) -> Resources:
        """What the stack `botte-local` made. Raises botocore's ClientError where there is no such stack."""
        stack = self.client("cloudformation", counted=False).describe_stacks(StackName="botte-local")["Stacks"][0]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        queue = self.client("sqs", counted=False).get_queue_url(QueueName="botte-local-messages")
        table_name = outputs["TaskStreamArn"].split("/")[1]
        return Resources(table_name, outputs["OutboxTableName"], outputs["TaskStreamArn"], queue["QueueUrl"])

    def _app(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/_botte/calls":
            return self._answer_calls(environ["REQUEST_METHOD"], start_response)
        invocation = _INVOKE.fullmatch(path)
        if invocation and environ["REQUEST_METHOD"] == "POST":
            return self._answer_invoke(invocation["function"], environ, start_response)
        return self._answer_moto(environ, start_response)

    def _answer_calls(self, method: str, start_response: StartResponse) -> Iterable[bytes]:
        if method == "DELETE":
            self.calls.reset()
            start_response("204 No Content", [])
            return []
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(self.calls.by_operation()).encode()]

    def _answer_invoke(self, function: str, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        self._count(environ, "Lambda.Invoke")
        payload: bytes = environ["wsgi.input"].read()
        qualifier = parse_qs(environ["QUERY_STRING"]).get("Qualifier", [None])[0]
        if self.functions is None:
            answer = function_not_found(function, qualifier)
        else:
            kind = environ.get("HTTP_X_AMZ_INVOCATION_TYPE", "RequestResponse")
            answer = self.functions.invoke(function, payload, invocation_type=kind, qualifier=qualifier)
        start_response(f"{answer.status} Lambda", list(answer.headers.items()))
        return [answer.body]

    def _answer_moto(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body: bytes = environ["wsgi.input"].read()
        operation = operation_name(environ, body)
        self._count(environ, operation, _table_name(operation, body))
        if operation == "SQS.ReceiveMessage" and "HTTP_X_AMZ_TARGET" in environ:
            status, headers, content = self._receive_message(environ, body)
        else:
            status, headers, content = self._call_moto(environ, body)
        if operation in CHANGES and status.startswith("200"):
            self.changes.mark(CHANGES[operation])
        start_response(status, headers)
        return [content]

    def _receive_message(self, environ: Environ, body: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
        """A long poll that waits outside moto: inside, it would hold the lock for as long as it waits."""
        request = json.loads(body)
        ends = time.monotonic() + min(int(request.get("WaitTimeSeconds") or 0), self._longest_poll)
        body = json.dumps({**request, "WaitTimeSeconds": 0}).encode()
        while True:
            seen = self.changes.seen("SQS")
            status, headers, content = self._call_moto(environ, body)
            left = ends - time.monotonic()
            if left <= 0 or self.changes.closed or not status.startswith("200") or json.loads(content).get("Messages"):
                return status, headers, content
            # A message can also appear without a call: when its delay or its visibility timeout is over.
            self.changes.wait("SQS", seen, min(left, 0.5))

    def _call_moto(self, environ: Environ, body: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
        answer: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> None:
            answer[:] = [status, headers]

        request = {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        with _MOTO_LOCK:
            chunks = self._moto(request, start_response)
            content = b"".join(chunks)
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        return answer[0], answer[1], content

    def _count(self, environ: Environ, operation: str, table: str | None = None) -> None:
        if _UNCOUNTED not in environ.get("HTTP_USER_AGENT", ""):
            self.calls.count(operation, table)


def _table_name(operation: str, body: bytes) -> str | None:
    """The table of an operation of DynamoDB's that has one."""
    name: str | None = json.loads(body).get("TableName") if operation.startswith("DynamoDB.") else None
    return name


def _forget() -> None:
    """Empties moto, for the whole process."""
    with _MOTO_LOCK:
        BackendDict.reset()
        reset_model_data()


@functools.cache
def _session() -> Any:
    """The session of all clients: it keeps the service models, which take longer to read than a client to make."""
    return boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)


def main() -> None:
    """Runs the embedded AWS alone, with Botte's resources."""
    from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID
    from tools.dev.settings import clean_environment
    from tools.dev.stopping import StopSignals

    parser = argparse.ArgumentParser(prog="python -m tools.dev.aws", description=main.__doc__)
    parser.add_argument("--port", type=int, default=4566, help="0 takes any free port (default: %(default)s)")
    parser.add_argument("--bot-token", default=TWIN_BOT_TOKEN, help="the value of telegram-bot-token")
    parser.add_argument("--chat-id", type=int, default=TWIN_CHAT_ID, help="the default chat of telegram-chats")
    arguments = parser.parse_args()
    clean_environment(os.environ)
    stop = StopSignals("Embedded AWS has stopped")
    with contextlib.ExitStack() as stack:
        try:
            aws = stack.enter_context(EmbeddedAws(arguments.port))
        except OSError as exc:
            parser.exit(1, f"Port {arguments.port} cannot be used: {exc.strerror}\n")
        aws.create_resources(bot_token=arguments.bot_token, chat_id=arguments.chat_id)
        print(f"Embedded AWS is ready at {aws.url}", flush=True)
        stop.wait()
    print("Embedded AWS has stopped", flush=True)


if __name__ == "__main__":
    main()
