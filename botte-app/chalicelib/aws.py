"""boto3, imported when it is first needed: it takes longer to import than everything else here together."""

from __future__ import annotations

import logging
import threading
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType


_lock = threading.Lock()  # boto3 makes clients on one default session, and that is not thread-safe


def client(service: str) -> Any:
    """The boto3 client for an AWS service, made once. It gives up after about 10 seconds, so that a caller can answer.

    Region, credentials and ``AWS_ENDPOINT_URL`` come from the environment, as ever with boto3.
    """
    with _lock:
        return _client(service)


def explain(error: Exception) -> str:
    """What an exception of botocore's means, in a few words that hold no secret."""
    response = getattr(error, "response", None)
    if response is not None:
        return str(response["Error"]["Code"])
    endpoint = getattr(error, "kwargs", {}).get("endpoint_url")
    return f"{type(error).__name__} at {endpoint}" if endpoint else type(error).__name__


def botocore(module: str) -> ModuleType:
    """A module of botocore, such as ``exceptions``."""
    return _import(f"botocore.{module}")


@cache
def _client(service: str) -> Any:
    config = botocore("config").Config(
        connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2}
    )
    return _import("boto3").client(service, config=config)


@cache
def _import(name: str) -> ModuleType:
    from importlib import import_module

    # At DEBUG botocore logs whole answers, and with them the parameters' values.
    logging.getLogger("botocore").setLevel(logging.WARNING)
    return import_module(name)
