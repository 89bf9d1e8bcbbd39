"""The HTTP door: Chalice's own local server, on a thread, and what it lacks of API Gateway."""

from __future__ import annotations

import json
import re
import sys
import threading
import traceback
from typing import Any

from chalice.app import Chalice
from chalice.config import Config
from chalice.local import (
    ChaliceRequestHandler,
    LocalChalice,
    LocalDevServer,
    LocalGateway,
    LocalGatewayException,
    ThreadedHTTPServer,
)

from tools.dev.loopback import BodyError, read_body
from tools.dev.settings import LOOPBACK

# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
BODY_LIMIT = 10 * 1024 * 1024  # bytes
_REASONS = {400: "Bad Request", 413: "Request Too Long"}


class HttpDoor:
    """Serves the routes of `app` on 127.0.0.1. The port is bound when the object is made, or OSError raised."""

    def __init__(self, app: Chalice, config: Config, port: int) -> None:
        # As `chalice local` does: each thread gets a current_request of its own.
        app.__class__ = type("LocalApp", (LocalChalice, app.__class__), {})
        door = LocalDevServer(app, config, LOOPBACK, port, handler_cls=_Handler, server_cls=_Server)
        self._server = door.server
        self.url = f"http://{LOOPBACK}:{door.server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="http door", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Closes the port; requests that are being answered go on."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Gateway(LocalGateway):
    """Answers a method that a route does not have as API Gateway does: there is no such route."""

    def _generate_lambda_event(self, method: str, path: str, headers: Any, body: bytes | None) -> Any:
        event = super()._generate_lambda_event(method, path, headers, body)
        if method not in self._app_object.routes[event["requestContext"]["resourcePath"]]:
            raise ValueError("no such route")
        return event


class _Unread(LocalGatewayException):
    """A body that does not reach the app."""

    def __init__(self, status: int) -> None:
        super().__init__({"Connection": "close"}, json.dumps({"message": _REASONS[status]}).encode())
        self.CODE = status


class _Handler(ChaliceRequestHandler):
    disable_nagle_algorithm = True  # header and body are two writes, and the second would wait 40 ms for an ACK

    def setup(self) -> None:
        super().setup()
        self.local_gateway.__class__ = _Gateway

    def _generic_handle(self) -> None:
        try:
            super()._generic_handle()
        except BodyError as error:
            self._send_error_response(_Unread(error.status))

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_PATCH = do_OPTIONS = _generic_handle

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):  # of any other method, which no route has
            return self._generic_handle
        raise AttributeError(name)

    def _parse_payload(self) -> tuple[dict[str, Any], bytes | None]:
        return dict(self.headers), read_body(self.headers, self.rfile, BODY_LIMIT) or None

    def _send_http_response(self, code: int, headers: dict[str, Any], body: str | bytes | None) -> None:
        # A body after HEAD would be read as the beginning of the next answer.
        super()._send_http_response(code, headers, None if self.command == "HEAD" else body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        line = re.split(r"\?|%3F", self.requestline, flags=re.IGNORECASE)[0]  # a query may hold a token
        # What asks whether the door is open, the twin itself among them, would fill the terminal.
        if not line.startswith("GET /health "):
            self.log_message('"%s" %s %s', line, code, size)

    def log_error(self, format: str, *args: Any) -> None:
        """Nothing: it quotes a request that cannot be read, query and all, and `log_request` tells of it, too."""


class _Server(ThreadedHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request, client_address
        error = sys.exc_info()[1]
        # A client that goes away in the middle of an answer is its own business.
        if error is not None and not isinstance(error, ConnectionError | TimeoutError):
            # Without its cause: Chalice's error for an unknown route tells the whole address, and so a token in it.
            traceback.print_exception(error, chain=False)
