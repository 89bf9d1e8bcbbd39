"""The internal errors of the relay: it logs and survives them, and the auditor wants to know."""

from __future__ import annotations

import logging
from collections.abc import Callable


class InternalErrors(logging.Handler):
    """Notes what the relay logs with a traceback, while it is entered; whatever else it logs goes nowhere."""

    def __init__(self, note: Callable[..., None]) -> None:
        super().__init__(logging.ERROR)
        self._note = note
        self._logger = logging.getLogger("botte")
        self._before = self._logger.level, self._logger.propagate

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[0]:
            self._note("", "internal error", error=f"{record.exc_info[0].__name__}: {record.exc_info[1]}")

    def __enter__(self) -> None:
        self._before = self._logger.level, self._logger.propagate
        self._logger.setLevel(logging.ERROR)
        self._logger.propagate = False
        self._logger.addHandler(self)

    def __exit__(self, *_: object) -> None:
        level, self._logger.propagate = self._before
        self._logger.setLevel(level)
        self._logger.removeHandler(self)
