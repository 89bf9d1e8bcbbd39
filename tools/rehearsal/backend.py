"""The AWS of a rehearsal, its API Gateway, and a fake Telegram: `python -m tools.rehearsal.backend`.

It prints where they are, as one line of JSON, and ends when its stdin does. `PUT /_botte/fault` of the AWS makes calls
fail: ``{"call": a regular expression on "Operation METHOD /path body", "times": 1}``. `GET /_botte/rights` tells which
rights roles and users used, and which they lacked (see ``iam.Rights``).
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import sys
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from botocore.config import Config

from tools.dev.aws import EmbeddedAws, _session
from tools.dev.fake_telegram import FakeTelegram
from tools.dev.operations import operation_name
from tools.dev.wsgi_server import Environ, StartResponse, WsgiServer
from tools.rehearsal.actions import requests
from tools.rehearsal.event_sources import EventSources
from tools.rehearsal.functions import DeployedFunctions
from tools.rehearsal.gateway import Gateway
from tools.rehearsal.iam import Rights, principal
from tools.rehearsal.patches import patch_moto


class RehearsalAws(EmbeddedAws):
    """An embedded AWS that holds roles and users to their policies, and fails when it is told to."""

    def __init__(self, port: int = 0) -> None:
        self.rights = Rights()
        self._faults: dict[str, int] = {}
        self._keyed: dict[tuple[str, str], Any] = {}
        super().__init__(port)

    def client_as(self, service: str, access_key_id: str) -> Any:
        """A boto3 client with the key of a role or a user (see ``iam``)."""
        if (service, access_key_id) not in self._keyed:
            config = Config(proxies={}, retries={"total_max_attempts": 1}, user_agent_extra="botte-twin-internal")
            self._keyed[service, access_key_id] = _session().client(
                service,
                endpoint_url=self.url,
                config=config,
                aws_access_key_id=access_key_id,
                aws_secret_access_key="rehearsal",
            )
        return self._keyed[service, access_key_id]

    def write_logs(self, group: str, lines: list[str]) -> None:
        """Adds lines to a log group, which is made if need be, as Lambda does."""
        logs = self.client("logs", counted=False)
        with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_group(logGroupName=group)
        with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_stream(logGroupName=group, logStreamName="rehearsal")
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line} for line in lines]
        logs.put_log_events(logGroupName=group, logStreamName="rehearsal", logEvents=events)

    def _app(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/_botte/rights":
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps({"used": sorted(self.rights.used), "lacking": self.rights.lacking}).encode()]
        if environ["PATH_INFO"] == "/_botte/fault":
            fault = json.loads(environ["wsgi.input"].read())
            self._faults = {fault["call"]: int(fault["times"])}
            start_response("204 No Content", [])
            return []
        body: bytes = environ["wsgi.input"].read()
        environ["wsgi.input"].seek(0)
        operation = operation_name(environ, body)
        call = f"{operation} {environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        for pattern, times in self._faults.items():
            if times > 0 and re.search(pattern, f"{call} {body[:1000].decode('latin-1')}"):
                self._faults[pattern] = times - 1
                return _refuse(start_response, environ, "AccessDeniedException", f"a fault was injected into {call}")
        who = principal(environ.get("HTTP_AUTHORIZATION", ""))
        if who is not None:
            reason = self.rights.refuse(who, requests(operation, environ["PATH_INFO"], body))
            if reason is not None:
                return _refuse(start_response, environ, "AccessDeniedException", reason)
        return super()._app(environ, start_response)


class Backend:
    """Everything that a deployment talks to. A context manager."""

    def __init__(self, *, bot_token: str, chat_id: int) -> None:
        patch_moto()
        self.aws = RehearsalAws()
        self._functions = DeployedFunctions(self.aws.url, self.aws.write_logs)
        self.aws.functions = self._functions
        self._gateway = WsgiServer(Gateway(self._functions), 0)
        self._event_sources = EventSources(self.aws, self._functions)
        self.telegram = FakeTelegram(bot_token=bot_token, chats={chat_id: "You"}, pace=None)

    def __enter__(self) -> Backend:
        self.aws.start()
        self._gateway.start()
        self.telegram.start()
        self._event_sources.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._event_sources.stop()
        self.telegram.stop()
        self._gateway.stop()
        self._functions.stop()
        self.aws.stop()

    def addresses(self) -> dict[str, str]:
        """``aws``, ``telegram``, and ``gateway``, to which the name of the API's stage is to be added."""
        return {"aws": self.aws.url, "gateway": self._gateway.url, "telegram": self.telegram.url}


def _refuse(start_response: StartResponse, environ: Environ, code: str, message: str) -> Iterable[bytes]:
    """An error in the protocol of the request: query services have XML."""
    if "HTTP_X_AMZ_TARGET" in environ or environ["PATH_INFO"] != "/":
        start_response("400 Refused", [("Content-Type", "application/x-amz-json-1.0"), ("x-amzn-ErrorType", code)])
        return [json.dumps({"__type": code, "message": message, "Message": message}).encode()]
    start_response("400 Refused", [("Content-Type", "text/xml")])
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return [f"<ErrorResponse>{error}<RequestId>refused</RequestId></ErrorResponse>".encode()]


def main() -> None:
    from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID

    logging.basicConfig(level=logging.WARNING)
    with Backend(bot_token=TWIN_BOT_TOKEN, chat_id=TWIN_CHAT_ID) as backend:
        print(json.dumps(backend.addresses()), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
