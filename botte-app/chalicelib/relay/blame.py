"""Whose fault it is that a message is not delivered: Telegram's, its chat's, or its own.

Telegram is asked by a call that shows nothing. While it is away, or asks to wait, no row is moved: all keep their
order. Where it is there, a message that fails is set aside, and the next one of its lane tried: if that goes through,
the fault is its own.
"""

from __future__ import annotations

from collections.abc import Callable

from ..errors import Ambiguous, ParametersUnavailable
from ..outbox.row import DAY, Row
from .attempt import Attempts
from .courier import Courier, Interrupted
from .lanes import Lane
from .outcome import Claim

MIN_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 5.0, 900.0
MAX_OWN_FAILURE_SECONDS = 3.0 * DAY
MIN_OWN_FAILURES = 100  # of those days most may have been an outage
MAX_ANSWERS_LOST = 5
MAX_SUSPECTS = 5  # messages of a lane that are tried in a run while none goes through
MIN_LONE_FAILURES = 10  # then the fault of one that is alone in its lane is taken for its own


class Blame:
    """Puts back what a run could not deliver. clock: epoch seconds. random: gives so many random bytes."""

    def __init__(
        self,
        courier: Courier,
        attempts: Attempts,
        *,
        clock: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self._courier = courier
        self._attempts = attempts
        self._clock = clock
        self._random = random

    def judge(self, lane: Lane, entry: Row, claim: Claim, deadline: float) -> bool:
        """Puts a message back that was not delivered, or sets it aside. False when Telegram is away.

        entry: the row that brought it to its turn: its own, or its group's. deadline: epoch seconds.
        """
        error = claim.error
        if error is not None and error.retry_after is not None:
            self._attempts.put_back(claim)
            lane.push(entry, entry.due_ts or 0.0)
            return True
        if isinstance(error, Interrupted):
            self._attempts.put_back(claim)
            return True
        if isinstance(error, ParametersUnavailable) or not self._courier.is_telegram_there(deadline):
            self._attempts.put_back(claim)
            return False
        if isinstance(error, Ambiguous) and claim.row.ambiguous + 1 >= MAX_ANSWERS_LOST:
            self._attempts.fail(claim, f"may have arrived: {MAX_ANSWERS_LOST} times {error.reason}")
        elif lane.is_alive:
            self._put_off(claim)
        else:
            lane.suspects.append(claim)
            if len(lane.suspects) >= MAX_SUSPECTS:
                lane.close()
        return True

    def settle(self, lane: Lane) -> None:
        """Puts back those that were set aside: if another went through meanwhile, by their own fault."""
        for claim in lane.suspects:
            is_alone = lane.seen == 1 and claim.row.failures >= MIN_LONE_FAILURES
            if lane.is_alive or is_alone:
                self._put_off(claim)
            else:
                self._attempts.put_back(claim, is_failure=True)
        lane.suspects = []

    def _put_off(self, claim: Claim) -> None:
        """Moves a message that fails by its own fault: 5 s to 15 min, doubling, with jitter; for three days."""
        now = self._clock()
        has_lasted = now - (claim.row.failing_since_ts or now) >= MAX_OWN_FAILURE_SECONDS
        if has_lasted and claim.row.failures >= MIN_OWN_FAILURES:
            self._attempts.fail(claim, f"for 3 days: {claim.error and claim.error.reason}")
            return
        backoff = min(MAX_BACKOFF_SECONDS, MIN_BACKOFF_SECONDS * 2.0 ** min(claim.row.failures, 16))
        jitter = int.from_bytes(self._random(2), "big") / 65_535
        due = now + max(MIN_BACKOFF_SECONDS, backoff * (0.5 + 0.5 * jitter))
        self._attempts.put_back(claim, is_failure=True, due=due)
