"""The configured chats: their names, and their ids, also after Telegram gave one another id."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress

from ..contract.message import Message
from ..errors import ParametersUnavailable, Refused
from ..settings import Parameters

WRITE_SECONDS = 22.0  # a read and a write of the Parameter Store, and what is noted after them, at their worst
PRIVATE_INTERVAL_SECONDS = 1.0
GROUP_INTERVAL_SECONDS = 3.0

_log = logging.getLogger("botte.relay")


def say_unknown(name: str, chats: Iterable[str]) -> str:
    """Why nothing can be sent to a chat: its name is none of the configured ones, which are told."""
    return f"unknown chat {name!r}; the chats are {', '.join(sorted(chats))}"


class Chats:
    """The chats that ``parameters`` names. clock: epoch seconds."""

    def __init__(self, parameters: Parameters, *, clock: Callable[[], float]) -> None:
        self._parameters = parameters
        self._clock = clock
        self._moved: dict[int, int] = {}

    def names(self) -> set[str]:
        """The names of the configured chats. Raises ParametersUnavailable."""
        return set(self._parameters.chats())

    def id(self, name: str) -> int:
        """The id of the chat with a name. Raises Refused, or ParametersUnavailable."""
        chats = self._parameters.chats()
        if name not in chats:
            raise Refused(say_unknown(name, chats))
        return self._moved.get(chats[name], chats[name])

    def interval(self, name: str) -> float:
        """How many seconds Telegram wants between two messages to a chat."""
        with suppress(Refused, ParametersUnavailable):
            # Groups have negative ids. https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
            return PRIVATE_INTERVAL_SECONDS if self.id(name) > 0 else GROUP_INTERVAL_SECONDS
        return PRIVATE_INTERVAL_SECONDS

    def is_silent(self, message: Message) -> bool:
        """Whether a message makes no sound now: in its chat's quiet hours, or while its sender is muted.

        Raises ParametersUnavailable.
        """
        if message.urgent:
            return False
        settings, now = self._parameters.chat_settings().get(message.chat), self._clock()
        is_quiet = settings is not None and settings.quiet is not None and settings.quiet.hold(now)
        return is_quiet or self._parameters.mutes().get(message.sender_app or "", 0.0) > now

    def wants_topic(self, message: Message) -> bool:
        """Whether a message is to appear in the topic of its sender. Raises ParametersUnavailable."""
        if message.sender_app is None or message.message_thread_id is not None:
            return False
        settings = self._parameters.chat_settings().get(message.chat)
        return settings is not None and settings.topics

    def note_new_id(self, name: str, old_id: int, new_id: int, deadline: float) -> None:
        """Remembers a group's new id: here, and in the Parameter Store where there is time for it, and the right.

        deadline: epoch seconds.
        """
        if old_id in self._moved:
            return
        self._moved[old_id] = new_id
        chat = {"chat": name, "chat_id": new_id}
        try:
            if self._clock() + WRITE_SECONDS > deadline:
                raise ParametersUnavailable("no time left to write the parameter")
            self._parameters.move_chat(old_id, new_id)
        except ParametersUnavailable as error:
            _log.error(
                "the group became a supergroup: put its new chat id into the parameter telegram-chats",
                extra={**chat, "alarm": "chat_migrated", "reason": error.reason},
            )
        else:
            _log.warning("the group became a supergroup: its new chat id is in telegram-chats now", extra=chat)
