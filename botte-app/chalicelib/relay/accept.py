"""Accepting a message while its sender waits for the answer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from ..contract.message import Message
from ..errors import (
    Ambiguous,
    InvalidMessage,
    MessageInFlight,
    Refused,
    TableAnswerLost,
    TableUnavailable,
    Unavailable,
)
from ..outbox import states
from ..outbox.row import Key
from ..outbox.states import Change, Content
from ..outbox.table import NotApplied, Outbox
from ..telegram.delivery import Delivery, Progress
from ..telegram.rendering import render
from .answers import answer_known
from .attempt import Attempts
from .chats import Chats
from .courier import Courier
from .notes import Notes
from .outcome import Accepted, Claim, Delivered, Joined, Parked, log_outcome


class Acceptance:
    """Sends a message at once, and keeps it where Telegram cannot take it now.

    beat: takes a heartbeat, by a deadline. clock: epoch seconds.
    """

    def __init__(
        self,
        courier: Courier,
        attempts: Attempts,
        notes: Notes,
        chats: Chats,
        outbox: Outbox,
        beat: Callable[[Message, float], Delivered],
        *,
        clock: Callable[[], float],
    ) -> None:
        self._courier = courier
        self._attempts = attempts
        self._notes = notes
        self._chats = chats
        self._outbox = outbox
        self._beat = beat
        self._clock = clock

    def accept(
        self, message: Message, *, deadline: float, spare_id: str, mended: tuple[str, ...] = ()
    ) -> Delivered | Accepted:
        """Sends a message, or keeps it.

        deadline: epoch seconds. spare_id: names the message if it has to be kept, and has no id of its own.
        mended: the fields that were left out or changed when it was read.
        Raises InvalidMessage (unknown chat), Refused, IdReused, MessageInFlight; and Unavailable where nothing was
        accepted, because the outbox cannot be reached either.
        """
        self._notes.try_again()
        try:
            self._chats.id(message.chat)
        except Refused as error:
            raise InvalidMessage("chat", error.reason) from None
        except Unavailable:
            pass  # the message is kept, and its chat looked up when it is sent
        if message.heartbeat is not None:
            return self._beat(message, deadline)
        key, now = Key.of_id(message.id or spare_id), self._clock()
        content = Content.of(message, now, mended=mended)
        if content.turn > now:
            return self._keep(key, content, states.wait)
        if message.id is None and message.collapse_key is None and len(render(message)) == 1:
            return self._send_directly(key, content, message, deadline)
        return self._send_claimed(key, content, message, deadline)

    def park(self, request_id: str, raw: str | None, error: Exception) -> None:
        """Keeps a message that will not be delivered under the id of its request, with the reason.

        raw: the message as it came. Raises TableUnavailable.
        """
        content = Content.of_bad_input(raw or "", self._clock())
        with suppress(NotApplied):  # an earlier invocation of the same request parked it
            self._notes.park(Key.of_id(request_id), content, str(error), raw)

    def _send_directly(self, key: Key, content: Content, message: Message, deadline: float) -> Delivered | Accepted:
        """Sends a message that nobody can ask for again: it needs no row, unless it has to be kept."""
        delivery = Delivery(message, Progress(mended=content.mended))
        try:
            self._courier.carry(delivery, deadline=deadline)
        except Unavailable as error:
            reason, lost = error.reason, int(isinstance(error, Ambiguous))

            def wait(content: Content) -> Change:
                return states.wait(content, progress=delivery.progress, attempts=1, ambiguous=lost, error=reason)

            # What has arrived in part is noted until the deadline: the sender would send all of it again.
            until = deadline if delivery.progress.message_ids else None
            try:
                accepted = self._keep(key, content, wait, until=until)
            except MessageInFlight:
                accepted = Accepted(key.sort)  # kept by this very call, and on its way already
            except TableUnavailable as table:
                raise Unavailable(f"{error.reason}; {table.reason}", retry_after=error.retry_after) from None
            log_outcome("pending", key, message, error.reason)
            return accepted
        log_outcome("sent", key, message, progress=delivery.progress)
        return Delivered(delivery.progress.result)

    def _send_claimed(self, key: Key, content: Content, message: Message, deadline: float) -> Delivered | Accepted:
        try:
            claim = self._attempts.claim(key, content, message)
        except NotApplied as known:
            resumed = self._resume(known, content)
            if resumed is None:
                return answer_known(known, key, content, self._clock())
            claim = resumed
        except TableAnswerLost:
            raise  # it may be claimed: then it is sent when the lease is over
        except TableUnavailable:
            if message.id is not None:
                raise
            if message.collapse_key is not None:  # nobody can tell what the key names
                message = replace(message, collapse_key=None, renotify=None, ack=None, escalate_after=None)
                content = Content.of(message, content.accepted, mended=(*content.mended, "collapse_key"))
            return self._send_directly(key, content, message, deadline)
        sent = self._attempts.send(claim, deadline)
        outcome = self._attempts.show(sent, key.sort, deadline) if isinstance(sent, Joined) else sent
        if outcome is None:
            self._attempts.put_back(claim)
        self._notes.catch_up(deadline)
        if isinstance(outcome, Parked):
            raise Refused(outcome.reason)
        return outcome or Accepted(key.sort)

    def _resume(self, known: NotApplied, content: Content) -> Claim | None:
        """Takes a message that is asked for again, and is due; one of a group has to wait for its group.

        One that may have arrived is left to the schedule, which gives it up in the end.
        """
        row = known.row
        is_due = row.owes and row.due_ts is not None and row.due_ts <= content.accepted and not row.ambiguous
        if known.body_hash != content.body_hash or not is_due or row.sequence is not None:
            return None
        return self._attempts.reclaim(row)

    def _keep(
        self, key: Key, content: Content, change: Callable[[Content], Change], *, until: float | None = None
    ) -> Delivered | Accepted:
        try:
            self._outbox.add(key, content, change, until=until)
        except NotApplied as known:
            return answer_known(known, key, content, self._clock())
        return Accepted(key.sort)
