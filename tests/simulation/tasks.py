"""The task table in memory, with the calls that the relay makes to it, and the stream of what was put into it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from chalicelib.dynamodb import ConditionFailed
from tests.simulation.table import call_table

if TYPE_CHECKING:
    from tests.simulation.processes import Process
    from tests.simulation.world import World

Item = Mapping[str, Any]
Place = tuple[str, str]
SCAN_PAGE = 20
_FIRST_SEQUENCE = 4_421_584_500_000_000_017_450_439_000


class TaskTable:
    """The one table. ``on_record`` gets each record of its stream, and the tag of the message that was put."""

    def __init__(self, on_record: Callable[[dict[str, Any], str], None]) -> None:
        self.items: dict[Place, Item] = {}
        self._on_record = on_record
        self._sequence = _FIRST_SEQUENCE

    def put(self, item: Item, tag: str) -> None:
        place = _place(item)
        old = self.items.get(place)
        self.items[place] = item
        if old != item:
            self._record("INSERT" if old is None else "MODIFY", item, tag, NewImage=item)

    def delete(self, key: Item, condition: str, values: Item) -> None:
        item = self.items.get(_place(key), {})
        if not all(_holds(test, item, values) for test in condition.split(" AND ")):
            raise ConditionFailed(dict(item))
        if item:
            del self.items[_place(key)]
            self._record("REMOVE", item)

    def page(self, after: Place | None) -> tuple[list[Item], Place | None]:
        places = [place for place in sorted(self.items) if after is None or place > after]
        page = places[:SCAN_PAGE]
        return [self.items[place] for place in page], page[-1] if len(places) > SCAN_PAGE else None

    def _record(self, name: str, item: Item, tag: str = "", **images: Item) -> None:
        self._sequence += 1
        change = {"Keys": {"PK": item["PK"], "SK": item["SK"]}, "SequenceNumber": str(self._sequence), **images}
        self._on_record({"eventName": name, "eventSource": "aws:dynamodb", "dynamodb": change}, tag)


class ProcessTasks:
    """The table as one process reaches it: what ``chalicelib.dynamodb.DynamoTable`` is to a real one."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        key = "|".join(_place(arguments["Key"])) if "Key" in arguments else ""
        effects: dict[str, Callable[..., dict[str, Any]]] = {"DeleteItem": self._delete, "Scan": self._scan}
        return call_table(self._world, self._process, operation, "task " + key, lambda: effects[operation](**arguments))

    def _delete(
        self, *, Key: Item, ConditionExpression: str, ExpressionAttributeValues: Item | None = None
    ) -> dict[str, Any]:
        self._world.tasks.delete(Key, ConditionExpression, ExpressionAttributeValues or {})
        self._world.note(self._process.name, "task deleted", key="|".join(_place(Key)))
        return {}

    def _scan(self, *, ConsistentRead: bool, ExclusiveStartKey: Item | None = None) -> dict[str, Any]:
        items, last = self._world.tasks.page(None if ExclusiveStartKey is None else _place(ExclusiveStartKey))
        more = {} if last is None else {"LastEvaluatedKey": {"PK": {"S": last[0]}, "SK": {"S": last[1]}}}
        return {"Items": items, **more}


def _place(key: Item) -> Place:
    return key["PK"]["S"], key["SK"]["S"]


def _holds(test: str, item: Item, values: Item) -> bool:
    if test.startswith("attribute_not_exists("):
        return test[len("attribute_not_exists(") : -1] not in item
    name, _, value = test.partition(" = ")
    return name in item and item[name] == values[value]
