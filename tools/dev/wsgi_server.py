"""A threaded HTTP/1.1 server for one WSGI application, on the loopback interface only.

Connections are kept alive. Werkzeug's own server closes each one and waits ten milliseconds for what may still come;
boto3 keeps its connections, and behind a kept connection a call to the embedded AWS costs a third of that.
"""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote

from tools.dev.loopback import BodyError, LoopbackServer, read_body
from tools.dev.settings import LOOPBACK

BODY_LIMIT = 100 * 1024 * 1024  # bytes: of a function's package, with room to spare
Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]


class WsgiServer:
    """Serves `app` on 127.0.0.1. With port 0 the system chooses one; `port` and `url` tell which.

    The port is bound when the object is made (`OSError` when it is in use) and answers from `start` on.
    """

    def __init__(self, app: WsgiApp, port: int) -> None:
        self._server = _Server(app, port)
        self.port = self._server.port
        self.url = f"http://{LOOPBACK}:{self.port}"
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name=f"port {self.port}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Closes the port and every connection. Requests that are being answered lose theirs."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()
        self._server.close_connections()


class _Server(LoopbackServer):
    def __init__(self, app: WsgiApp, port: int) -> None:
        self.app = app
        super().__init__(port, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # One write per answer, sent at once: header and body in two writes cost 40 ms to Nagle and delayed ACKs.
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def _serve(self) -> None:
        try:
            body = read_body(self.headers, self.rfile, BODY_LIMIT)
        except BodyError as error:
            self.send_error(error.status)
            return
        answer: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> None:
            answer.update(status=status, headers=headers)

        chunks = self.server.app(self._environ(body), start_response)
        content = b"".join(chunks)
        code, _, reason = answer["status"].partition(" ")
        self.send_response_only(int(code), reason)
        self.send_header("Date", self.date_time_string())
        for name, value in answer["headers"]:
            if name.lower() not in ("content-length", "connection", "date", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = _serve

    def handle_expect_100(self) -> bool:
        goes_on = super().handle_expect_100()
        self.wfile.flush()
        return goes_on

    def _environ(self, body: bytes) -> Environ:
        path, _, query = self.path.partition("?")
        environ: Environ = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path, "latin-1"),
            "QUERY_STRING": query,
            "REQUEST_URI": self.path,
            "RAW_URI": self.path,
            "SERVER_NAME": LOOPBACK,
            "SERVER_PORT": str(self.server.port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        if "Content-Type" in self.headers:
            environ["CONTENT_TYPE"] = self.headers["Content-Type"]
        for name, value in self.headers.items():
            key = name.upper().replace("-", "_")
            if key not in ("CONTENT_TYPE", "CONTENT_LENGTH", "TRANSFER_ENCODING"):
                environ["HTTP_" + key] = value
        return environ

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged: the app's own lines are what one wants to see."""
