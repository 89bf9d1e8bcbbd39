"""The handlers that a worker process runs: the real app's, with its waiting cut short.

A run of minutes cannot wait as long as production does, so this much is shortened, and nothing else:

- Telegram's timeouts, from 3 and 10 seconds to 1 and 1;
- the lease of a row that is being sent, from 60 seconds to 5;
- the backoff, from 5 seconds to 15 minutes, to 0.3 to 3 seconds;
- the longest sleep for a ``retry_after``, from 5 seconds to 1.5, so that the fake's 1 is slept and its 3 is not;
- the pace of redelivery, from one message a second to a hundred.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from chalice.app import Chalice
from chalice.cli.factory import CLIFactory

from benchmarks.chaos import APP_DIR

Handlers = Mapping[str, Callable[[Any, Any], Any]]
Load = Callable[[], Handlers]

LEASE_SECONDS = 5.0
TIMEOUT_SECONDS = 1.0
RETRY_AFTER_SLEPT, RETRY_AFTER_PARKED = 1, 3


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
    return {"http": chalice_app, **{name: chalice_app.handler_map[name] for name in names}}


def _cut_waiting_short(app: Any) -> None:
    from chalicelib import attempt, courier, relay
    from chalicelib.telegram import Telegram

    _shorten(attempt, MIN_BACKOFF_SECONDS=0.3, MAX_BACKOFF_SECONDS=3.0)
    _shorten(courier, MAX_SLEEP_SECONDS=1.5, PRIVATE_CHAT_INTERVAL_SECONDS=0.01)
    telegram = Telegram(
        app.settings.telegram_api_url,
        app.parameters.bot_token,
        connect_timeout=TIMEOUT_SECONDS,
        read_timeout=TIMEOUT_SECONDS,
    )
    # The handlers look the relay up in their module when they are called.
    app.relay = relay.Relay(telegram, app.outbox, app.parameters, lease_seconds=LEASE_SECONDS)


def _shorten(module: ModuleType, **constants: float) -> None:
    for name, seconds in constants.items():
        if seconds >= getattr(module, name):
            raise ValueError(f"{module.__name__}.{name} is shorter already")
        setattr(module, name, seconds)
