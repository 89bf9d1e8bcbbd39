"""Messages with a ``collapse_key``: few keys, which many messages share, whatever their doors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from tests.simulation.plan import CHATS, MINUTE, Plan
from tests.simulation.scheduler import EPOCH
from tests.simulation.submission import WORDS, Door, Submission, text_of
from tests.simulation.weather import SLOW_TABLE, TABLE, Phase

DOORS: Sequence[Door] = ("http", "sync", "async", "task", "queue", "fifo")


def give_keys(plan: Plan, random: Random) -> Plan:
    """The same plan, but many of its messages have one of a few keys."""
    keys = _Keys(random, random.randint(1, 3), random.choice((0.3, 0.7, 1.0)), repeats=0.5)
    submissions = [keys.give(sent) for sent in plan.submissions]
    phases = [phase._replace(where=keys.place(phase.where)) for phase in plan.phases]
    return replace(plan, submissions=submissions, phases=phases, deletion_rate=random.choice((0.0, 0.05)))


def draw_flapping(seed: int, random: Random) -> Plan:
    """Alarms that come and go: bursts of messages of one or two keys, through all doors at once."""
    length = random.uniform(4, 10) * MINUTE
    bursts = [random.uniform(0.0, length - MINUTE) for _ in range(random.randint(2, 6))]
    times = sorted(random.choice(bursts) + random.uniform(0.0, random.choice((0.5, 8.0, 40.0))) for _ in range(24))
    keys = _Keys(random, random.randint(1, 2), 1.0, repeats=0.8)
    submissions = [keys.give(_plain(random, f"m{number}", EPOCH + time)) for number, time in enumerate(times, start=1)]
    starts = [EPOCH + random.uniform(0.0, length) for _ in range(3)]
    kinds = ("lost", "lost", "lost", "hang", "error", "busy")
    return Plan(
        seed=seed,
        submissions=submissions,
        phases=[
            Phase(
                starts[0], starts[0] + 2 * MINUTE, "chat default", random.choice(kinds), random.choice((0.5, 1.0)), 4.0
            ),
            Phase(starts[1], starts[1] + MINUTE, TABLE, random.choice(("lost", "throttle")), 0.3),
            Phase(starts[2], starts[2] + MINUTE, SLOW_TABLE, "slow", 0.3, 4.0),
        ],
        chats={"default": CHATS["default"]},
        calm=EPOCH + length,
        kill_rate=random.choice((0.0, 0.1, 0.2)),
        stall_rate=random.choice((0.0, 0.0, 0.1)),
        twice_rate=0.5,
        deletion_rate=random.choice((0.0, 0.1)),
        batch=random.choice((2, 10)),
    )


def _plain(random: Random, tag: str, at: float) -> Submission:
    door = random.choice(DOORS)
    group = random.choice("ab") if door == "fifo" else None
    return Submission(at, tag, door, {"text": text_of(tag)}, group=group, sort=tag)


class _Keys:
    """Gives keys to a share of all messages; to one that comes again, the same as before."""

    def __init__(self, random: Random, count: int, share: float, repeats: float) -> None:
        self._random = random
        self._count = count
        self._share = share
        self._repeats = repeats
        self._given: dict[str, dict[str, Any]] = {}
        self._ids: set[str] = set()
        self._texts: dict[tuple[str, str], list[str]] = {}

    def give(self, sent: Submission) -> Submission:
        if sent.fate != "good" or sent.body is not None:
            return sent
        if sent.tag not in self._given:
            is_one = self._random.random() < self._share
            self._given[sent.tag] = self._draw(sent) if is_one else {}
        return replace(sent, fields={**sent.fields, **self._given[sent.tag]})

    def place(self, where: str) -> str:
        """Where the weather of a message is, now that its words have another name."""
        given = self._given.get(where.removeprefix("message "))
        return f"message {given['text'].partition('.')[0]}" if given else where

    def _draw(self, sent: Submission) -> dict[str, Any]:
        random = self._random
        key = f"key-{random.randint(1, self._count)}"
        known = self._texts.setdefault((sent.fields.get("chat", "default"), key), [])
        parts = random.choice((1, 1, 1, 2, 3))
        has_known_id = sent.id in self._ids  # it is to be another message
        self._ids |= set() if sent.id is None else {sent.id}
        is_new = not known or random.random() >= self._repeats or has_known_id
        text = text_of(sent.tag.replace("m", WORDS), parts) if is_new else random.choice(known[-3:])
        known.append(text)
        fields: dict[str, Any] = {"text": text, "collapse_key": key, "sender_app": sent.tag}
        chance = random.random()
        if chance < 0.12:
            fields["renotify"] = True
        elif chance < 0.3:
            fields["ack"] = True
            fields |= {"escalate_after": random.choice((20, 120, 600))} if random.random() < 0.7 else {}
        return fields
