"""Carries deliveries to Telegram: to which chat, how long to wait, and when to leave it for later."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from .delivery import Delivery
from .errors import BotTokenRejected, ParametersUnavailable, Refused, Unavailable
from .settings import Parameters
from .telegram import Sender, call_seconds

MAX_SLEEP_SECONDS = 5.0
NOTE_SECONDS = 2.0
REMEMBER_SECONDS = 20.0  # a read and a write of the Parameter Store, at their worst
PRIVATE_CHAT_INTERVAL_SECONDS = 1.0
GROUP_CHAT_INTERVAL_SECONDS = 3.0

_log = logging.getLogger("botte.courier")


class _InTime:
    """A sender that begins no call without time for it: mending a message takes several, as its parts do."""

    def __init__(self, sender: Sender, has_time: Callable[[str], bool]) -> None:
        self._sender = sender
        self._has_time = has_time

    def call(self, method: str, fields: Mapping[str, object], file: tuple[str, bytes] | None = None) -> Any:
        if not self._has_time(method):
            raise Unavailable("no time left to send it", retry_after=0.0)
        return self._sender.call(method, fields, file)


class Courier:
    """Sends through ``sender`` to the chats that ``parameters`` names.

    A ``deadline`` is a time of ``clock`` (epoch seconds): no call is begun that could not be finished, and noted, by
    then. When Telegram asks to wait, the courier remembers it for the chat, and sleeps itself only for 5 s or less.
    """

    def __init__(
        self,
        sender: Sender,
        parameters: Parameters,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._sender = sender
        self._parameters = parameters
        self._clock = clock
        self._sleep = sleep
        self._not_before: dict[int, float] = {}
        self._last_sent: dict[int, float] = {}
        self._moved: dict[int, int] = {}
        self._alarmed = False

    def has_time(self, deadline: float, *, method: str = "sendMessage", paced: bool = False) -> bool:
        """Whether a call to Telegram could be made and noted by the deadline; paced: to any chat, at its pace."""
        free = [sent + _interval(chat_id) for chat_id, sent in self._last_sent.items()] if paced else []
        return max([self._clock(), *free]) + call_seconds(method) + NOTE_SECONDS <= deadline

    def chat_id(self, name: str) -> int:
        """The id of the chat with a name. Raises Refused, or Unavailable."""
        chats = self._parameters.chats()
        if name not in chats:
            raise Refused(f"unknown chat; the chats are {', '.join(sorted(chats))}")
        return self._moved.get(chats[name], chats[name])

    def carry(self, delivery: Delivery, *, deadline: float, paced: bool = False) -> None:
        """Sends what is left of a delivery.

        paced: hold to Telegram's pace from message to message, instead of waiting until it complains.
        Raises Refused or Unavailable; ``delivery.progress`` tells how far it came.
        """
        chat_id = self.chat_id(delivery.message.chat)
        if paced:
            self._wait(self._last_sent.get(chat_id, 0.0) + _interval(chat_id) - self._clock(), deadline)
        slept = 0.0
        while True:
            wait = self._not_before.get(chat_id, 0.0) - self._clock()
            if wait > 0:
                slept += wait
                if slept > MAX_SLEEP_SECONDS:
                    raise Unavailable("Telegram asked to wait", retry_after=wait)
                self._wait(wait, deadline)
            try:
                delivery.run(_InTime(self._sender, lambda method: self.has_time(deadline, method=method)), chat_id)
                return
            except BotTokenRejected as error:
                self._alarm(error)
                raise
            except Unavailable as error:
                if not error.retry_after:
                    raise
                self._not_before[chat_id] = self._clock() + error.retry_after
            finally:
                self._last_sent[chat_id] = self._clock()
                if delivery.migrated_to is not None and chat_id not in self._moved:
                    self._note_migration(delivery.message.chat, chat_id, delivery.migrated_to, deadline)

    def _wait(self, seconds: float, deadline: float) -> None:
        if seconds <= 0:
            return
        if not self.has_time(deadline - seconds):
            raise Unavailable("no time left to wait for Telegram", retry_after=seconds)
        self._sleep(seconds)

    def _alarm(self, error: BotTokenRejected) -> None:
        if not self._alarmed:
            self._alarmed = True
            _log.error(
                "Telegram rejects the bot token: messages are kept until the parameter is put right",
                extra={"alarm": "bot_token_rejected", "reason": error.reason},
            )

    def _note_migration(self, name: str, old_id: int, new_id: int, deadline: float) -> None:
        """Remembers a group's new id: here, and in the Parameter Store where there is time for it, and the right."""
        self._moved[old_id] = new_id
        chat = {"chat": name, "chat_id": new_id}
        try:
            if self._clock() + REMEMBER_SECONDS + NOTE_SECONDS > deadline:
                raise ParametersUnavailable("no time left to write the parameter")
            self._parameters.move_chat(old_id, new_id)
        except ParametersUnavailable as error:
            _log.error(
                "the group became a supergroup: put its new chat id into the parameter telegram-chats",
                extra={**chat, "alarm": "chat_migrated", "reason": error.reason},
            )
        else:
            _log.warning("the group became a supergroup: its new chat id is in telegram-chats now", extra=chat)


def _interval(chat_id: int) -> float:
    # Groups have negative ids. https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
    return PRIVATE_CHAT_INTERVAL_SECONDS if chat_id > 0 else GROUP_CHAT_INTERVAL_SECONDS
