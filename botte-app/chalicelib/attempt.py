"""One attempt to deliver a message, and the note of how it went."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .courier import Courier
from .delivery import Delivery, Progress
from .errors import Refused, TableUnavailable, Unavailable
from .message import Message
from .outbox import NotClaimed, Outbox
from .row import Key, Lease, Row

MIN_BACKOFF_SECONDS = 5.0
MAX_BACKOFF_SECONDS = 900.0

_log = logging.getLogger("botte.relay")


@dataclass(frozen=True)
class Delivered:
    """Telegram took the message. result: Telegram's ``Message``, with ``message_ids`` where it was split."""

    result: dict[str, Any]


@dataclass(frozen=True)
class Accepted:
    """The message is kept, and will be delivered. error: what keeps it from being delivered now, if anything does."""

    id: str
    error: Unavailable | None = None


@dataclass(frozen=True)
class Parked:
    """Telegram will never take the message: it is kept with the reason, for an operator."""

    reason: str


class Attempts:
    """Sends claimed rows through ``courier``, and notes in ``outbox`` how each attempt went.

    clock: epoch seconds. random: gives so many random bytes. lease_seconds: how long a row is ours.
    """

    def __init__(
        self,
        courier: Courier,
        outbox: Outbox,
        *,
        clock: Callable[[], float],
        random: Callable[[int], bytes],
        lease_seconds: float,
    ) -> None:
        self._courier = courier
        self._outbox = outbox
        self._clock = clock
        self._random = random
        self._lease_seconds = lease_seconds

    def run(
        self, row: Row, lease: Lease, message: Message, deadline: float, *, paced: bool = False
    ) -> Delivered | Accepted | Parked:
        """Sends a claimed row, and notes how it went."""
        key = row.key

        def note(progress: Progress) -> None:
            until = self._clock() + self._lease_seconds
            with _unnoted(key):
                self._outbox.note(key, lease, progress, until=until)

        delivery = Delivery(message, row.progress, note=note)
        try:
            self._courier.carry(delivery, deadline=deadline, paced=paced)
        except Refused as error:
            return self.fail(key, lease, delivery.progress, error.reason, message)
        except Unavailable as error:
            due = self.due(error, row.attempts)
            with _unnoted(key):
                self._outbox.mark_pending(key, lease, delivery.progress, due=due, error=error)
            since = max(row.accepted_ts or 0.0, message.deliver_at or 0.0) or self._clock()
            log_outcome("pending", key, message, error.reason, waited_seconds=int(self._clock() - since))
            return Accepted(key.sort, error)
        except NotClaimed:
            return Accepted(key.sort)  # the lease was lost: another has the row, and sends what is left
        except Exception:
            self.fail(key, lease, delivery.progress, "internal error", message)
            raise
        with _unnoted(key):
            self._outbox.mark_sent(key, lease, delivery.progress, now=self._clock())
        log_outcome("sent", key, message, mended=delivery.progress.mended)
        return Delivered(delivery.progress.result)

    def fail(self, key: Key, lease: Lease, progress: Progress, reason: str, message: Message | None = None) -> Parked:
        """Parks a claimed row, with the reason."""
        with _unnoted(key):
            self._outbox.mark_failed(key, lease, progress, now=self._clock(), error=reason)
        log_outcome("failed", key, message, reason)
        return Parked(reason)

    def repeated(self, key: Key, lease: Lease, other: Row) -> Delivered:
        """Notes that a claimed row repeats the message of another one, and is done."""
        with _unnoted(key):
            self._outbox.mark_sent(key, lease, other.progress, now=self._clock())
        return Delivered(other.progress.result)

    def lease(self) -> Lease:
        """A new lease, from now on."""
        return Lease(self._random(16).hex(), self._clock() + self._lease_seconds)

    def due(self, error: Unavailable, attempts: int) -> float:
        """When to try again: when Telegram said, else after 5 s to 15 min, doubling, with jitter."""
        if error.retry_after is not None:
            return self._clock() + error.retry_after
        backoff = min(MAX_BACKOFF_SECONDS, MIN_BACKOFF_SECONDS * 2.0 ** min(attempts, 16))
        jitter = int.from_bytes(self._random(2), "big") / 65_535
        return self._clock() + max(MIN_BACKOFF_SECONDS, backoff * (0.5 + 0.5 * jitter))


def log_outcome(
    outcome: str,
    key: Key,
    message: Message | None,
    reason: str | None = None,
    *,
    mended: Iterable[str] = (),
    waited_seconds: int = 0,
) -> None:
    """Logs what became of a message: ``sent``, ``pending`` or ``failed``.

    mended: as in Progress. waited_seconds: for how long a pending one has waited; an alarm looks at it.
    """
    level = {"sent": logging.INFO, "pending": logging.WARNING, "failed": logging.ERROR}[outcome]
    sender_app = message.sender_app if message else None
    extra: dict[str, object] = {"id": key.sort, "sender_app": sender_app, "reason": reason}
    if mended:
        extra["mended"] = list(mended)
    if outcome == "pending":
        extra["waited_seconds"] = waited_seconds
    _log.log(level, outcome, extra=extra)


@contextmanager
def _unnoted(key: Key) -> Iterator[None]:
    """Goes on when the table cannot be reached after a claim: the row is owed, and taken up when its lease ends."""
    try:
        yield
    except TableUnavailable as error:
        _log.error("the outcome cannot be noted", extra={"id": key.sort, "reason": error.reason})
