"""Lambda's Python runtime, as far as Botte needs it: run as `python -I runtime.py`, with the variables of Lambda.

A line of JSON on stdin is an invocation: ``{"event": ..., "request_id": ..., "timeout": seconds}``. A line on stdout is
its answer: ``{"result": ...}`` or ``{"error": {...}}``, and the lines that were logged. It imports nothing of the
project: what it runs has to be in the deployed zip.
"""

from __future__ import annotations

import decimal
import importlib
import json
import logging
import os
import sys
import time
import traceback
from typing import Any

_STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime"}


class Context:
    """The second argument of a handler."""

    def __init__(self, request_id: str, timeout: float) -> None:
        self.aws_request_id = request_id
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = "$LATEST"
        self.log_group_name = f"/aws/lambda/{self.function_name}"
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self._ends = time.monotonic() + timeout

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._ends - time.monotonic()) * 1000))


class LogLines(logging.Handler):
    """Keeps log lines as JSON, as Lambda's own JSON log format has them.

    https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.request_id = ""

    def emit(self, record: logging.LogRecord) -> None:
        line = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": self.request_id,
            **{name: value for name, value in vars(record).items() if name not in _STANDARD},
        }
        if record.exc_info:
            line["stackTrace"] = traceback.format_exception(*record.exc_info)
        self.lines.append(json.dumps(line, default=str))

    def take(self) -> list[str]:
        taken, self.lines = self.lines, []
        return taken


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a handler prints is no answer
    log = LogLines()
    logging.getLogger().addHandler(log)
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    module, _, name = os.environ["_HANDLER"].rpartition(".")
    try:
        handler = getattr(importlib.import_module(module), name)
    except Exception as error:
        problem = error

        def handler(_event: Any, _context: Any) -> None:
            raise problem

    for line in sys.stdin:
        invocation = json.loads(line)
        log.request_id = invocation["request_id"]
        answer = _run(handler, invocation)
        answers.write(json.dumps({**answer, "logs": log.take()}, default=_number) + "\n")
        answers.flush()


def _run(handler: Any, invocation: dict[str, Any]) -> dict[str, Any]:
    try:
        context = Context(invocation["request_id"], invocation["timeout"])
        return {"result": handler(invocation["event"], context)}
    except Exception as error:
        logging.getLogger().error("failed", exc_info=error)
        return {
            "error": {
                "errorMessage": str(error),
                "errorType": type(error).__name__,
                "requestId": invocation["request_id"],
                "stackTrace": traceback.format_tb(error.__traceback__),
            }
        }


def _number(value: Any) -> float:
    if isinstance(value, decimal.Decimal):
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


if __name__ == "__main__":
    main()
