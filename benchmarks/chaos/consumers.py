"""The handlers that a worker process runs: the real app's, with its waiting cut short.

A run of minutes cannot wait as long as production does, so what is in ``SHORTER`` is shortened, and nothing else. A
lease is still longer than any function may run, and a call to Telegram takes less than that.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from chalice.app import Chalice
from chalice.cli.factory import CLIFactory

from benchmarks.chaos import APP_DIR

Handler = Callable[[Any, Any], Any]
Handlers = Mapping[str, Handler]
Load = Callable[[], Handlers]

TIMEOUT_SECONDS = 1.0
FUNCTION_SECONDS = 10.0  # 60, of redeliver 90; a worker that takes longer is killed, as Lambda does
LEASE_SECONDS = 12.0
RETRY_AFTER_SLEPT, RETRY_AFTER_PARKED = 1, 3  # shorter and longer than MAX_SLEEP_SECONDS
SHORTER: Mapping[str, Mapping[str, float]] = {  # in production:
    "telegram.bot_api": {
        "CONNECT_TIMEOUT_SECONDS": TIMEOUT_SECONDS,  # 3
        "READ_TIMEOUT_SECONDS": TIMEOUT_SECONDS,  # 10
    },
    "relay.attempt": {"LEASE_SECONDS": LEASE_SECONDS},  # 120
    "relay.courier": {
        "MAX_SLEEP_SECONDS": 1.5,  # 5
        "NOTE_SECONDS": 0.5,  # 2
    },
    "relay.chats": {
        "PRIVATE_INTERVAL_SECONDS": 0.01,  # 1
        "GROUP_INTERVAL_SECONDS": 0.02,  # 3
    },
    "relay.redelivery": {"RUN_SECONDS": 3.0},  # 60
    "relay.blame": {
        "MIN_BACKOFF_SECONDS": 0.3,  # 5
        "MAX_BACKOFF_SECONDS": 3.0,  # 900
    },
    "doors.http": {"ANSWER_SECONDS": FUNCTION_SECONDS},  # 27
    "doors.stream": {"SWEEP_SECONDS": 3.0},  # 900; see _sweep_after_the_stream
}
EXPECTED_ERRORS = frozenset({"InvalidMessage"})  # how the Lambda door tells of bad input, after it is parked


def stage_environment() -> dict[str, str]:
    """The variables of the stage local."""
    config = json.loads((APP_DIR / ".chalice" / "config.json").read_text())
    variables: dict[str, str] = config["stages"]["local"]["environment_variables"]
    return variables


def load_app() -> Handlers:
    """The handlers of botte-app/app.py, by the names they are deployed under; ``http`` is API Gateway's."""
    chalice_app: Chalice = CLIFactory(str(APP_DIR), environ=os.environ).load_chalice_app({})
    _cut_waiting_short(sys.modules["app"])
    names = ["message", *(source.name for source in chalice_app.event_sources)]
    handlers: dict[str, Handler] = {"http": chalice_app, **{name: chalice_app.handler_map[name] for name in names}}
    return {**handlers, "redeliver": _sweep_after_the_stream(sys.modules["app"], handlers["redeliver"])}


def _cut_waiting_short(app: Any) -> None:
    from chalicelib.relay import Relay
    from chalicelib.telegram.bot_api import Telegram

    for module, constants in SHORTER.items():
        _shorten(importlib.import_module(f"chalicelib.{module}"), constants)
    telegram = Telegram(
        app.settings.telegram_api_url,
        app.parameters.bot_token,
        connect_timeout=TIMEOUT_SECONDS,
        read_timeout=TIMEOUT_SECONDS,
    )
    # The handlers look the relay up in their module when they are called.
    app.relay = Relay(telegram, app.outbox, app.parameters)


def _sweep_after_the_stream(app: Any, redeliver: Handler) -> Handler:
    """``redeliver``, whose sweeps begin when the event says that the stream has brought everything.

    In production a sweep takes only what has lain there for far longer than a record is on its way. That is too long
    for a storm, and what a sweep takes goes before all else of its group.
    """
    from chalicelib.doors.stream import Tasks
    from chalicelib.dynamodb import DynamoTable

    is_over = False
    app.tasks = Tasks(DynamoTable(app.aws, app.settings.task_table_name), clock=lambda: time.time() if is_over else 0.0)

    def redeliver_and_sweep(event: Any, context: Any) -> Any:
        nonlocal is_over
        is_over = event["detail"]["stream_is_over"]
        return redeliver(event, context)

    return redeliver_and_sweep


def _shorten(module: ModuleType, constants: Mapping[str, float]) -> None:
    for name, seconds in constants.items():
        if seconds >= getattr(module, name):
            raise ValueError(f"{module.__name__}.{name} is shorter already")
        setattr(module, name, seconds)
