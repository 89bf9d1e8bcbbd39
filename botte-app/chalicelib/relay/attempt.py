"""One attempt to deliver a message: it is claimed, sent, and noted how that went."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from ..contract.message import InvalidMessage, Message
from ..contract.reading import Reading
from ..errors import Refused, TableUnavailable, Unavailable
from ..outbox import states
from ..outbox.row import Key, Row
from ..outbox.states import Change, Content, Lease
from ..outbox.table import NotApplied, Outbox
from ..settings import Parameters
from ..telegram.delivery import Delivery, Progress
from .courier import Courier, Interrupted
from .groups import Groups
from .notes import Notes
from .outcome import Accepted, Claim, Delivered, Joined, Parked, log_outcome

if TYPE_CHECKING:
    from ..telegram.buttons import Rows
    from .live import Live

LEASE_SECONDS = 120.0  # longer than any function may run
SHOW_SECONDS = 5.0
LOOK_SECONDS = 1.0  # while another process shows a live message
MAX_MEDIA_ANSWERS_LOST = 2  # then a photo or document goes as a link: Telegram may take too long to fetch it

_log = logging.getLogger("botte.relay")


class Attempts:
    """Sends claimed rows of ``outbox`` through ``courier``, and notes how each attempt went.

    parameters: have the secret with which buttons are signed. buttons: those below the message of a row. clock: epoch
    seconds. random: gives so many random bytes.
    """

    def __init__(
        self,
        courier: Courier,
        outbox: Outbox,
        notes: Notes,
        groups: Groups,
        parameters: Parameters,
        *,
        buttons: Callable[[Row], Rows],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        random: Callable[[int], bytes],
    ) -> None:
        self._courier = courier
        self._outbox = outbox
        self._notes = notes
        self._groups = groups
        self._parameters = parameters
        self._buttons = buttons
        self._clock = clock
        self._sleep = sleep
        self._random = random

    @cached_property
    def live(self) -> Live:
        """The live messages."""
        from .live import Live  # most messages have no key: it stays out of the cold start

        return Live(self._outbox, self._notes, self._parameters, clock=self._clock)

    def claim(self, key: Key, content: Content, message: Message) -> Claim:
        """Takes a new message to send it. Raises NotApplied where it is known, TableUnavailable."""
        lease = self._lease()
        row = self._outbox.add(key, content, lambda content: states.claim(content, lease))
        return self._claimed(row, lease, Reading(message, row.progress.mended))

    def reclaim(self, row: Row, *, until: float | None = None) -> Claim | None:
        """Takes a row that is due, to send it once more; None if it is not due any more, or somebody else has it.

        A row that cannot be read is parked: it would be the same the next time. until: as in ``Outbox.apply``.
        """
        if row.key in self._notes:
            return None
        lease = self._lease()
        try:
            change = states.reclaim(lease, now=self._clock(), place=row.sequence, is_live=row.key.is_live)
            claimed = self._outbox.apply(row.key, change, until=until)
        except NotApplied:
            return None
        try:
            return self._claimed(claimed, lease, claimed.read_message(self._clock()))
        except Exception as error:
            is_ours = not isinstance(error, InvalidMessage)
            if is_ours:
                _log.error("internal error while a row was read", exc_info=True, extra={"id": row.key.sort})
            reason = "internal error" if is_ours else str(error)
            self._park(row.key, None, reason, states.fail(lease, claimed.progress, now=self._clock(), error=reason))
            return None

    def reserve_id(self, claim: Claim) -> bool:
        """Reserves the id of a claimed message whose row is not the id's own: one of a group, or of what was parked.

        False if the id names a message already: then this one has ended.
        """
        if claim.message.id is None or claim.key == Key.of_id(claim.message.id):
            return True
        content = Content.of(claim.message, self._clock(), claim.row.sequence)
        try:
            self._outbox.reserve(claim.message.id, claim.key, content)
        except NotApplied as known:
            if known.body_hash != content.body_hash:
                if claim.group is None:
                    return True  # it was parked for that, and is wanted all the same: it goes without its id
                self.fail(claim, "id: names another message already")
            elif known.row.status == "FAILED":
                self.fail(claim, f"id: names a message that is parked already: {known.row.last_error}")
            else:
                self._notes.make(claim.key, states.sent(claim.lease, known.row.progress, now=self._clock()))
            return False
        return True

    def send(self, claim: Claim, deadline: float, *, may_sleep: bool = True) -> Delivered | Joined | Parked | None:
        """Sends a claimed message, and notes how it ended; None if it is to be put back, ``claim.error`` tells why.

        One with a key joins the live message of that key, which is still to be shown then. deadline, may_sleep: as in
        ``Courier.carry``.
        """
        if claim.message.collapse_key is not None and not claim.key.is_live:
            try:
                return self.live.join(claim)
            except TableUnavailable as error:
                claim.error = error
                return None
        if claim.row.ambiguous >= MAX_MEDIA_ANSWERS_LOST:
            claim.delivery.send_media_as_link()
        try:
            self._courier.carry(claim.delivery, deadline=deadline, may_sleep=may_sleep)
        except Refused as error:
            return self.fail(claim, error.reason)
        except Unavailable as error:
            claim.error = error
            return None
        except Exception:
            _log.error("internal error while a message was sent", exc_info=True, extra={"id": claim.key.sort})
            return self.fail(claim, "internal error")
        progress = claim.delivery.progress
        self._notes.make(claim.key, *claim.sent(self._clock()))
        log_outcome("sent", claim.key, claim.message, progress=progress)
        return Delivered(progress.result)

    def show(
        self, joined: Joined, id: str, deadline: float, *, patience: float = SHOW_SECONDS
    ) -> Delivered | Parked | Accepted:
        """Shows a live message that another has joined, or sees another process do it.

        ``Accepted`` where that takes longer: it waits for its last edit to be old enough, or for the other process, for
        so many seconds at most. id: of the message that joined. deadline: epoch seconds.
        """
        ends = min(self._clock() + patience, deadline)
        row = joined.row.as_of(joined.version)
        try:
            while row.owes:
                now = self._clock()
                wait = LOOK_SECONDS if row.status == "SENDING" else max(0.0, (row.due_ts or now) - now)
                if wait > max(0.0, ends - now) or row.key in self._notes or not self._courier.has_time(deadline - wait):
                    return Accepted(id)
                self._sleep(wait)
                claim = self.reclaim(row)
                if claim is not None:
                    outcome = self.send(claim, deadline)
                    if isinstance(outcome, (Delivered, Parked)):
                        return outcome
                    self.put_back(claim)
                    return Accepted(id)
                row = (self._outbox.get(row.key) or row).as_of(joined.version)
        except TableUnavailable:
            return Accepted(id)
        if row.status == "FAILED":
            return Parked(row.last_error or "it was refused")
        # One that was superseded before anything was shown has no message of Telegram's.
        return Delivered(row.progress.result) if row.progress.message_ids else Accepted(id)

    def fail(self, claim: Claim, reason: str) -> Parked:
        """Parks a claimed message, with the reason."""
        self._park(claim.key, claim.message, reason, *claim.failed(self._clock(), reason))
        return Parked(reason)

    def put_back(self, claim: Claim, *, is_failure: bool = False, due: float | None = None) -> None:
        """Puts a claimed message back to its turn, or later than that by its own failure.

        is_failure: Telegram was there. due: when to try it again, in epoch seconds; the message's turn by default.
        """
        row, progress, error, now = claim.row, claim.delivery.progress, claim.error, self._clock()
        try:
            self._groups.wait(claim, due, is_failure=is_failure)
        except TableUnavailable:
            # The row stays in its lane, and is found there when its lease is over. What has arrived is noted.
            if progress != row.progress:
                self._notes.make(claim.key, claim.noted(claim.lease.until))
            return
        failing_since = row.failing_since_ts or (None if due is None else now)
        self._notes.make(claim.key, *claim.put_back(due, is_failure=is_failure, failing_since=failing_since))
        if error is not None:
            log_outcome("pending", claim.key, claim.message, error.reason, waited_seconds=int(now - claim.turn_ts))

    def _park(self, key: Key, message: Message | None, reason: str, *changes: Change) -> None:
        if not key.is_notice:
            self._notes.count_parked(reason)  # before the row is parked: nobody would come back to it after a crash
        self._notes.make(key, *changes)
        log_outcome("failed", key, message, reason)

    def _claimed(self, row: Row, lease: Lease, reading: Reading) -> Claim:
        def note(_: Progress) -> None:
            try:
                self._outbox.apply(row.key, claim.noted(self._clock() + LEASE_SECONDS))
            except TableUnavailable as error:
                raise Interrupted(f"no further part without a note: {error.reason}") from None
            except NotApplied:
                raise Interrupted("another process has it: the lease was over") from None

        if row.key.is_live:
            claim = self.live.claim(row, lease, reading, note)
        else:
            progress = row.progress._replace(mended=reading.mended)
            delivery = Delivery(reading.message, progress, note=note, buttons=self._buttons(row))
            claim = Claim(row.key, row, lease, delivery)
        return claim

    def _lease(self) -> Lease:
        return Lease(self._random(16).hex(), self._clock() + LEASE_SECONDS)
