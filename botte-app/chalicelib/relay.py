"""The relay: what becomes of a message, whatever door it came through.

The promise: once accepted, a message is delivered. It arrives twice only if a process died, or Telegram's answer was
lost, between Telegram taking it and us noting it. Within a group, messages arrive in order.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from .attempt import MAX_BACKOFF_SECONDS, Accepted, Attempts, Delivered, Parked, log_outcome
from .courier import Courier
from .delivery import Delivery
from .errors import (
    IdReused,
    InvalidMessage,
    InvalidTask,
    MessageInFlight,
    Refused,
    RowUnfit,
    TableUnavailable,
    Unavailable,
)
from .ksuid import ksuid
from .message import FIELDS, FORBIDDEN_FIELD, Message, parse_json
from .outbox import NotClaimed, Outbox
from .rendering import render
from .row import KEPT_SENT, Key, Row
from .settings import Parameters
from .task import is_task, to_fields
from .telegram import Sender

LEASE_SECONDS = 60.0
MAX_WAITING = 10  # not the whole backlog: other chats may be free
MAX_LOOKED_AT = 1000  # rows of the backlog that a run puts in order, far more than it can send

T = TypeVar("T")
_log = logging.getLogger("botte.relay")


@dataclass(frozen=True)
class Entry:
    """What a queue door took from a record.

    key: the message's row, its place in its group. read: gives the message, at a time (epoch seconds); raises
    InvalidMessage or InvalidTask. raw: the body as it came, None where the row holds it.
    keyed_by_id: a message with an ``id`` is in that id's row instead, as it has no place in a group.
    """

    key: Key
    read: Callable[[float], Message]
    raw: str | None
    keyed_by_id: bool = False


class Relay:
    """Sends messages through ``sender``, and keeps in ``outbox`` those that cannot be sent now.

    A ``deadline`` is a time of ``clock`` (epoch seconds): nothing is begun that could not be finished by then.
    random: gives so many random bytes.
    """

    def __init__(
        self,
        sender: Sender,
        outbox: Outbox,
        parameters: Parameters,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[int], bytes] = os.urandom,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._courier = Courier(sender, parameters, clock=clock, sleep=sleep)
        self._outbox = outbox
        self._clock = clock
        self._random = random
        self._attempts = Attempts(self._courier, outbox, clock=clock, random=random, lease_seconds=lease_seconds)

    def new_id(self) -> str:
        """An id for a message that came without one."""
        return ksuid(self._clock(), self._random(16))

    def send(self, message: Message, *, deadline: float, spare_id: str) -> Delivered | Accepted:
        """Sends a message while its sender waits for the answer.

        spare_id: names the message if it has to be kept, and has no id of its own.
        Raises InvalidMessage (unknown chat), Refused, IdReused, MessageInFlight; and Unavailable where nothing was
        accepted, because the task table cannot be reached either.
        """
        self._check_chat(message)
        now = self._clock()
        key = Key.of_id(message.id or spare_id)
        if message.deliver_at is not None and message.deliver_at > now:
            return self._schedule(key, message, now)
        if message.id is None and len(render(message)) == 1:
            return self._send_directly(key, message, deadline)
        return self._send_through_outbox(key, message, deadline)

    def park(self, key: Key, raw: str | None, error: Exception) -> None:
        """Keeps a message that will not be delivered, with the reason; for an operator to send again."""
        _log.warning("parked", extra={"id": key.sort, "reason": str(error)})
        with suppress(NotClaimed):
            self._outbox.add_failed(key, now=self._clock(), error=str(error), raw_body=raw)

    def take(self, entries: Iterable[Entry], *, deadline: float) -> None:
        """Takes what a queue door brings; afterwards each message is sent, pending or failed in the table.

        Raises TableUnavailable: then the queue has to bring the batch again.
        """
        for entry in entries:
            self._take(entry, deadline)

    def redeliver(self, *, deadline: float) -> None:
        """Sends what is due, no faster than Telegram wants it; safe when two do it at once.

        In the order of acceptance: what is not due, but only waits for Telegram to come back, has its place in it.
        It stops when Telegram cannot be reached, or asked to wait for ten of them: the next run tries again.
        """
        now = self._clock()
        rows = list(islice(self._outbox.due(now + MAX_BACKOFF_SECONDS), MAX_LOOKED_AT))
        if all(_turn(row) > now for row in rows):
            return
        drained: set[str] = set()
        waiting = 0
        takes_early = True
        for row in sorted(rows, key=lambda row: row.accepted_ts or _turn(row)):
            key, is_early = row.key, _turn(row) > self._clock()
            if key.partition in drained or (is_early and not (row.may_go_early and takes_early)):
                continue
            if not self._courier.has_time(deadline, paced=True):
                return
            if key.in_group:
                drained.add(key.partition)
                outcome = self._drain(key.partition, deadline)
            else:
                outcome = self._retry(key, deadline)
            if isinstance(outcome, Delivered):
                takes_early = True
            elif isinstance(outcome, Accepted) and outcome.error:
                if outcome.error.retry_after is not None:
                    waiting += 1
                elif is_early:
                    takes_early = False  # it may be this message's own fault; one that is due tells
                else:
                    return
                if waiting == MAX_WAITING:
                    return

    def status(self, id: str) -> dict[str, object] | None:
        """What became of the message with an id; None if there is none, or it was delivered without being kept."""
        row = self._outbox.get(Key.of_id(id))
        if row is not None and row.owner:
            row = self._outbox.get(row.owner)
        if row is None:
            return None
        return {
            "id": id,
            "status": row.status or "PENDING",
            "attempts": row.attempts,
            "message_ids": list(row.progress.message_ids),
            "last_error": row.last_error,
            "due_at": row.due_ts,
        }

    def _schedule(self, key: Key, message: Message, now: float) -> Delivered | Accepted:
        fields, hash, due = message.to_fields(), body_hash(message), float(message.deliver_at or now)
        try:
            self._renewing(lambda: self._outbox.add_pending(key, fields, now=now, due=due, body_hash=hash))
        except NotClaimed as known:
            return self._known(known.row, key, message)
        return Accepted(key.sort)

    def _check_chat(self, message: Message) -> None:
        try:
            self._courier.chat_id(message.chat)
        except Refused as error:
            raise InvalidMessage("chat", error.reason) from None
        except Unavailable:
            pass  # the message is kept, and its chat looked up when it is sent

    def _send_directly(self, key: Key, message: Message, deadline: float) -> Delivered | Accepted:
        delivery = Delivery(message)
        try:
            self._courier.carry(delivery, deadline=deadline)
        except Unavailable as error:
            return self._keep(key, delivery, error)
        log_outcome("sent", key, message, mended=delivery.progress.mended)
        return Delivered(delivery.progress.result)

    def _keep(self, key: Key, delivery: Delivery, error: Unavailable) -> Accepted:
        """Keeps a message whose first attempt failed."""
        message = delivery.message
        due = self._attempts.due(error, attempts=1)
        try:
            self._outbox.add_pending(
                key,
                message.to_fields(),
                now=self._clock(),
                due=due,
                body_hash=body_hash(message),
                error=error,
                progress=delivery.progress,
                attempts=1,
            )
        except NotClaimed:
            pass  # an earlier invocation for the same request kept it
        except TableUnavailable as table:
            raise Unavailable(f"{error.reason}; {table.reason}", retry_after=error.retry_after) from None
        log_outcome("pending", key, message, error.reason)
        return Accepted(key.sort, error)

    def _send_through_outbox(self, key: Key, message: Message, deadline: float) -> Delivered | Accepted:
        lease = self._attempts.lease()
        fields, hash = message.to_fields(), body_hash(message)
        try:
            row = self._renewing(
                lambda: self._outbox.claim(key, lease, now=self._clock(), fields=fields, body_hash=hash)
            )
        except NotClaimed as known:
            return self._known(known.row, key, message)
        except TableUnavailable:
            if message.id is not None:
                raise
            return self._send_directly(key, message, deadline)
        outcome = self._attempts.run(row, lease, message, deadline)
        if isinstance(outcome, Parked):
            raise Refused(outcome.reason)
        return outcome

    def _known(self, row: Row, key: Key, message: Message) -> Delivered | Accepted:
        """The answer to a message whose id is known already."""
        if _hash_of(row, self._clock()) not in (None, body_hash(message)):
            raise IdReused("names another message already: a new message needs a new id")
        if row.owner:
            row = self._outbox.get(row.owner) or row
        if row.status == "SENT":
            return Delivered(row.progress.result)
        if row.status == "FAILED":
            raise Refused(row.last_error or "it was refused before")
        if row.status == "SENDING" and (row.due_ts or 0.0) > self._clock():
            raise MessageInFlight("a message with this id is being sent right now")
        return Accepted(key.sort)

    def _take(self, entry: Entry, deadline: float) -> None:
        now = self._clock()
        try:
            message = entry.read(now)
        except (InvalidMessage, InvalidTask) as error:
            if not self._queue_up(entry, now):
                self.park(entry.key, entry.raw, error)
            return
        except Exception as error:
            # A fault of ours: it would be the same the next time, and hold up everything behind it.
            _log.exception("internal error while a message was read", extra={"id": entry.key.sort})
            self.park(entry.key, entry.raw, error)
            return
        fields, hash = message.to_fields(), body_hash(message)
        key = Key.of_id(message.id) if message.id is not None and entry.keyed_by_id else entry.key
        is_put = key == entry.key
        try:
            if message.id is not None and key != Key.of_id(message.id):
                self._reserve_id(message, key)
            due = self._not_now(key, message, now)
            if due is not None:
                is_untimed = (message.deliver_at or 0) <= now
                self._renewing(
                    lambda: self._outbox.add_pending(
                        key, fields, now=now, due=due, body_hash=hash, is_put=is_put, may_go_early=is_untimed
                    )
                )
                return
            lease = self._attempts.lease()
            row = self._renewing(
                lambda: self._outbox.claim(key, lease, now=now, fields=fields, body_hash=hash, is_put=is_put)
            )
        except NotClaimed as known:
            self._settle(known.row, key, entry, hash, now)
            return
        self._attempts.run(row, lease, message, deadline)

    def _queue_up(self, entry: Entry, now: float) -> bool:
        """Has a row that needs no sending wait all the same while one before it is unsent.

        Else the next one would find it done, and take the whole group before it for done.
        """
        if not entry.key.in_group or self._behind(entry.key, now) is None:
            return False
        with suppress(NotClaimed):
            self._outbox.adopt(entry.key, now=now, raw_body=entry.raw)
        return True

    def _settle(self, known: Row, key: Key, entry: Entry, hash: str, now: float) -> None:
        """A record whose message is known: the same one again, or another one with its id."""
        known_hash = _hash_of(known, now)
        if known.key == entry.key or (known.key == key and known_hash in (None, hash)):
            return  # the same record again
        if self._queue_up(entry, now):
            return
        if known_hash not in (None, hash):
            self.park(entry.key, entry.raw, InvalidMessage("id", "names another message already"))
        else:
            # The same message in another row: this one is done, or it would hold up its group.
            with suppress(NotClaimed):
                self._outbox.add_duplicate(key, of=known.owner or known.key, now=now)

    def _reserve_id(self, message: Message, key: Key) -> None:
        """Has the message's id name its row, for as long as that keeps its own key after the delivery."""
        id, hash = str(message.id), body_hash(message)
        until = max(self._clock(), float(message.deliver_at or 0)) + KEPT_SENT
        self._renewing(lambda: self._outbox.reserve_id(id, key, body_hash=hash, until=until))

    def _renewing(self, write: Callable[[], T]) -> T:
        """Writes a row that may be there from long ago, with a message whose time is over. Raises NotClaimed."""
        try:
            return write()
        except NotClaimed as known:
            if not known.row.expired(self._clock()):
                raise
            self._outbox.delete(known.row)
        return write()

    def _not_now(self, key: Key, message: Message, now: float) -> float | None:
        """When a message is to be sent that cannot be sent now: it has a time, or waits behind its group."""
        scheduled = message.deliver_at if message.deliver_at is not None and message.deliver_at > now else None
        behind = self._behind(key, now) if key.in_group else None
        if scheduled is None:
            return behind
        return max(float(scheduled), behind or 0.0)

    def _behind(self, key: Key, now: float) -> float | None:
        """When a row may be tried that has an unsent one before it in its group; None if it has none."""
        # In this order: a row that a door takes between the two reads is seen by the second.
        earlier = self._outbox.previous(key)
        if earlier is not None and _is_untouched(earlier):
            return now
        head = self._outbox.head(key.partition)
        if head is None or head.key.sort >= key.sort:
            return None
        return max(now, head.due_ts or 0.0) if head.status == "PENDING" else now

    def _drain(self, partition: str, deadline: float) -> Delivered | Accepted | Parked | None:
        """Sends what is due of a group, from its head on; gives the last outcome."""
        outcome: Delivered | Accepted | Parked | None = None
        while self._courier.has_time(deadline, paced=True):
            head = self._outbox.head(partition)
            if head is None:
                break
            earlier = self._outbox.previous(head.key)
            if earlier is not None and _is_untouched(earlier):
                try:
                    self._outbox.adopt(earlier.key, now=self._clock())
                except NotClaimed:
                    pass  # a door was quicker
                except RowUnfit:
                    break  # its own event makes room in it
                continue
            if earlier is not None and "UnsentSK" in earlier.item:
                continue  # a door took it between the two reads: now it is the head
            outcome = self._retry(head.key, deadline)
            if outcome is None or isinstance(outcome, Accepted):
                break
        return outcome

    def _retry(self, key: Key, deadline: float) -> Delivered | Accepted | Parked | None:
        """Sends a row that is due, or may go early. None: it is so no more, or somebody else has it."""
        lease = self._attempts.lease()
        try:
            row = self._outbox.claim(key, lease, now=self._clock(), early=True)
        except NotClaimed:
            return None
        try:
            message = read_row(row, self._clock())
        except (InvalidMessage, InvalidTask) as error:
            return self._attempts.fail(key, lease, row.progress, str(error))
        except Exception:
            # A fault of ours: it would be the same the next time, and end each run.
            _log.exception("internal error while a row was read", extra={"id": key.sort})
            return self._attempts.fail(key, lease, row.progress, "internal error")
        if message.id is not None and key != Key.of_id(message.id):
            try:
                self._reserve_id(message, key)
            except NotClaimed as known:
                if _hash_of(known.row, self._clock()) == body_hash(message):
                    return self._attempts.repeated(key, lease, known.row)
                return self._attempts.fail(key, lease, row.progress, "id: names another message already", message)
        return self._attempts.run(row, lease, message, deadline, paced=True)


def body_hash(message: Message) -> str:
    """What tells whether two messages with one id are the same message."""
    fields = {name: value for name, value in message.to_fields().items() if name != "id"}
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _hash_of(row: Row, now: float) -> str | None:
    """The hash of a row's message, also where no door has taken it yet. None: the row does not tell."""
    if row.body_hash is not None or not _is_untouched(row):
        return row.body_hash
    try:
        return body_hash(read_row(row, now))
    except (InvalidMessage, InvalidTask):
        return ""  # of no message


def read_row(row: Row, now: float) -> Message:
    """The message that a row carries. Raises InvalidMessage or InvalidTask."""
    if "Payload" in row.item:
        return read_item(row.item, now)
    return Message.from_fields(parse_json(row.raw_body or ""), now=now, ignore_unknown=True)


def read_item(item: Mapping[str, Any], now: float) -> Message:
    """The message that an item of the table carries. Raises InvalidMessage or InvalidTask."""
    return Message.from_fields(to_fields(item, (*FIELDS, FORBIDDEN_FIELD)), now=now, ignore_unknown=True)


def _turn(row: Row) -> float:
    return row.due_ts or 0.0


def _is_untouched(row: Row) -> bool:
    return not {"Status", "OwnerPK"} & row.item.keys() and is_task(row.item)
