"""Log lines for people: `12:30:01 WARNING botte.relay: Telegram asked to wait  retry_after=3`."""

from __future__ import annotations

import logging
from collections.abc import Callable

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_LIBRARIES = frozenset({"boto3", "botocore", "moto", "urllib3", "werkzeug"})


class ShortFormatter(logging.Formatter):
    """One line, with what was given as `extra` at its end."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", datefmt="%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:
        extra = [
            f"{name}={value!r}" for name, value in vars(record).items() if name not in _STANDARD and value is not None
        ]
        return "  ".join([super().formatMessage(record), *extra])


class MendedHandler(logging.Handler):
    """Hands on what Botte logs of each message that it changed for Telegram to take it: its ids, and the fields."""

    def __init__(self, mark: Callable[[list[int], list[str]], None]) -> None:
        super().__init__()
        self._mark = mark

    def emit(self, record: logging.LogRecord) -> None:
        told = vars(record)
        if told.get("mended") and told.get("message_ids"):
            self._mark(told["message_ids"], told["mended"])


def log_to_stderr() -> None:
    """Everything from INFO on goes to stderr, from libraries only errors: urllib3 puts URLs into its warnings, and
    with them the bot token."""
    handler = logging.StreamHandler()
    handler.setFormatter(ShortFormatter())
    handler.addFilter(_is_wanted)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def _is_wanted(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR or record.name.partition(".")[0] not in _LIBRARIES
