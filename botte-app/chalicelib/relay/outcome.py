"""What can become of a message: as the parts of the relay tell each other, and as the log tells it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..contract.message import Message
from ..errors import Ambiguous, Unavailable
from ..outbox import states
from ..outbox.row import Key, Row
from ..outbox.states import Change, Lease
from ..telegram.delivery import NO_PROGRESS, Delivery, Progress

_log = logging.getLogger("botte.relay")


class Delivered(NamedTuple):
    """Telegram took the message. result: Telegram's ``Message``, with ``message_ids`` where it was split."""

    result: dict[str, Any]


class Accepted(NamedTuple):
    """The message is kept, and will be delivered."""

    id: str


class Joined(NamedTuple):
    """The message joined a live one. row: the live one's, as it was then. version: with which it did."""

    row: Row
    version: int


class Parked(NamedTuple):
    """Telegram will never take the message: it is kept with the reason, for an operator."""

    reason: str


class Claim:
    """A row that is ours to send, as it was when it was claimed, and the delivery of its message.

    error: why Telegram does not take the message now.
    """

    def __init__(self, key: Key, row: Row, lease: Lease, delivery: Delivery) -> None:
        self.key = key
        self.row = row
        self.lease = lease
        self.delivery = delivery
        self.error: Unavailable | None = None

    @property
    def message(self) -> Message:
        return self.delivery.message

    @property
    def group(self) -> str | None:
        """The partition of the message's group, if it belongs to one."""
        return None if self.row.sequence is None else self.key.partition

    @property
    def turn_ts(self) -> float:
        """Since when it is owed, in epoch seconds."""
        return self.row.turn_ts

    def noted(self, until: float) -> Change:
        """Notes how far the message has come, and keeps the lease until a time (epoch seconds)."""
        return states.progress(Lease(self.lease.id, until), self.delivery.progress)

    def sent(self, now: float) -> Sequence[Change]:
        """Notes that it is delivered: the first of these changes that can be made."""
        return [states.sent(self.lease, self.delivery.progress, now=now)]

    def failed(self, now: float, reason: str) -> Sequence[Change]:
        """Notes that it will not be delivered, with the reason. Else as ``sent``."""
        return [states.fail(self.lease, self.delivery.progress, now=now, error=reason)]

    def put_back(self, due: float | None, *, is_failure: bool, failing_since: float | None) -> Sequence[Change]:
        """Puts it back, as ``states.later`` does. Else as ``sent``."""
        trouble = self._trouble(is_failure, failing_since)
        back = None if self.group is not None else due or self.turn_ts
        return [states.later(self.lease, self.delivery.progress, chat=self.message.chat, due=back, **trouble)]

    def _trouble(self, is_failure: bool, failing_since: float | None) -> dict[str, Any]:
        return {
            "error": None if self.error is None else self.error.reason,
            "is_ambiguous": isinstance(self.error, Ambiguous),
            "is_failure": is_failure,
            "failing_since": failing_since,
        }


def log_outcome(
    outcome: str,
    key: Key,
    message: Message | None,
    reason: str | None = None,
    *,
    progress: Progress = NO_PROGRESS,
    waited_seconds: int = 0,
) -> None:
    """Logs what became of a message: ``sent``, ``pending`` or ``failed``.

    progress: of a message that was sent. waited_seconds: for how long a pending one has waited; an alarm looks at it.
    """
    level = {"sent": logging.INFO, "pending": logging.WARNING, "failed": logging.ERROR}[outcome]
    sender_app = message.sender_app if message else None
    extra: dict[str, object] = {"id": key.sort, "sender_app": sender_app, "reason": reason}
    if progress.message_ids:
        extra["message_ids"] = list(progress.message_ids)
    if progress.mended:
        extra["mended"] = list(progress.mended)
    if outcome == "pending":
        extra["waited_seconds"] = waited_seconds
    _log.log(level, outcome, extra=extra)
