"""A worker process: one handler at a time, as a Lambda environment. It ends when its driver is gone."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.chaos import consumers, controls
from tools.dev.functions import LambdaContext

CONSUMERS: dict[str, consumers.Load] = {
    "app": consumers.load_app,
    "acknowledge first": controls.acknowledge_first,
    "whole batch": controls.whole_batch,
}


def serve(connection: Connection, consumer: str, environment: Mapping[str, str]) -> None:
    """Receives (function, event, request id); answers ("ok", result) or ("error", class name, text)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(environment)
    logging.disable(logging.CRITICAL)
    handlers = CONSUMERS[consumer]()
    while True:
        try:
            function, event, request_id = connection.recv()
        except EOFError:
            return
        connection.send(_answer(handlers, function, event, request_id))


def _answer(handlers: consumers.Handlers, function: str, event: object, request_id: str) -> tuple[Any, ...]:
    context = LambdaContext(function, request_id, consumers.FUNCTION_SECONDS, 256)
    try:
        return "ok", handlers[function](event, context)
    except Exception as error:
        return "error", type(error).__name__, str(error)
