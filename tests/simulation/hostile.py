"""Senders who do what nobody asked for: bad input, attributes of their own, the same key and the same id again."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from tests.simulation.submission import Door, Fate, Submission, text_of

HUGE = 300_000
DOORS: Sequence[Door] = ("http", "sync", "async", "task", "queue", "fifo")


def odd(random: Random, tag: str, at: float) -> Submission:
    """Input that cannot be delivered, or not at a door that is strict, or that is not Botte's at all."""
    words = {"text": text_of(tag)}
    wrong = [
        {**words, "parse_mode": "Word"},
        {**words, "protect_content": "yes"},
        {"text": f"{tag}.1 {'x' * HUGE}"} if random.random() < 0.1 else {**words, "chat_id": 1},
        {**words, "chat": "nowhere"},
        {"sender_app": tag},
    ]
    choice = random.randrange(9)
    if choice < 5:
        door = random.choice(DOORS)
        group = "a" if door == "fifo" else "tasks x" if door == "task" else None
        partition = "BOTTE_MESSAGE#x" if door == "task" else "BOTTE_MESSAGE"
        is_left_out = wrong[choice].keys() & {"parse_mode", "protect_content"} and door in ("task", "queue", "fifo")
        fate: Fate = "good" if is_left_out else "bad"
        return Submission(at, tag, door, wrong[choice], fate, group=group, partition=partition, sort=tag)
    if choice == 5:
        return Submission(at, tag, "queue", words, body=f"{words['text']}, and no JSON [")
    if choice == 6:
        payload = {"M": {"text": {"B": base64.b64encode(tag.encode()).decode()}, "sender_app": {"S": tag}}}
        return Submission(at, tag, "task", {}, "bad", body=payload, sort=tag)
    if choice == 7:
        body = {"L": [{"S": words["text"]}]} if random.random() < 0.5 else {"S": json.dumps(words)}
        return Submission(at, tag, "task", words, body=body, sort=tag, more={"Status": {"S": "SENT"}})
    more = {"TaskId": {"S": "OTHER"}, "UnsentSK": {"S": "!"}, "DueTs": {"N": "0"}}
    return Submission(at, tag, "task", words, "foreign", sort="!", partition="BOTTE_MESSAGE#x", more=more)


def foreign_attributes(random: Random) -> dict[str, Any]:
    """What an item may hold beside the documented format."""
    every: dict[str, Any] = {
        "TaskId": {"S": "BOTTE_MESSAGE"},
        "Status": {"S": random.choice(("SENT", "FAILED", "PENDING"))},
        "DueTs": {"N": random.choice(("0", "1e30"))},
        "LeaseId": {"S": "x"},
        "Attempts": {"S": "x"},
        "TelegramMessageId": {"N": "1.5"},
        "Answer": {"S": "[" * 1000},
        "BodyHash": {"S": "x"},
        "Chat": {"S": "ops"},
        "ExpirationTs": {"N": "1"},
    }
    return {name: every[name] for name in random.sample(sorted(every), random.randint(1, 5))}


def again(random: Random, known: Submission, tag: str, at: float) -> Submission | None:
    """A submission that has to do with an earlier one: its key or its id, with its words or with others."""
    if known.fate != "good" or known.body is not None:
        return None
    at = random.choice((known.at + random.uniform(0.0, 2.0), at))
    is_other = random.random() < 0.4
    if is_other:
        known = known.renamed(tag, at)
    if known.door == "task" and random.random() < 0.5:
        return replace(known, at=at, more={**known.more, "ExpirationTs": {"N": str(int(at))}})
    id = known.id
    if id is None:
        return None
    fields = {**known.fields, "id": id}
    door = random.choice([door for door in DOORS if door != "async"])
    if door == "task" and random.random() < 0.5:
        return Submission(at, known.tag, "task", fields, partition="BOTTE_MESSAGE#y", group="tasks y", sort=tag)
    if door == "task":
        fields.pop("id")
        return Submission(at, known.tag, "task", fields, partition=f"BOTTE_MESSAGE#{id}", sort=id)
    return Submission(at, known.tag, door, fields, group="b" if door == "fifo" else None)
