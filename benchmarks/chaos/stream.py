"""The DynamoDB door: items are put into the table, and their records are delivered as a stream does, and worse.

A shard's batch comes again, unchanged, until it is acknowledged. Beyond that records are repeated, swapped within and
across batches, and delivered by two shards at once: the rows, not the records, have to keep a group in order.
"""

from __future__ import annotations

import random
import threading
import time
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from benchmarks.chaos.ledger import Ledger
from benchmarks.chaos.plan import Letter
from benchmarks.chaos.pool import Pool
from benchmarks.chaos.stage import Stage

SHARDS = 3
MAX_BATCH = 100
_RETRY_SECONDS = 0.1
_REPEATED = 0.05
_ON_TWO_SHARDS = 0.3
_SHUFFLED_BATCHES = 0.5
_LATE = 0.1

Record = dict[str, Any]


class Stream:
    """A writer, and one thread for each shard."""

    def __init__(self, stage: Stage, pool: Pool, ledger: Ledger, letters: Iterable[Letter], seed: int) -> None:
        self._stage = stage
        self._pool = pool
        self._ledger = ledger
        self._letters = [letter for letter in letters if letter.door == "stream"]
        self._lock = threading.Lock()
        self._waiting: list[list[Record]] = [[] for _ in range(SHARDS)]
        self._written = threading.Event()
        self._stopping = threading.Event()
        self.threads = [threading.Thread(target=self._write, args=(random.Random(f"writer {seed}"),), daemon=True)]
        self.threads += [
            threading.Thread(target=self._read, args=(shard, random.Random(f"shard {seed} {shard}")), daemon=True)
            for shard in range(SHARDS)
        ]
        self.writers = self.threads[:1]

    def stop(self) -> None:
        self._stopping.set()

    def _write(self, chance: random.Random) -> None:
        for letter in self._letters:
            if self._stopping.is_set():
                return
            item = _item(letter)
            self._stage.table.put_item(TableName=self._stage.table_name, Item=item)
            self._ledger.accept(letter)
            self._feed(item, chance)
            # In bursts: now one at a time, now many for one batch.
            if chance.random() < 0.2:
                self._stopping.wait(chance.uniform(0.1, 0.6))
        self._written.set()

    def _feed(self, item: dict[str, Any], chance: random.Random) -> None:
        home = zlib.crc32(item["PK"]["S"].encode()) % SHARDS
        shards = [home] + ([(home + 1) % SHARDS] if chance.random() < _ON_TWO_SHARDS else [])
        with self._lock:
            for shard in shards:
                waiting = self._waiting[shard]
                early = chance.randrange(6) if chance.random() < _LATE else 0
                waiting.insert(max(0, len(waiting) - early), _record(item))

    def _read(self, shard: int, chance: random.Random) -> None:
        past: list[Record] = []
        for batch in self._batches(shard, chance):
            past += batch
            delivered = batch + [chance.choice(past) for _ in batch if chance.random() < _REPEATED]
            if chance.random() < _SHUFFLED_BATCHES:
                chance.shuffle(delivered)
            while not self._is_acknowledged(delivered):
                if self._stopping.wait(_RETRY_SECONDS):
                    return

    def _batches(self, shard: int, chance: random.Random) -> Iterator[list[Record]]:
        while not self._stopping.is_set():
            ended = self._written.is_set()
            with self._lock:
                size = chance.choice((1, 5, 30, MAX_BATCH))
                batch, self._waiting[shard] = self._waiting[shard][:size], self._waiting[shard][size:]
            if batch:
                yield batch
            elif ended:
                return
            else:
                time.sleep(0.05)

    def _is_acknowledged(self, records: list[Record]) -> bool:
        batches = [records[:MAX_BATCH], records[MAX_BATCH:]]
        return all(self._pool.acknowledges("dynamodb_message", {"Records": batch}) for batch in batches if batch)


def _item(letter: Letter) -> dict[str, Any]:
    partition_key, sort_key = letter.key
    return {
        "PK": {"S": partition_key},
        "SK": {"S": sort_key},
        "TaskId": {"S": "BOTTE_MESSAGE"},
        "SenderApp": {"S": "chaos"},
        "Payload": {"M": {name: {"S": value} for name, value in letter.fields.items()}},
        "ExpirationTs": {"N": str(int(time.time()))},
    }


def _record(item: dict[str, Any]) -> Record:
    return {
        "eventID": f"{zlib.crc32(item['SK']['S'].encode()):032x}",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": time.time(),
            "Keys": {"PK": item["PK"], "SK": item["SK"]},
            "NewImage": item,
            "SequenceNumber": "100000000000000000001",
            "SizeBytes": 100,
            "StreamViewType": "NEW_IMAGE",
        },
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/botte-local-tasks/stream/2026-01-01T00:00:00",
    }
