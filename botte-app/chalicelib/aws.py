"""AWS, through boto3, which is imported when it is first needed: it takes longer than everything else here together."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from .errors import TableAnswerLost, TableUnavailable, WriteRefused

if TYPE_CHECKING:
    from types import ModuleType

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
_WORTH_A_RETRY = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "ServiceUnavailable",
}
# The item is too large, or its group is: it will not be written by trying again.
_NEVER_WRITTEN = {"ValidationException", "ItemCollectionSizeLimitExceededException"}
# Errors of botocore's that come before a request is on its way.
_NEVER_ASKED = {
    "ConnectTimeoutError",
    "EndpointConnectionError",
    "NoCredentialsError",
    "NoRegionError",
    "ParamValidationError",
    "PartialCredentialsError",
    "ProxyConnectionError",
    "SSLError",
}
_NEVER_HELPED = {"NoCredentialsError", "NoRegionError", "ParamValidationError", "PartialCredentialsError"}

_lock = threading.Lock()  # boto3 makes clients on one default session, and that is not thread-safe


class ConditionFailed(Exception):
    """The condition of a write does not hold; ``item`` is what is there, or empty."""

    def __init__(self, item: dict[str, Any]) -> None:
        super().__init__("the condition of the write does not hold")
        self.item = item


class DynamoTable:
    """A table of DynamoDB. client: gives its client, when it is first needed."""

    def __init__(self, name: str, client: Callable[[], Any] = lambda: client("dynamodb")) -> None:
        self.name = name
        self._client = client

    def call(self, operation: str, **arguments: object) -> dict[str, Any]:
        """Makes one request, without a retry.

        Raises ConditionFailed; WriteRefused; TableAnswerLost where the request may have done its work; else
        TableUnavailable, with ``retry_after`` 0 where the same request may succeed the next moment.
        """
        exceptions = botocore("exceptions")
        try:
            answer: dict[str, Any] = getattr(self._client(), operation)(TableName=self.name, **arguments)
        except exceptions.ClientError as error:
            code = explain(error)
            if code == "ConditionalCheckFailedException":
                raise ConditionFailed(error.response.get("Item", {})) from None
            reason = f"the table {self.name} cannot be used: {code}"
            if code in _NEVER_WRITTEN:
                raise WriteRefused(reason) from None
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 500:
                raise TableAnswerLost(reason, retry_after=0.0) from None
            raise TableUnavailable(reason, retry_after=0.0 if code in _WORTH_A_RETRY else None) from None
        except exceptions.BotoCoreError as error:
            reason = f"the table {self.name} cannot be used: {explain(error)}"
            kinds = {kind.__name__ for kind in type(error).__mro__}
            if not kinds & _NEVER_ASKED:
                raise TableAnswerLost(reason, retry_after=0.0) from None
            raise TableUnavailable(reason, retry_after=None if kinds & _NEVER_HELPED else 0.0) from None
        return answer


def pages(call: Callable[..., dict[str, Any]], operation: str, **arguments: object) -> Iterator[dict[str, Any]]:
    """The items that a query or a scan finds, one ``call`` of a table for each page of them."""
    start: dict[str, object] = {}
    while True:
        answer = call(operation, **arguments, **start)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


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
    # Whoever writes to a table has to know whether an earlier try of the same request may have been the one.
    tries = 1 if service == "dynamodb" else 2
    config = botocore("config").Config(
        connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": tries}
    )
    return _import("boto3").client(service, config=config)


@cache
def _import(name: str) -> ModuleType:
    from importlib import import_module

    # At DEBUG botocore logs whole answers, and with them the parameters' values.
    logging.getLogger("botocore").setLevel(logging.WARNING)
    return import_module(name)
