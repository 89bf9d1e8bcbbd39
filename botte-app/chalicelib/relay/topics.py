"""A topic for each sender, in the chats that want it: made when it is first needed, anew where it was deleted.

A topic is worth less than a message: where there is none to be had, the message goes without.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress

from ..errors import Ambiguous, BotteError, Refused, TableUnavailable, ThreadNotFound, Unavailable
from ..outbox import states
from ..outbox.row import Key
from ..outbox.table import NotApplied, Outbox
from ..telegram.bot_api import Sender
from ..telegram.delivery import Delivery

NOTE_SECONDS = 2.0
RETRY_SECONDS = 300.0  # until Telegram, which refused to make a topic, is asked again

_log = logging.getLogger("botte.relay")


class Topics:
    """The topics that ``outbox`` remembers. clock: epoch seconds."""

    def __init__(self, outbox: Outbox, *, clock: Callable[[], float]) -> None:
        self._outbox = outbox
        self._clock = clock
        self._threads: dict[Key, int] = {}
        self._refused: dict[Key, float] = {}
        self._told: set[int] = set()

    def run(self, delivery: Delivery, sender: Sender, chat_id: int) -> None:
        """Runs a delivery in the topic of its message's ``sender_app``. Raises what it raises."""
        gone = None
        for _ in range(2):
            delivery.thread_id = self._find(chat_id, str(delivery.message.sender_app), sender, gone)
            try:
                delivery.run(sender, chat_id)
                return
            except ThreadNotFound:
                if delivery.thread_id is None:
                    raise
                gone = delivery.thread_id
        delivery.thread_id = None
        delivery.run(sender, chat_id)

    def _find(self, chat_id: int, name: str, sender: Sender, gone: int | None) -> int | None:
        """The thread of a topic, which is made where there is none but the one that is gone; None if it cannot be."""
        key = Key.of_topic(chat_id, name)
        thread_id = self._threads.get(key)
        if thread_id not in (None, gone):
            return thread_id
        if self._refused.get(key, 0.0) > self._clock():
            return None
        try:
            row = self._outbox.get(key)
            thread_id = row.thread_id if row else None
            if thread_id in (None, gone):
                thread_id = self._make(key, chat_id, name, sender, gone)
        except Refused as error:
            self._refused[key] = self._clock() + RETRY_SECONDS
            if chat_id not in self._told:
                self._told.add(chat_id)
                extra = {"chat_id": chat_id, "topic": name, "reason": error.reason}
                _log.error("Telegram makes no topic: messages appear without", extra=extra)
            return None
        except Unavailable as error:
            if error.retry_after is not None and not isinstance(error, TableUnavailable):
                raise
            _log.warning("no topic can be had now", extra={"chat_id": chat_id, "topic": name, "reason": error.reason})
            return None
        if thread_id is not None:
            self._threads[key] = thread_id
        return thread_id

    def _make(self, key: Key, chat_id: int, name: str, sender: Sender, gone: int | None) -> int | None:
        """Makes a topic, unless another process was faster: then it is that one's."""
        answer = sender.call("createForumTopic", {"chat_id": chat_id, "name": name})
        made = answer.get("message_thread_id") if isinstance(answer, dict) else None
        if not isinstance(made, int):
            raise Ambiguous("Telegram's answer is not a topic")
        try:
            self._outbox.apply(key, states.make_topic(made, gone=gone), until=self._clock() + NOTE_SECONDS)
        except NotApplied as known:
            with suppress(BotteError):  # it stays, and is empty
                sender.call("deleteForumTopic", {"chat_id": chat_id, "message_thread_id": made})
            return known.row.thread_id
        except TableUnavailable as error:
            extra = {"chat_id": chat_id, "topic": name, "reason": error.reason}
            _log.warning("only this process knows of a new topic", extra=extra)
        return made
