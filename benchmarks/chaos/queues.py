"""The SQS door: a standard queue, which repeats and reorders, and a FIFO queue, which does neither."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from benchmarks.chaos.ledger import Ledger
from benchmarks.chaos.plan import Letter
from benchmarks.chaos.pool import Pool

POLLERS = 2
MAX_BATCH = 10
VISIBILITY_SECONDS = 0.5
_REPEATED = 0.1
_FIRST_SEQUENCE_NUMBER = 18_849_496_460_467_696_128  # twenty digits


@dataclass(eq=False)
class _Message:
    letter: Letter
    deaths_left: int = 0
    receives: int = 0
    visible_at: float = 0.0


class Queue:
    """Messages are received, hidden, and deleted once acknowledged; else they are seen again. Safe for threads.

    A FIFO queue keeps a group locked as long as one of its messages is in flight. max_receives: a message that was
    received so often, and not deleted, becomes a dead letter. deaths: how often in a row the function dies that gets
    the first message, as with a broken deployment.
    """

    def __init__(self, name: str, chance: random.Random, *, fifo: bool, max_receives: int, deaths: int) -> None:
        self._name = name
        self._chance = chance
        self._fifo = fifo
        self._max_receives = max_receives
        self._lock = threading.Lock()
        self._messages: list[_Message] = []
        self._deaths = deaths
        self.dead_letters: list[Letter] = []

    def send(self, letter: Letter) -> None:
        with self._lock:
            self._messages.append(_Message(letter, self._deaths))
            self._deaths = 0

    @property
    def letters(self) -> list[Letter]:
        """What is in the queue."""
        with self._lock:
            return [message.letter for message in self._messages]

    def receive(self) -> list[_Message]:
        now = time.monotonic()
        with self._lock:
            visible = self._visible_in_order(now) if self._fifo else self._visible(now)
            received = visible[: self._chance.randint(1, MAX_BATCH)]
            for message in received:
                again = not self._fifo and self._chance.random() < _REPEATED
                message.visible_at = now if again else float("inf")
                message.receives += 1
        return received

    def death(self, received: list[_Message]) -> float | None:
        """After how many seconds the function that has these dies; None where it is spared."""
        if not any(message.deaths_left for message in received):
            return None
        with self._lock:
            for message in received:
                message.deaths_left = max(0, message.deaths_left - 1)
            return self._chance.uniform(0, 0.2)

    def settle(self, received: list[_Message], *, acknowledged: bool) -> None:
        with self._lock:
            for message in received:
                message.visible_at = time.monotonic() + VISIBILITY_SECONDS
            there = [message for message in received if message in self._messages]
            dead = [] if acknowledged else [each for each in there if each.receives >= self._max_receives]
            gone = there if acknowledged else dead
            self._messages = [message for message in self._messages if message not in gone]
            self.dead_letters += [message.letter for message in dead]

    def event(self, received: list[_Message]) -> dict[str, object]:
        return {"Records": [self._record(message.letter) for message in received]}

    def _visible(self, now: float) -> list[_Message]:
        found = [message for message in self._messages if message.visible_at <= now]
        return self._chance.sample(found, len(found))

    def _visible_in_order(self, now: float) -> list[_Message]:
        locked = {message.letter.group for message in self._messages if message.visible_at > now}
        return [message for message in self._messages if message.letter.group not in locked]

    def _record(self, letter: Letter) -> dict[str, Any]:
        attributes = {"ApproximateReceiveCount": "1", "SenderId": "chaos"}
        if self._fifo:
            number = str(_FIRST_SEQUENCE_NUMBER + 256 * letter.number)
            attributes |= {"MessageGroupId": str(letter.group), "SequenceNumber": number}
        return {
            "messageId": letter.uid,
            "receiptHandle": "chaos",
            "body": json.dumps(letter.fields),
            "attributes": attributes,
            "messageAttributes": {},
            "md5OfBody": "",
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{self._name}",
            "awsRegion": "us-east-1",
        }


class Queues:
    """A producer for both queues, and two pollers for each. policy: ``max_receives`` and ``deaths`` of each Queue."""

    def __init__(self, pool: Pool, ledger: Ledger, letters: Iterable[Letter], seed: int, **policy: int) -> None:
        self._pool = pool
        self._ledger = ledger
        self._letters = [letter for letter in letters if letter.door in ("queue", "fifo")]
        self._queues = {
            "queue": Queue("chaos", random.Random(f"queue {seed}"), fifo=False, **policy),
            "fifo": Queue("chaos.fifo", random.Random(f"fifo {seed}"), fifo=True, **policy),
        }
        self._produced = threading.Event()
        self._stopping = threading.Event()
        self.threads = [threading.Thread(target=self._produce, args=(random.Random(f"sqs {seed}"),), daemon=True)]
        self.threads += [
            threading.Thread(target=self._poll, args=(queue,), daemon=True)
            for queue in self._queues.values()
            for _ in range(POLLERS)
        ]
        self.writers = self.threads[:1]

    def stop(self) -> None:
        self._stopping.set()

    @property
    def left(self) -> list[Letter]:
        """What is still in a queue."""
        return [letter for queue in self._queues.values() for letter in queue.letters]

    @property
    def dead_letters(self) -> list[Letter]:
        return [letter for queue in self._queues.values() for letter in queue.dead_letters]

    def _produce(self, chance: random.Random) -> None:
        for letter in self._letters:
            if self._stopping.is_set():
                return
            self._queues[letter.door].send(letter)
            self._ledger.accept(letter)
            self._stopping.wait(chance.uniform(0, 0.03))
        self._produced.set()

    def _poll(self, queue: Queue) -> None:
        while not self._stopping.is_set():
            ended = self._produced.is_set() and not queue.letters
            received = queue.receive()
            if received:
                event, death = queue.event(received), queue.death(received)
                acknowledged = self._pool.acknowledges("sqs_message", event, killed_after=death)
                queue.settle(received, acknowledged=acknowledged)
            elif ended:
                return
            else:
                time.sleep(0.05)
