"""A table of DynamoDB: one request, and what its failure means for whoever wanted to write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from .aws import AwsError
from .errors import TableAnswerLost, TableUnavailable, WriteRefused

# What is to be written is too large or of a wrong type, or its group is too large: it would be refused again.
_NEVER_WRITTEN = {"ValidationException", "SerializationException", "ItemCollectionSizeLimitExceededException"}


class Aws(Protocol):
    """What makes a request of AWS: :class:`chalicelib.aws.Aws`, or a stand-in."""

    def call(self, operation: str, arguments: Mapping[str, object]) -> dict[str, Any]: ...


class ConditionFailed(Exception):
    """The condition of a write does not hold; ``item`` is what is there, or empty."""

    def __init__(self, item: dict[str, Any]) -> None:
        super().__init__("the condition of the write does not hold")
        self.item = item


class DynamoTable:
    """A table of DynamoDB."""

    def __init__(self, aws: Aws, name: str) -> None:
        self._aws = aws
        self.name = name

    def call(self, operation: str, **arguments: object) -> dict[str, Any]:
        """Makes one request of an operation, such as ``UpdateItem``, without a retry.

        Raises ConditionFailed; WriteRefused; TableAnswerLost where the request may have done its work; else
        TableUnavailable, with ``retry_after`` 0 where the same request may succeed the next moment.
        """
        try:
            return self._aws.call(f"DynamoDB_20120810.{operation}", {"TableName": self.name, **arguments})
        except AwsError as error:
            if error.code == "ConditionalCheckFailedException":
                raise ConditionFailed(error.answer.get("Item", {})) from None
            reason = f"the table {self.name} cannot be used: {error.code}"
            if error.code in _NEVER_WRITTEN:
                raise WriteRefused(reason) from None
            kind = TableAnswerLost if error.perhaps_done else TableUnavailable
            raise kind(reason, retry_after=0.0 if error.may_pass else None) from None


def pages(call: Callable[..., dict[str, Any]], operation: str, **arguments: object) -> Iterator[dict[str, Any]]:
    """The items that a query or a scan finds, one ``call`` of a table for each page of them."""
    start: dict[str, object] = {}
    while True:
        answer = call(operation, **arguments, **start)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
