"""What brings records to the queue doors, as AWS does: the shards of a stream, a standard queue and a FIFO queue."""

from __future__ import annotations

from collections import defaultdict, deque
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from tests.simulation.processes import Outcome

if TYPE_CHECKING:
    from tests.simulation.world import World

VISIBILITY_SECONDS = 360.0
MAX_PAUSE_SECONDS = 60.0
QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:botte-local-messages"
_FIRST_SEQUENCE = 18_849_496_460_467_696_128


class Shard:
    """One shard of the stream: batches in order, and none before the one before it was taken."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._records: deque[tuple[float, dict[str, Any], str]] = deque()
        self._is_busy = False
        self._failures = 0

    def add(self, record: dict[str, Any], tag: str, lag: float) -> None:
        self._records.append((self._world.clock() + lag, record, tag))
        self._world.clock.after(lag, self._hand)

    @property
    def is_empty(self) -> bool:
        return not self._records and not self._is_busy

    def _hand(self) -> None:
        world = self._world
        if self._is_busy or not self._records or self._records[0][0] > world.clock():
            return
        size = world.random.randint(1, world.plan.batch)
        come = takewhile(lambda each: each[0] <= world.clock(), list(self._records)[:size])
        batch = [(record, tag) for _, record, tag in come]
        self._is_busy = True
        records = [record for record, _ in batch]
        name = world.functions.invoke("stream", lambda process: process.take_stream(records), self._then(len(batch)))
        world.note(name, "handed", door="task", tags=[tag for _, tag in batch if tag])

    def _then(self, size: int) -> Any:
        def then(outcome: Outcome) -> None:
            world = self._world
            self._is_busy = False
            is_again = outcome.how == "returned" and world.is_stormy() and world.random.random() < 0.05
            if outcome.how == "returned" and not is_again:
                self._failures = 0
                for _ in range(size):
                    self._records.popleft()
                self._hand()
            else:
                self._failures += 1
                world.clock.after(min(2.0**self._failures, MAX_PAUSE_SECONDS), self._hand)

        return then


class Queue:
    """A standard queue: in no order, at least once; what is not deleted comes again when its time is over."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.messages: dict[str, str] = {}
        self._tags: dict[str, str] = {}

    def send(self, tag: str, body: str) -> None:
        id = f"queued-{len(self._tags) + 1}"
        self.messages[id], self._tags[id] = body, tag
        self._world.clock.after(self._world.random.uniform(0.1, 1.0), lambda: self._receive([id]))

    def _receive(self, ids: list[str]) -> None:
        world = self._world
        ids = [id for id in ids if id in self.messages]
        if not ids:
            return
        records = [record_of(id, self.messages[id]) for id in ids]

        def then(outcome: Outcome) -> None:
            is_lost = world.is_stormy() and world.random.random() < 0.05  # the delete of the batch
            if outcome.how == "returned" and not is_lost:
                for id in ids:
                    self.messages.pop(id, None)
            else:
                world.clock.at(received + VISIBILITY_SECONDS, lambda: self._receive(ids))

        received = world.clock()
        name = world.functions.invoke("queue", lambda process: process.take_queue(records), then)
        world.note(name, "handed", door="queue", tags=[self._tags[id] for id in ids])
        if world.is_stormy() and world.random.random() < 0.05:
            world.clock.after(world.random.uniform(0.0, 5.0), lambda: self._receive(ids))


class FifoQueue:
    """A FIFO queue: a message group stands while one of its batches is on its way, or failed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.groups: defaultdict[str, list[tuple[dict[str, Any], str]]] = defaultdict(list)
        self._locked: set[str] = set()
        self._sent = 0

    def send(self, tag: str, body: str, group: str) -> None:
        self._sent += 1
        attributes = {"MessageGroupId": group, "SequenceNumber": str(_FIRST_SEQUENCE + self._sent)}
        self.groups[group].append((record_of(f"fifo-{self._sent}", body, **attributes), tag))
        self._world.clock.after(self._world.random.uniform(0.1, 1.0), lambda: self._receive(group))

    def _receive(self, group: str) -> None:
        world = self._world
        if group in self._locked or not self.groups[group]:
            return
        self._locked.add(group)
        batch = self.groups[group][: world.random.randint(1, min(10, world.plan.batch))]

        def then(outcome: Outcome) -> None:
            if outcome.how == "returned":
                del self.groups[group][: len(batch)]
                unlock()
            else:
                world.clock.at(received + VISIBILITY_SECONDS, unlock)

        def unlock() -> None:
            self._locked.discard(group)
            self._receive(group)

        received, records = world.clock(), [record for record, _ in batch]
        name = world.functions.invoke("queue", lambda process: process.take_queue(records), then)
        world.note(name, "handed", door="fifo", tags=[tag for _, tag in batch])


def record_of(id: str, body: str, **attributes: str) -> dict[str, Any]:
    """A queue's record of a message."""
    arn = QUEUE_ARN + (".fifo" if attributes else "")
    return {"messageId": id, "body": body, "attributes": attributes, "eventSourceARN": arn, "eventSource": "aws:sqs"}
