"""The DynamoDB item that carries a message: the documented format, and its attribute values.

Pure: nothing here talks to DynamoDB.
Attribute values are DynamoDB's own JSON: ``{"S": "text"}``
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from math import isfinite

TASK_ID = "BOTTE_MESSAGE"
GROUP_PREFIX = TASK_ID + "#"
MAX_DEPTH = 32  # DynamoDB's own limit


class InvalidTask(ValueError):
    """The item is not one that carries a message; ``field`` names the attribute at fault."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def to_item(
    fields: Mapping[str, object],
    *,
    partition_key: str,
    sort_key: str,
    sender_app: str | None = None,
    expiration_ts: int | None = None,
) -> dict[str, object]:
    """The item for a message's fields, as ``PutItem`` takes it.

    partition_key: ``BOTTE_MESSAGE``, or ``BOTTE_MESSAGE#<group>``: the items of a group go out in the order in which
    they were put. expiration_ts: the item's TTL, in epoch seconds.
    """
    item: dict[str, object] = {
        "PK": {"S": partition_key},
        "SK": {"S": sort_key},
        "TaskId": {"S": TASK_ID},
        "Payload": to_attribute(dict(fields)),
    }
    if sender_app is not None:
        item["SenderApp"] = {"S": sender_app}
    if expiration_ts is not None:
        item["ExpirationTs"] = {"N": str(expiration_ts)}
    return item


def is_task(item: Mapping[str, object]) -> bool:
    """Whether an item asks for a message to be sent. One with another ``TaskId`` belongs to somebody else."""
    if "TaskId" in item:
        return item["TaskId"] == {"S": TASK_ID}
    key = item.get("PK")
    partition_key = key.get("S") if isinstance(key, Mapping) else None
    return isinstance(partition_key, str) and (partition_key + "#").startswith(GROUP_PREFIX)


def to_fields(item: Mapping[str, object]) -> tuple[object, tuple[str, ...]]:
    """What the item's ``Payload`` holds, as plain values, with ``SenderApp`` for a missing ``sender_app``.

    Beside it the names of the fields that are left out, as JSON has no word for what they hold. A ``Payload`` that is
    no map comes as it is. Raises InvalidTask where there is none, or none that can be read.
    """
    if "Payload" not in item:
        raise InvalidTask("Payload", "is missing")
    payload = item["Payload"]
    given = payload.get("M") if isinstance(payload, Mapping) else None
    if not isinstance(given, Mapping):
        return from_attribute(payload, "Payload"), ()
    attributes = {"sender_app": item["SenderApp"], **given} if "SenderApp" in item else given
    fields: dict[str, object] = {}
    for name, attribute in attributes.items():
        with suppress(InvalidTask):
            fields[name] = from_attribute(attribute, name)
    return fields, tuple(name for name in attributes if name not in fields)


def to_attribute(value: object) -> dict[str, object]:
    """A plain value (str, bool, int, float, None, list, mapping) as an attribute value."""
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, (int, float)):
        return {"N": repr(value)}
    if value is None:
        return {"NULL": True}
    if isinstance(value, Mapping):
        return {"M": {key: to_attribute(item) for key, item in value.items()}}
    if isinstance(value, (list, tuple)):
        return {"L": [to_attribute(item) for item in value]}
    raise TypeError(f"no attribute value for {type(value).__name__}")


def from_attribute(attribute: object, name: str, depth: int = 0) -> object:
    """The plain value of an attribute value. Raises InvalidTask for binary, sets and anything malformed."""
    if depth > MAX_DEPTH:
        raise InvalidTask(name, "is nested too deeply")
    if not isinstance(attribute, Mapping) or len(attribute) != 1:
        raise InvalidTask(name, "is not an attribute value")
    ((kind, value),) = attribute.items()
    if kind == "S" and isinstance(value, str):
        return value
    if kind == "N" and isinstance(value, str):
        return _number(value, name)
    if kind == "BOOL" and isinstance(value, bool):
        return value
    if kind == "NULL":
        return None
    if kind == "M" and isinstance(value, Mapping):
        return {key: from_attribute(item, f"{name}.{key}", depth + 1) for key, item in value.items()}
    if kind == "L" and isinstance(value, list):
        return [from_attribute(item, f"{name}[{index}]", depth + 1) for index, item in enumerate(value)]
    raise InvalidTask(name, "has a type that a message does not have")


def _number(text: str, name: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        raise InvalidTask(name, "is not a number") from None
    if not isfinite(number):
        raise InvalidTask(name, "is not a number")
    return int(number) if number.is_integer() else number
