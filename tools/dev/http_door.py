"""The HTTP door: Chalice's own local server, on a thread."""

from __future__ import annotations

import sys
import threading
from typing import Any

from chalice.app import Chalice
from chalice.config import Config
from chalice.local import ChaliceRequestHandler, LocalChalice, LocalDevServer, ThreadedHTTPServer

from tools.dev.settings import LOOPBACK


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


class _Handler(ChaliceRequestHandler):
    disable_nagle_algorithm = True  # header and body are two writes, and the second would wait 40 ms for an ACK

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        # What asks whether the door is open, the twin itself among them, would fill the terminal.
        if self.path != "/health":
            super().log_request(code, size)


class _Server(ThreadedHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that goes away in the middle of an answer is its own business.
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)
