"""One attempt to deliver a message: it is claimed, sent, and noted how that went."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..contract.message import InvalidMessage, Message
from ..errors import Ambiguous, Refused, TableUnavailable, Unavailable
from ..outbox import states
from ..outbox.row import Key, Row
from ..outbox.states import Change, Content, Lease
from ..outbox.table import NotApplied, Outbox
from ..telegram.delivery import Delivery, Progress
from .courier import TABLE_SECONDS, Courier, Interrupted
from .outcome import Claim, Delivered, Parked, Undelivered, log_outcome

LEASE_SECONDS = 120.0  # longer than any function may run
MAX_MEDIA_ANSWERS_LOST = 2  # then a photo or document goes as a link: Telegram may take too long to fetch it

_log = logging.getLogger("botte.relay")


class Attempts:
    """Sends claimed rows through ``courier``, and notes in ``outbox`` how each attempt went.

    A note that cannot be made in five seconds is left for ``catch_up``, which is tried until the deadline. After that
    the row is taken up again when its lease is over. clock: epoch seconds. random: gives so many random bytes.
    """

    def __init__(
        self,
        courier: Courier,
        outbox: Outbox,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        random: Callable[[int], bytes],
    ) -> None:
        self._courier = courier
        self._outbox = outbox
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._unnoted: list[tuple[Key, Change]] = []

    def catch_up(self, deadline: float) -> None:
        """Makes the notes that could not be made, each once, and then until the deadline (epoch seconds)."""
        pause = 0.1
        while self._unnoted:
            unnoted, self._unnoted = self._unnoted, []
            for key, change in unnoted:
                self._end(key, change, until=self._clock())
            if not self._unnoted or self._clock() + pause + TABLE_SECONDS > deadline:
                return
            self._sleep(pause)
            pause = min(2 * pause, 2.0)

    def claim(self, key: Key, content: Content, message: Message) -> Claim:
        """Takes a new message to send it. Raises NotApplied where it is known, TableUnavailable."""
        lease = self._lease()
        return Claim(key, message, self.add(key, content, lambda content: states.claim(content, lease)), lease)

    def add(
        self, key: Key, content: Content, change: Callable[[Content], Change], *, until: float | None = None
    ) -> Row:
        """Adds a new message to the outbox. until: how long it is tried, 5 s by default.

        Raises NotApplied where it is known, TableUnavailable.
        """
        try:
            return self._outbox.apply(key, change(content), until=until)
        except NotApplied as known:
            gone = known.row.owner
            if gone is None:
                raise
        # The id of a message in a group is free again when that message's own row is over.
        owner = self._outbox.get(gone)
        if owner is not None and not owner.is_over(content.accepted):
            raise NotApplied(owner)
        return self._outbox.apply(key, change(content._replace(gone=gone)), until=until)

    def reclaim(self, row: Row) -> Claim | None:
        """Takes a row that is due to send it once more; None where it is so no more, or somebody else has it.

        A row that cannot be read is parked: it would be the same the next time.
        """
        lease = self._lease()
        try:
            claimed = self._outbox.apply(row.key, states.reclaim(lease, now=self._clock(), place=row.sequence))
        except NotApplied:
            return None
        try:
            return Claim(row.key, claimed.read_message(self._clock()), claimed, lease)
        except Exception as error:
            reason = str(error) if isinstance(error, InvalidMessage) else "internal error"
            _log.error("a row cannot be read", exc_info=True, extra={"id": row.key.sort})
            self._end(row.key, states.fail(lease, claimed.progress, now=self._clock(), error=reason))
            return None

    def reserve_id(self, id: str | None, owner: Key, content: Content) -> None:
        """Has an id name a message in a group; any other has the row that its id names.

        Raises NotApplied where it names another message already, TableUnavailable.
        """
        if id is not None and content.sequence is not None:
            self.add(
                Key.of_id(id),
                content,
                lambda new: states.reserve(owner, body_hash=new.body_hash, now=new.accepted, gone=new.gone),
            )

    def confirm_id(self, claim: Claim) -> bool:
        """Reserves the id of a claimed message. False where it names another message: then this one has ended."""
        if claim.message.id is None or claim.group is None:
            return True
        content = Content.of(claim.message, self._clock(), claim.row.sequence)
        try:
            self.reserve_id(claim.message.id, claim.key, content)
        except NotApplied as known:
            if known.row.body_hash == content.body_hash:
                self._end(claim.key, states.sent(claim.lease, known.row.progress, now=self._clock()))
            else:
                self.fail(claim, "id: names another message already")
            return False
        return True

    def send(self, claim: Claim, deadline: float) -> Delivered | Parked | Undelivered:
        """Sends a claimed message, and notes it where that is its end; else it is to be put back."""

        def note(progress: Progress) -> None:
            extended = Lease(claim.lease.id, self._clock() + LEASE_SECONDS)
            try:
                self._outbox.apply(claim.key, states.progress(extended, progress))
            except TableUnavailable as error:
                raise Interrupted(f"no further part without a note: {error.reason}") from None
            except NotApplied:
                raise Interrupted("another process has it: the lease was over") from None

        delivery = Delivery(claim.message, claim.row.progress, note=note)
        if claim.row.ambiguous >= MAX_MEDIA_ANSWERS_LOST:
            delivery.send_media_as_link()
        try:
            self._courier.carry(delivery, deadline=deadline)
        except Refused as error:
            return self.fail(claim, error.reason, delivery.progress)
        except Unavailable as error:
            return Undelivered(error, delivery.progress)
        except Exception:
            _log.error("internal error while a message was sent", exc_info=True, extra={"id": claim.key.sort})
            return self.fail(claim, "internal error", delivery.progress)
        self._end(claim.key, states.sent(claim.lease, delivery.progress, now=self._clock()))
        log_outcome("sent", claim.key, claim.message, mended=delivery.progress.mended)
        return Delivered(delivery.progress.result)

    def fail(self, claim: Claim, reason: str, progress: Progress | None = None) -> Parked:
        """Parks a claimed message, with the reason."""
        kept = claim.row.progress if progress is None else progress
        self._end(claim.key, states.fail(claim.lease, kept, now=self._clock(), error=reason))
        log_outcome("failed", claim.key, claim.message, reason)
        return Parked(reason)

    def put_back(
        self, claim: Claim, left: Undelivered | None = None, *, is_failure: bool = False, due: float | None = None
    ) -> None:
        """Puts a claimed message back to its turn, or later than that by its own failure.

        left: why it is not delivered; without it the message only waits for its turn.
        is_failure: Telegram was there. due: when to try it again, in epoch seconds; the message's turn by default.
        """
        row, now, group = claim.row, self._clock(), claim.group
        error = None if left is None else left.error
        try:
            if group is not None:
                self._queue_group(group, row, due, is_failure=is_failure)
        except TableUnavailable:
            # The row stays in its lane, and is found there when its lease is over. What has arrived is noted.
            if left is not None and left.progress != row.progress:
                self._end(claim.key, states.progress(claim.lease, left.progress))
            return
        back = states.later(
            claim.lease,
            row.progress if left is None else left.progress,
            chat=claim.message.chat,
            due=None if group is not None else due or row.turn_ts,
            error=None if error is None else error.reason,
            is_ambiguous=isinstance(error, Ambiguous),
            is_failure=is_failure,
            failing_since=row.failing_since_ts or (None if due is None else now),
        )
        self._end(claim.key, back)
        if error is not None:
            log_outcome("pending", claim.key, claim.message, error.reason, waited_seconds=int(now - row.turn_ts))

    def _queue_group(self, group: str, row: Row, due: float | None, *, is_failure: bool) -> None:
        """Puts a group into its lane, before one of its messages leaves the lane to wait in the group."""
        nonce = self._random(8).hex()
        if due is None:
            change = states.touch_group(row.chat, due=row.turn_ts, nonce=nonce, is_failure=is_failure)
        else:
            change = states.move_group(row.chat, due=due, nonce=nonce, is_failure=is_failure)
        self._outbox.apply(Key.of_group(group), change)

    def _end(self, key: Key, change: Change, *, until: float | None = None) -> None:
        """Notes how an attempt ended, or leaves that to ``catch_up``."""
        try:
            self._outbox.apply(key, change, until=until)
        except NotApplied:
            pass  # the lease was over: another has taken the row since, and notes how it ends
        except TableUnavailable as error:
            _log.error("what became of a message cannot be noted", extra={"id": key.sort, "reason": error.reason})
            self._unnoted.append((key, change))

    def _lease(self) -> Lease:
        return Lease(self._random(16).hex(), self._clock() + LEASE_SECONDS)
