"""Carries deliveries to Telegram: at which pace, and how long Telegram wants a chat left in peace.

A chat is a lane. What one lane waits for delays no other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..errors import BotTokenRejected, NotModified, Refused, TableUnavailable, Unavailable
from ..outbox import states
from ..outbox.row import Key
from ..outbox.table import NotApplied, Outbox
from ..telegram.bot_api import Sender, call_seconds
from ..telegram.delivery import Delivery
from .chats import Chats

if TYPE_CHECKING:
    from .topics import Topics

MAX_SLEEP_SECONDS = 5.0
NOTE_SECONDS = 2.0

_log = logging.getLogger("botte.relay")


class Interrupted(Unavailable):
    """We stop: no time for another call to Telegram, no lease any more, or no table to note the progress in."""


class _InTime:
    """A sender that begins no call without time for it: mending a message takes several, as its parts do."""

    def __init__(self, sender: Sender, may_begin: Callable[[str], bool]) -> None:
        self._sender = sender
        self._may_begin = may_begin

    def call(self, method: str, fields: Mapping[str, object], file: tuple[str, bytes] | None = None) -> Any:
        if not self._may_begin(method):
            raise Interrupted("no time left to send it")
        return self._sender.call(method, fields, file)


class Courier:
    """Sends through ``sender`` to ``chats``.

    A ``deadline`` is a time of ``clock`` (epoch seconds): no call is begun that could not be finished, and noted, by
    then. How long a chat has to wait is remembered here, and in ``outbox`` where it is long.
    """

    def __init__(
        self,
        sender: Sender,
        outbox: Outbox,
        chats: Chats,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._sender = sender
        self._outbox = outbox
        self._chats = chats
        self._clock = clock
        self._sleep = sleep
        self._not_before: dict[str, float] = {}
        self._last_sent: dict[str, float] = {}
        self._alarmed = False
        self._topics: Topics | None = None

    def has_time(self, deadline: float, *, method: str = "sendMessage") -> bool:
        """Whether a call to Telegram could be made and noted by the deadline."""
        return self._clock() + call_seconds(method) + NOTE_SECONDS <= deadline

    def free_ts(self, name: str) -> float:
        """When the chat may be written to again: at Telegram's pace, and not before it said."""
        return max(self._last_sent.get(name, 0.0) + self._chats.interval(name), self._not_before.get(name, 0.0))

    def read_waits(self) -> None:
        """Learns from the outbox which chats have to wait. Raises TableUnavailable."""
        for name, until in self._outbox.lanes().items():
            self._not_before[name] = max(until, self._not_before.get(name, 0.0))

    def is_telegram_there(self, deadline: float) -> bool:
        """Asks Telegram something that shows nothing in any chat. False also where there is no time to ask."""
        if not self.has_time(deadline, method="getMe"):
            return False
        try:
            self._sender.call("getMe", {})
        except BotTokenRejected as error:
            self._alarm(error)
            return False
        except Unavailable as error:
            _log.warning("Telegram cannot be reached", extra={"reason": error.reason})
            return False
        except Refused:
            pass  # it is there, and says so
        return True

    def try_call(self, method: str, fields: Mapping[str, object], *, deadline: float) -> None:
        """Makes a call on which no message depends, where there is time for it; what goes wrong is only logged."""
        try:
            _InTime(self._sender, lambda method: self.has_time(deadline, method=method)).call(method, fields)
        except NotModified:
            pass  # it was done before
        except (Refused, Unavailable) as error:
            _log.warning("a call is given up", extra={"method": method, "reason": error.reason})

    def carry(self, delivery: Delivery, *, deadline: float, may_sleep: bool = True) -> None:
        """Sends what is left of a delivery. Where it may sleep, it does so for as long as Telegram asks, up to 5 s.

        Raises Refused or Unavailable; ``delivery.progress`` tells how far it came.
        """
        name = delivery.message.chat
        chat_id = self._chats.id(name)
        delivery.is_silent = self._chats.is_silent(delivery.message)

        def may_begin(method: str) -> bool:
            self._last_sent[name] = self._clock()
            return self.has_time(deadline, method=method)

        slept, patience = 0.0, MAX_SLEEP_SECONDS if may_sleep else 0.0
        while True:
            wait = self._not_before.get(name, 0.0) - self._clock()
            if wait > 0:
                slept += wait
                if slept > patience:
                    raise Unavailable("Telegram asked to wait", retry_after=wait)
                if not self.has_time(deadline - wait):
                    raise Interrupted("no time left to wait for Telegram")
                self._sleep(wait)
            try:
                self._run(delivery, _InTime(self._sender, may_begin), chat_id)
                return
            except Unavailable as error:
                if error.retry_after is None:
                    raise
                self._hold(name, error.retry_after)
            finally:
                if delivery.migrated_to is not None:
                    self._chats.note_new_id(name, chat_id, delivery.migrated_to, deadline)

    def _run(self, delivery: Delivery, sender: Sender, chat_id: int) -> None:
        if not self._chats.wants_topic(delivery.message):
            delivery.run(sender, chat_id)
            return
        if self._topics is None:
            from .topics import Topics  # few chats want them: it stays out of the cold start

            self._topics = Topics(self._outbox, clock=self._clock)
        self._topics.run(delivery, sender, chat_id)

    def _hold(self, name: str, seconds: float) -> None:
        """Has a chat wait, for the other functions as well where it is long."""
        self._not_before[name] = until = self._clock() + seconds
        if seconds > MAX_SLEEP_SECONDS:
            with suppress(TableUnavailable, NotApplied):  # then each finds out by itself, or knows of a longer wait
                self._outbox.apply(Key.of_lane(name), states.hold_lane(until=until))

    def _alarm(self, error: BotTokenRejected) -> None:
        if not self._alarmed:
            self._alarmed = True
            _log.error(
                "Telegram rejects the bot token: messages are kept until the parameter is put right",
                extra={"alarm": "bot_token_rejected", "reason": error.reason},
            )
