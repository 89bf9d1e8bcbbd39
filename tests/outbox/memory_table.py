"""DynamoDB in memory, as far as the outbox uses it: a hundred times as fast as the embedded AWS.

It stands in where thousands of runs are wanted; ``test_memory_table.py`` holds it to the embedded AWS. An expression
that it does not understand is an error.
"""

from __future__ import annotations

import re
from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from types import CodeType
from typing import Any

from botocore.exceptions import ClientError

Item = dict[str, Any]

_TOKEN = re.compile(r"\s*([A-Za-z_#:][\w#:]*|<=|=|<|[(),])")
_WORDS = {"AND": "and", "OR": "or", "=": "==", "IN": "in"}
_PUNCTUATION = {"<", "<=", "(", ")", ",", "attribute_not_exists"}
_IS_DUE = "TaskId = :task AND DueTs <= :by"
_DUE = ("PK", "SK", "TaskId", "DueTs", "AcceptedTs", "MayGoEarly")
_UNSENT = ("PK", "SK", "UnsentSK", "Status", "DueTs")


class MemoryTable:
    """A DynamoDB client that knows one table. An item is never changed but replaced, so none is copied."""

    def __init__(self) -> None:
        self._groups: defaultdict[str, dict[str, Item]] = defaultdict(dict)
        self._unsent: defaultdict[str, dict[str, Item]] = defaultdict(dict)
        self._due: list[tuple[float, str, str]] = []

    def put_item(self, *, Item: Item, **options: Any) -> dict[str, Any]:
        self._check(Item, options)
        self._replace(Item, dict(Item))
        return {}

    def get_item(self, *, Key: Item, **options: Any) -> dict[str, Any]:
        assert options["ConsistentRead"]
        found = self._find(Key)
        return {"Item": found} if found else {}

    def delete_item(self, *, Key: Item, **options: Any) -> dict[str, Any]:
        self._check(Key, options)
        self._replace(Key, None)
        return {}

    def update_item(self, *, Key: Item, UpdateExpression: str, **options: Any) -> dict[str, Any]:
        self._check(Key, options)
        old = self._find(Key) or Key
        new = dict(old)
        names, values = options.get("ExpressionAttributeNames", {}), options.get("ExpressionAttributeValues", {})
        clauses = re.split(r"\b(SET|REMOVE|ADD)\b", UpdateExpression)[1:]
        for verb, clause in zip(clauses[::2], clauses[1::2], strict=True):
            for part in re.split(r",(?![^(]*\))", clause):
                _apply(verb, part.strip(), old, new, names, values)
        self._replace(Key, new)
        return {"Attributes": new}

    def query(self, *, KeyConditionExpression: str, **options: Any) -> dict[str, Any]:
        assert "ExclusiveStartKey" not in options, "there are no more pages"
        index, values = options.get("IndexName"), options["ExpressionAttributeValues"]
        if index == "due":
            assert KeyConditionExpression == _IS_DUE
            due = self._due[: bisect_right(self._due, (_plain(values[":by"]), "\U0010ffff"))]
            return {"Items": [_projected(self._groups[pk][sk], _DUE) for _, pk, sk in due]}
        items = self._unsent if index == "unsent" else self._groups
        sort_key = "UnsentSK" if index == "unsent" else "SK"
        candidates = items[values[":pk"]["S"]].values()
        holds = _condition(KeyConditionExpression, options)
        found = [item for item in candidates if holds(item)]
        found.sort(key=lambda item: _plain(item[sort_key]), reverse=not options.get("ScanIndexForward", True))
        seen = found[: options.get("Limit", len(found))]
        return {"Items": [_projected(item, _UNSENT) if index == "unsent" else item for item in seen]}

    def scan(self, **_: Any) -> dict[str, Any]:
        return {"Items": [item for group in self._groups.values() for item in group.values()]}

    def _find(self, key: Item) -> Item | None:
        return self._groups[key["PK"]["S"]].get(key["SK"]["S"])

    def _replace(self, key: Item, new: Item | None) -> None:
        partition, sort = key["PK"]["S"], key["SK"]["S"]
        old = self._groups[partition].pop(sort, None)
        self._unsent[partition].pop(sort, None)
        if old is not None and "DueTs" in old:
            self._due.remove((_plain(old["DueTs"]), partition, sort))
        if new is not None:
            self._groups[partition][sort] = new
            if "UnsentSK" in new:
                self._unsent[partition][sort] = new
            if "DueTs" in new:
                insort(self._due, (_plain(new["DueTs"]), partition, sort))

    def _check(self, key: Item, options: Mapping[str, Any]) -> None:
        item = self._find(key)
        expression = options.get("ConditionExpression")
        if expression is None or _condition(expression, options)(item or {}):
            return
        seen = {"Item": item} if options.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and item else {}
        raise _refusal("ConditionalCheckFailedException", "The conditional request failed", **seen)


def _projected(item: Item, names: Iterable[str]) -> Item:
    return {name: item[name] for name in names if name in item}


def _refusal(code: str, message: str, **more: Any) -> ClientError:
    error: Any = {"Error": {"Code": code, "Message": message}, **more}
    return ClientError(error, "UpdateItem")


def _plain(attribute: Mapping[str, Any]) -> Any:
    return float(attribute["N"]) if "N" in attribute else next(iter(attribute.values()))


def _apply(verb: str, part: str, old: Item, new: Item, names: Mapping[str, str], values: Mapping[str, Any]) -> None:
    if verb == "REMOVE":
        new.pop(names.get(part, part), None)
    elif verb == "ADD":
        name, value = part.split()
        if "N" not in old.get(name, values[value]):
            raise _refusal("ValidationException", "An operand in the update expression has an incorrect data type")
        total = int(old.get(name, {"N": "0"})["N"]) + int(values[value]["N"])
        new[names.get(name, name)] = {"N": str(total)}
    else:
        name, value = re.split(r"\s*=\s*", part, maxsplit=1)
        once = re.fullmatch(r"if_not_exists\((\S+), (\S+)\)", value)
        if once is None:
            new[names.get(name, name)] = values[value]
        elif names.get(once[1], once[1]) not in old:
            new[names.get(name, name)] = values[once[2]]


def _condition(expression: str, options: Mapping[str, Any]) -> Callable[[Item], bool]:
    code = _python(expression, tuple(options.get("ExpressionAttributeNames", {}).items()))
    values = {name: _plain(value) for name, value in options.get("ExpressionAttributeValues", {}).items()}
    known = {"__builtins__": {}, "values": values, "attribute_not_exists": lambda value: value is _MISSING}
    return lambda item: bool(eval(code, known, {"item": _Values(item)}))


@lru_cache
def _python(expression: str, names: tuple[tuple[str, str], ...]) -> CodeType:
    """A condition as Python: the two languages are near enough."""
    real_names = dict(names)
    python = []
    position = 0
    while position < len(expression.rstrip()):
        token = _TOKEN.match(expression, position)
        assert token is not None, expression
        position, word = token.end(), token[1]
        if word in _WORDS or word in _PUNCTUATION:
            python.append(_WORDS.get(word, word))
        elif word.startswith(":"):
            python.append(f"values[{word!r}]")
        else:
            python.append(f"item[{real_names.get(word, word)!r}]")
    return compile(" ".join(python), expression, "eval")


class _Missing:
    """What an attribute that is not there compares to: nothing."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return False

    def __lt__(self, other: object) -> bool:
        return False

    __le__ = __gt__ = __ge__ = __lt__


_MISSING = _Missing()


class _Values:
    def __init__(self, item: Item) -> None:
        self._item = item

    def __getitem__(self, name: str) -> object:
        return _plain(self._item[name]) if name in self._item else _MISSING
