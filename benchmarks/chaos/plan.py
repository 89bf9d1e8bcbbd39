"""What is sent in a run: a seed makes the same letters every time."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

Door = Literal["http", "lambda", "async", "stream", "queue", "fifo"]

LINES_OF_A_LONG_LETTER = 90
_WORDS = "the quick brown fox jumps over the lazy dog and then does it all again until it is tired"
_SHARES: dict[Door, int] = {"http": 22, "lambda": 12, "async": 8, "stream": 34, "queue": 12, "fifo": 12}


@dataclass(frozen=True)
class Letter:
    """One message of the plan.

    uid: unique in all runs, at the start of each line of the text. group: letters of one group go out in the order of
    the plan. id: the message's idempotency key. bad: input that has to be parked. long: the text takes three parts.
    """

    uid: str
    number: int
    door: Door
    group: str | None = None
    id: str | None = None
    bad: bool = False
    long: bool = False

    @property
    def lines(self) -> list[str]:
        count = LINES_OF_A_LONG_LETTER if self.long else 1
        return [f"{self.uid}/{number} {_WORDS}" for number in range(count)]

    @property
    def fields(self) -> dict[str, object]:
        """The message's fields; bad input has no text."""
        if self.bad:
            return {"words": self.uid}
        return {"text": "\n".join(self.lines), **({"id": self.id} if self.id else {})}

    @property
    def key(self) -> tuple[str, str]:
        """Partition and sort key of the letter's item or row; for HTTP only where it has an id."""
        if self.door == "fifo":
            return f"BOTTE_MESSAGE#sqs:{FIFO_QUEUE}:{self.group}", str(sequence_number(self.number)).zfill(39)
        name = self.id if self.door == "http" and self.id else self.uid
        return f"BOTTE_MESSAGE#{self.group or name}", name


FIFO_QUEUE = "chaos.fifo"


def sequence_number(number: int) -> int:
    """An SQS sequence number: twenty digits, growing."""
    return 18_849_496_460_467_696_128 + 256 * number


def make_plan(run: str, seed: int, count: int) -> list[Letter]:
    """The letters of a run. run: keeps the uids of one run from those of another."""
    chance = random.Random(seed)
    doors = chance.choices(list(_SHARES), weights=list(_SHARES.values()), k=count)
    groups = max(2, count // 150)
    return [_letter(chance, run, number, door, groups) for number, door in enumerate(doors)]


def _letter(chance: random.Random, run: str, number: int, door: Door, groups: int) -> Letter:
    uid = f"{run}-{door}-{number:05d}"
    group = None
    if door == "fifo" or (door == "stream" and chance.random() < 0.7):
        group = f"{run}-{door}-group-{chance.randrange(groups)}"
    has_id = chance.random() < {"http": 0.7, "lambda": 0.7, "async": 0.3}.get(door, 0.1)
    bad = door in ("async", "stream", "queue", "fifo") and chance.random() < 0.08
    long = not bad and chance.random() < 0.02
    return Letter(uid, number, door, group, f"id-{uid}" if has_id and not bad else None, bad, long)
