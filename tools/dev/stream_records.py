"""Makes moto's streams tell of a write what DynamoDB's tell.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
"""

from __future__ import annotations

from typing import Any

from moto.dynamodb.models.table import StreamShard

_add = StreamShard.add


def use_dynamodbs_records() -> None:
    """From now on an UpdateItem that makes a row gives one INSERT, and a write that changes nothing gives no record.

    moto puts a row of nothing but its keys first and then updates it, which makes two INSERTs of one row.
    """
    shard: Any = StreamShard
    shard.add = _add_as_dynamodb


def _add_as_dynamodb(shard: Any, old: Any, new: Any) -> None:
    if old is not None and new is not None and old.to_json() == new.to_json():
        return
    before = shard.items[-1].record if shard.items else None
    _add(shard, old, new)
    after = shard.items[-1].record
    if before is not None and _is_insert_of_the_same_row(before, after):
        # Nothing can have read the first one: both come from one call, and calls are made one at a time.
        del shard.items[-2]
        after["dynamodb"]["SequenceNumber"] = before["dynamodb"]["SequenceNumber"]


def _is_insert_of_the_same_row(before: dict[str, Any], after: dict[str, Any]) -> bool:
    inserts = before["eventName"] == after["eventName"] == "INSERT"
    return inserts and bool(before["dynamodb"]["Keys"] == after["dynamodb"]["Keys"])
