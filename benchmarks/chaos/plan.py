"""What is sent in a run: a seed makes the same letters every time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from benchmarks.chaos.hostile import NO_WORDS, OTHER_WORDS, SHAPES, Ends
from tools.dev.fake_telegram import TWIN_CHAT_ID

Door = Literal["http", "lambda", "async", "stream", "queue", "fifo"]

# A private chat and a group, by their names.
CHATS = {"default": TWIN_CHAT_ID, "ops": -1002137200685}
LINES_OF_A_LONG_LETTER = 90
_WORDS = "the quick brown fox jumps over the lazy dog and then does it all again until it is tired"
_SHARES: dict[Door, int] = {"http": 22, "lambda": 12, "async": 8, "stream": 34, "queue": 12, "fifo": 12}
_EACH_HOSTILE = 4  # one item of so many that are put into the task table


@dataclass(frozen=True)
class Letter:
    """One message of the plan.

    uid: unique in all runs, at the start of each line of the text. group: letters of one group go out in the order of
    the plan. id: the message's idempotency key. long: the text takes three parts. shape: what is wrong with it, one of
    ``SHAPES``; at the other doors than the stream only ``NO_WORDS``. sort_key: of its item.
    """

    uid: str
    number: int
    door: Door
    chat: str
    group: str | None = None
    id: str | None = None
    long: bool = False
    shape: str | None = None
    sort_key: str = ""

    @property
    def ends(self) -> Ends:
        return "sent" if self.shape is None else SHAPES[self.shape].ends

    @property
    def partition_key(self) -> str:
        """Of its item. Of those in no group, every other one has the bare key, the rest one that names the message."""
        if self.group is not None:
            return f"BOTTE_MESSAGE#{self.group}"
        is_bare = self.number % 2 or self.sort_key != self.uid
        return "BOTTE_MESSAGE" if is_bare else f"BOTTE_MESSAGE#{self.uid}"

    @property
    def lines(self) -> list[str]:
        count = LINES_OF_A_LONG_LETTER if self.long else 1
        return [f"{self.uid}/{number} {_WORDS}" for number in range(count)]

    @property
    def fields(self) -> dict[str, object]:
        """The message's fields; without words where that is its shape."""
        if self.shape == NO_WORDS:
            return {"sender_app": self.uid}
        fields = {"text": "\n".join(self.lines), "chat": self.chat}
        return {**fields, **({"id": self.id} if self.id else {})}


def make_plan(run: str, seed: int, count: int) -> list[Letter]:
    """The letters of a run. run: keeps the uids of one run from those of another."""
    chance = random.Random(seed)
    doors = chance.choices(list(_SHARES), weights=list(_SHARES.values()), k=count)
    groups = max(3, count // 150)
    shapes = _stream_shapes(chance)
    sort_keys: dict[str | None, str] = {}
    return [_letter(chance, run, number, door, groups, shapes, sort_keys) for number, door in enumerate(doors)]


def _stream_shapes(chance: random.Random) -> Iterator[str | None]:
    """Of each four letters one has a shape; all shapes take their turn."""
    while True:
        for shape in chance.sample(list(SHAPES), len(SHAPES)):
            yield from [None] * (_EACH_HOSTILE - 1)
            yield shape


def _letter(
    chance: random.Random,
    run: str,
    number: int,
    door: Door,
    groups: int,
    shapes: Iterator[str | None],
    sort_keys: dict[str | None, str],
) -> Letter:
    uid = f"{run}-{door}-{number:05d}"
    chat = chance.choice(list(CHATS))
    if door == "stream":
        shape = next(shapes)
    else:
        shape = NO_WORDS if door in ("async", "queue", "fifo") and chance.random() < 0.08 else None
    group = None
    if door == "fifo" or (door == "stream" and chance.random() < 0.7 and not (shape and SHAPES[shape].alone)):
        index = chance.randrange(groups)
        group = f"{run}-{door}-group-{index}"
        # Each group is for one chat; but some of the first one's letters go to the other.
        if index or chance.random() > 0.2:
            chat = list(CHATS)[index % len(CHATS)]
    has_id = chance.random() < {"http": 0.7, "lambda": 0.7, "async": 0.3}.get(door, 0.1)
    long = shape is None and chance.random() < 0.02
    sort_key = uid
    if shape == OTHER_WORDS:
        sort_key = sort_keys.get(group, uid)
    elif door == "stream" and shape is None and (group or number % 2):
        sort_keys[group] = uid
    return Letter(uid, number, door, chat, group, f"id-{uid}" if has_id and not shape else None, long, shape, sort_key)
