"""Message groups: which of a group goes next, and how a group waits in a lane, as one row for all its messages."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from ..outbox import states
from ..outbox.row import Key, Row
from ..outbox.table import NotApplied, Outbox
from .outcome import Claim


class Groups:
    """The groups in ``outbox``. clock: epoch seconds. random: gives so many random bytes."""

    def __init__(self, outbox: Outbox, *, clock: Callable[[], float], random: Callable[[int], bytes]) -> None:
        self._outbox = outbox
        self._clock = clock
        self._random = random

    def is_next(self, claim: Claim) -> bool:
        """Whether no earlier message of its group is unsent. Whoever comes sees those that are claimed."""
        head = None if claim.group is None else self._outbox.head(claim.group)
        return head is None or head.key == claim.key

    def find_head(self, entry: Row, chat: str) -> Row | None:
        """The next message of a group whose row waits in the lane of a chat.

        None if there is none in this lane: then the group is taken out of it, and put into the lane it belongs to.
        """
        head = self._outbox.head(entry.key.partition)
        if head is not None and head.chat == chat:
            return head
        if head is None:
            change = states.close_group(entry.touched, now=self._clock())
        else:
            change = states.move_group(head.chat, due=head.turn_ts, nonce=self._nonce())
        with suppress(NotApplied):  # a message came meanwhile: the group stays
            self._outbox.apply(entry.key, change)
        return None

    def forgive(self, entry: Row) -> Row:
        """Forgets the failures of a group of which a message went through, and gives its row."""
        if not entry.failures:
            return entry
        try:
            return self._outbox.apply(entry.key, states.forgive_group(entry.touched))
        except NotApplied as touched:  # it is forgiven after its next message
            return touched.row

    def wait(self, claim: Claim, due: float | None, *, is_failure: bool) -> None:
        """Has a message's group wait in its lane, before the message leaves the lane to wait in the group.

        due: when the group goes on, in epoch seconds; by default, when it would anyway. Raises TableUnavailable.
        """
        if claim.group is None:
            return
        row, nonce = claim.row, self._nonce()
        if due is None:
            change = states.touch_group(row.chat, due=row.turn_ts, nonce=nonce, is_failure=is_failure)
        else:
            change = states.move_group(row.chat, due=due, nonce=nonce, is_failure=is_failure)
        self._outbox.apply(Key.of_group(claim.group), change)

    def _nonce(self) -> str:
        return self._random(8).hex()
