"""What the fake remembers: the messages of the bot, those written to it, and the events that tell of both."""

from __future__ import annotations

import itertools
import threading
from collections import Counter, deque
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from typing import Any

EVENTS_KEPT = 2000  # for readers that come back with Last-Event-ID


@dataclass(frozen=True)
class Event:
    """One server-sent event: `message`, `edited`, `deleted`, `mended`, `update`, `callback_answer`, `fault` or
    `cleared`."""

    id: int
    name: str
    body: Any


class Inbox:
    """Safe for threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._messages: list[dict[str, Any]] = []
        self._telegram_messages: dict[int, dict[str, Any]] = {}
        self._updates: list[dict[str, Any]] = []
        self._answers: list[dict[str, Any]] = []
        self._events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self._event_ids = itertools.count(1)
        self._message_ids = itertools.count(1)
        self._counts: Counter[str] = Counter()
        self._lost: dict[Hashable, int] = {}  # the messages whose answers were lost, by the contents of their calls
        self._closed = False

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What the bot sent, oldest first."""
        with self._changed:
            return list(self._messages)

    @property
    def updates(self) -> list[dict[str, Any]]:
        """What people wrote to the bot, oldest first."""
        with self._changed:
            return list(self._updates)

    @property
    def callback_answers(self) -> list[dict[str, Any]]:
        """What answerCallbackQuery said, oldest first."""
        with self._changed:
            return list(self._answers)

    @property
    def last_event_id(self) -> int:
        with self._changed:
            return self._events[-1].id if self._events else 0

    def next_message_id(self) -> int:
        """Unique, and increasing over all chats."""
        with self._changed:
            return next(self._message_ids)

    def telegram_message(self, chat_id: int | None, message_id: int) -> dict[str, Any] | None:
        """Telegram's Message object of a message in a chat, in any for None, whoever wrote it; None where it is not, or
        no more."""
        with self._changed:
            found = self._telegram_messages.get(message_id)
        return found if found and chat_id in (None, found["chat"]["id"]) else None

    def add_message(self, entry: dict[str, Any], message: dict[str, Any], call: Hashable = None) -> None:
        """entry: as the inbox lists it. message: Telegram's object. call: the content of the call that sent it.

        `doubles` is the message that the same call sent before, if the answer to that one was lost.
        """
        with self._changed:
            if (first := self._lost.pop(call, None)) is not None:
                entry["doubles"] = first
            self._messages.append(entry)
            self._telegram_messages[message["message_id"]] = message
            self._counts["accepted"] += 1
            self._tell("message", entry)

    def edit_message(self, message: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Puts the edited Message object, and the entry that `change` makes of the old one, where the old ones were."""
        with self._changed:
            self._telegram_messages[message["message_id"]] = message
            for place, entry in enumerate(self._messages):
                if entry["message_id"] == message["message_id"]:
                    self._messages[place] = change(entry)
                    self._tell("edited", self._messages[place])

    def delete_messages(self, message_ids: Collection[int]) -> None:
        """Forgets messages, whoever wrote them."""
        with self._changed:
            for message_id in message_ids:
                self._telegram_messages.pop(message_id, None)
            gone = [entry for entry in self._messages if entry["message_id"] in message_ids]
            gone += [entry["message"] for entry in self._updates if entry["message"]["message_id"] in message_ids]
            self._messages = [entry for entry in self._messages if entry["message_id"] not in message_ids]
            self._updates = [entry for entry in self._updates if entry["message"]["message_id"] not in message_ids]
            for entry in gone:
                self._tell("deleted", entry)

    def lose_answer(self, call: Hashable, message_id: int) -> None:
        """Notes that who made the call never learns of its message: the same call may come again."""
        with self._changed:
            self._lost[call] = message_id

    def mark_mended(self, message_ids: Collection[int], fields: Collection[str]) -> None:
        """Notes which fields of a message Botte changed or left out."""
        with self._changed:
            for place, message in enumerate(self._messages):
                if message["message_id"] in message_ids:
                    self._messages[place] = {**message, "mended": list(fields)}
                    self._tell("mended", self._messages[place])

    def add_update(self, update: dict[str, Any]) -> None:
        with self._changed:
            self._updates.append(update)
            self._telegram_messages[update["message"]["message_id"]] = update["message"]
            self._tell("update", update)

    def add_callback_answer(self, answer: dict[str, Any]) -> None:
        with self._changed:
            self._answers.append(answer)
            self._tell("callback_answer", answer)

    def clear(self) -> None:
        """Forgets messages, updates and answers; the numbers go on."""
        with self._changed:
            for kept in (self._messages, self._telegram_messages, self._updates, self._answers):
                kept.clear()
            self._tell("cleared", {})

    def tell(self, name: str, body: object) -> None:
        """Makes an event."""
        with self._changed:
            self._tell(name, body)

    def count(self, what: str) -> None:
        """Counts one of `connections`, `requests`, `ambiguous` or `refused`; `accepted` counts itself."""
        with self._changed:
            self._counts[what] += 1

    @property
    def stats(self) -> dict[str, int]:
        names = ("connections", "requests", "accepted", "ambiguous", "refused")
        with self._changed:
            return {name: self._counts[name] for name in names}

    def events_after(self, event_id: int, timeout: float) -> list[Event]:
        """The events after one, waiting up to `timeout` seconds for the first."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._has_events_after(event_id), timeout)
            return [event for event in self._events if event.id > event_id]

    def wait_for(self, condition: Callable[[list[dict[str, Any]]], bool], timeout: float) -> bool:
        """Waits until the messages meet a condition; whether they did within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self._messages), timeout)

    def open(self) -> None:
        """Lets readers wait for events, again after a close."""
        with self._changed:
            self._closed = False

    def close(self) -> None:
        """Ends all waiting for events."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _has_events_after(self, event_id: int) -> bool:
        return bool(self._events) and self._events[-1].id > event_id

    def _tell(self, name: str, body: Any) -> None:
        self._events.append(Event(next(self._event_ids), name, body))
        self._changed.notify_all()
