"""The DynamoDB door: items are put into the task table, and a stream tells of them.

The records of one partition key come in the order of the writes. A shard's batch comes again, unchanged, until it is
acknowledged. Beyond that records are repeated later on, and some never come.
"""

from __future__ import annotations

import datetime
import itertools
import random
import threading
import time
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from benchmarks.chaos.hostile import AGAIN, SHAPES, UNSTREAMED, Item
from benchmarks.chaos.ledger import Ledger
from benchmarks.chaos.plan import Letter
from benchmarks.chaos.pool import Pool
from benchmarks.chaos.stage import Stage
from tools.dev.events import stream_record

SHARDS = 3
MAX_BATCH = 30  # as many as a function can take in while it has no time left to send them
_RETRY_SECONDS = 0.1
_REPEATED = 0.05

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
        self._numbers = itertools.count(10**20 + 1)
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

    @property
    def is_over(self) -> bool:
        """Whether everything is written, and all records are acknowledged."""
        return not any(thread.is_alive() for thread in self.threads)

    def _write(self, chance: random.Random) -> None:
        for letter in self._letters:
            if self._stopping.is_set():
                return
            item = make_item(letter)
            self._put(item, letter)
            self._ledger.accept(letter)
            # In bursts: now one at a time, now many for one batch.
            if chance.random() < 0.2:
                self._stopping.wait(chance.uniform(0.1, 0.6))
            if letter.shape == AGAIN:
                self._put(item, letter)
        self._written.set()

    def _put(self, item: Item, letter: Letter) -> None:
        self._stage.aws.put_item(TableName=self._stage.table_name, Item=item)
        if letter.shape != UNSTREAMED:
            record = _record(item, next(self._numbers), self._stage.stream_arn)
            with self._lock:
                self._waiting[zlib.crc32(item["PK"]["S"].encode()) % SHARDS].append(record)

    def _read(self, shard: int, chance: random.Random) -> None:
        past: list[Record] = []
        for batch in self._batches(shard, chance):
            past += batch
            delivered = batch + [chance.choice(past) for _ in batch if chance.random() < _REPEATED]
            while not self._pool.acknowledges("dynamodb_message", {"Records": delivered}):
                if self._stopping.wait(_RETRY_SECONDS):
                    return

    def _batches(self, shard: int, chance: random.Random) -> Iterator[list[Record]]:
        while not self._stopping.is_set():
            ended = self._written.is_set()
            with self._lock:
                size = chance.choice((1, 5, MAX_BATCH))
                batch, self._waiting[shard] = self._waiting[shard][:size], self._waiting[shard][size:]
            if batch:
                yield batch
            elif ended:
                return
            else:
                time.sleep(0.05)


def make_item(letter: Letter) -> Item:
    """The item that carries a letter, in its shape."""
    item: Item = {
        "PK": {"S": letter.partition_key},
        "SK": {"S": letter.sort_key},
        "TaskId": {"S": "BOTTE_MESSAGE"},
        "SenderApp": {"S": "chaos"},
        "Payload": {"M": {name: {"S": value} for name, value in letter.fields.items()}},
        "ExpirationTs": {"N": str(int(time.time()))},
    }
    if letter.shape is not None:
        item |= SHAPES[letter.shape].attributes(uid=letter.uid, text=letter.lines[0], chat=letter.chat)
    return {name: value for name, value in item.items() if value is not None}


def _record(item: Item, number: int, stream_arn: str) -> Record:
    """Read as MODIFY or as INSERT: a task may have left its table before it is put again."""
    change = {
        "ApproximateCreationDateTime": datetime.datetime.now(datetime.timezone.utc),
        "Keys": {"PK": item["PK"], "SK": item["SK"]},
        "NewImage": item,
        "SequenceNumber": str(number),
        "SizeBytes": 100,
        "StreamViewType": "NEW_IMAGE",
    }
    name = ("INSERT", "MODIFY")[number % 2]
    return stream_record({"eventID": f"{number:032x}", "eventName": name, "dynamodb": change}, stream_arn)
