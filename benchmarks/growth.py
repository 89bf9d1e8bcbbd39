"""What a run of ``redeliver`` costs as the backlog grows: calls, bytes read, memory, and how fast it drains.

    make growth

The relay is the real one; the outbox's table is in memory, and counts what DynamoDB would read: a query reads pages
of at most 100 entries of an index, with 128 bytes of keys and overhead beside each. The clock is virtual: a call of the
table takes 10 ms, one of Telegram 150 ms. It prints a line for each size, the ratios of the largest to the smallest
backlog, and all as JSON.
"""

from __future__ import annotations

import argparse
import json
import logging
import tracemalloc
from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.contract.message import Message
from chalicelib.outbox import states
from chalicelib.outbox.row import Key, Row
from chalicelib.outbox.states import Change, Content
from chalicelib.outbox.table import PAGE, Outbox
from chalicelib.relay import Relay
from chalicelib.settings import Parameters
from tests.outbox.memory_table import MemoryTable

TABLE_SECONDS, TELEGRAM_SECONDS = 0.010, 0.150
RUN_SECONDS = 60.0
START = 1_800_000_000.0
SIZES, LANES = (0, 1_000, 100_000), (1, 50)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class CountingTable:
    """A table that takes its time, and counts the calls and the bytes that they read."""

    def __init__(self, table: MemoryTable, clock: Clock) -> None:
        self._table = table
        self._clock = clock
        self.calls = 0
        self.bytes_read = 0

    def apply(self, key: Key, change: Change) -> Row:
        self._count()
        return self._table.apply(key, change)

    def get(self, key: Key) -> Row | None:
        return self._read(self._table.get(key))

    def head(self, partition: str) -> Row | None:
        return self._read(self._table.head(partition))

    def due(self, chat: str, by: float) -> Iterator[Row]:
        return self._pages(self._table.due(chat, by))

    def lanes(self) -> Iterator[Row]:
        return self._pages(self._table.lanes())

    def heartbeats(self) -> Iterator[Row]:
        raise NotImplementedError("for operators")

    def chats(self) -> Iterator[str]:
        return self._table.chats()  # once in fifteen runs: not of a run

    def scan(self) -> Iterator[Row]:
        return self._pages(self._table.scan())

    def _count(self) -> None:
        self.calls += 1
        self._clock.sleep(TABLE_SECONDS)

    def _read(self, row: Row | None) -> Row | None:
        self._count()
        self.bytes_read += _size(row)
        return row

    def _pages(self, rows: Iterator[Row]) -> Iterator[Row]:
        while True:
            self._count()
            page = [row for row, _ in zip(rows, range(PAGE), strict=False)]
            self.bytes_read += sum(map(_size, page))
            yield from page
            if len(page) < PAGE:
                return


def _size(row: Row | None) -> int:
    return 0 if row is None else len(json.dumps(row.item)) + 128


class Telegram:
    """Takes everything, in its time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.sent = 0

    def call(self, method: str, fields: Mapping[str, object], file: object = None) -> Any:
        del file
        self._clock.sleep(TELEGRAM_SECONDS)
        if method == "getMe":
            return {}
        self.sent += 1
        return {"message_id": self.sent, "date": 0, "text": fields["text"]}


def measure(pending: int, lanes: int) -> dict[str, float]:
    """One run with so many pending messages, spread over so many private chats."""
    clock, table = Clock(), MemoryTable()
    names = ["default", *(f"chat{number}" for number in range(1, lanes))]
    chats = json.dumps({name: number + 1 for number, name in enumerate(names)})
    values = {"/p/telegram-bot-token": "1:a", "/p/telegram-chats": chats}
    parameters = Parameters("/p", lambda _: values, clock=clock)
    counting, telegram = CountingTable(table, clock), Telegram(clock)
    outbox = Outbox(counting, clock=clock, sleep=clock.sleep)
    relay = Relay(telegram, outbox, parameters, clock=clock, sleep=clock.sleep)
    relay.redeliver(deadline=clock() + 90)  # a new process also looks for chats that are configured no more
    for number in range(pending):
        message = Message(text=f"message {number}", chat=names[number % lanes])
        table.apply(Key.of_id(f"{number:06d}"), states.wait(Content.of(message, START - pending + number)))
    clock.sleep(1.0)
    counting.calls = counting.bytes_read = 0
    began = clock()
    tracemalloc.start()
    relay.redeliver(deadline=clock() + 90)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    seconds = max(clock() - began, RUN_SECONDS if pending > telegram.sent else 1.0)
    # A bot alone can make so many calls in a row; a lane takes one a second.
    possible = min(lanes * seconds, seconds / (TELEGRAM_SECONDS + 2 * TABLE_SECONDS), pending)
    return {
        "pending": pending,
        "lanes": lanes,
        "calls": counting.calls,
        "sent": telegram.sent,
        "overhead_calls": counting.calls - 2 * telegram.sent,
        "kilobytes_read": round(counting.bytes_read / 1024, 1),
        "peak_kilobytes": round(peak / 1024),
        "of_the_pace": round(telegram.sent / possible, 3) if possible else 1.0,
    }


def main() -> None:
    argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__).parse_args()
    logging.disable(logging.CRITICAL)
    print("pending  lanes  calls  sent  calls but claim and mark  KB read  peak KB  of Telegram's pace")
    results = [measure(pending, lanes) for lanes in LANES for pending in SIZES]
    for result in results:
        print(
            "{pending:7}  {lanes:5}  {calls:5}  {sent:4}  {overhead_calls:24}  {kilobytes_read:7}"
            "  {peak_kilobytes:7}  {of_the_pace:18}".format(**result)
        )
    for lanes in LANES:
        _, small, large = [result for result in results if result["lanes"] == lanes]
        ratios = {name: large[name] / small[name] for name in ("calls", "kilobytes_read", "peak_kilobytes")}
        print(
            f"100,000 to 1,000 in {lanes} lanes: " + ", ".join(f"{name} x{ratio:.2f}" for name, ratio in ratios.items())
        )
    print(json.dumps(results))


if __name__ == "__main__":
    main()
