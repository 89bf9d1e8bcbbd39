"""People pressing the buttons of the bot's messages (https://core.telegram.org/bots/api#callbackquery)."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from typing import Any

from tools.dev.fake_telegram.answers import Answer, bad_request, result_answer
from tools.dev.fake_telegram.calls import Call
from tools.dev.fake_telegram.chats import Chats
from tools.dev.fake_telegram.inbox import Inbox
from tools.dev.fake_telegram.updates import UpdateQueue

ANSWER_LIMIT = 200  # characters
# Not documented; as people met it: https://github.com/eternnoir/pyTelegramBotAPI/issues/1615
QUERY_LIFETIME = 15.0  # seconds in which a press can be answered


class Presses:
    """Safe for threads."""

    def __init__(self, chats: Chats, inbox: Inbox, updates: UpdateQueue, clock: Callable[[], float]) -> None:
        self._chats = chats
        self._inbox = inbox
        self._updates = updates
        self._clock = clock
        self._lock = threading.Lock()
        self._ids = itertools.count(4_382_900_000_000_000_001)
        self._waiting: dict[str, tuple[float, dict[str, Any]]] = {}  # the time, and the query, by its id

    def press(self, message_id: int, data: str, chat_id: int | None, user: Mapping[str, Any] | None) -> dict[str, Any]:
        """Makes the update. A message that is not in the chat is one that can't be accessed, as in Telegram.

        chat_id: None for the message's own. Raises ApiError where the chat is unknown.
        """
        message = self._inbox.telegram_message(chat_id, message_id)
        own_chat_id = message["chat"]["id"] if message else self._chats.owner_id
        chat = self._chats.find(str(own_chat_id if chat_id is None else chat_id))
        query_id = str(next(self._ids))
        query: dict[str, Any] = {
            "id": query_id,
            "from": {**self._chats.owner(), **(user or {})},
            "message": message or {"message_id": message_id, "chat": chat, "date": 0},
            "chat_instance": str(6_000_000_000_000_000_000 - chat["id"]),
            "data": data,
        }
        with self._lock:
            self._waiting[query_id] = self._clock(), query
        return self._updates.add("callback_query", query)

    def answer(self, call: Call) -> Answer:
        """answerCallbackQuery: once, and in time. Raises ApiError."""
        text = call.parameters.get("text", "")
        if len(text) > ANSWER_LIMIT:
            raise bad_request("MESSAGE_TOO_LONG")
        with self._lock:
            pressed_at, query = self._waiting.pop(call.parameters.get("callback_query_id", ""), (0.0, {}))
        if not query or self._clock() - pressed_at > QUERY_LIFETIME:
            raise bad_request("query is too old and response timeout expired or query ID is invalid")
        self._inbox.add_callback_answer(
            {
                "callback_query_id": query["id"],
                "chat_id": query["message"]["chat"]["id"],
                "message_id": query["message"]["message_id"],
                "data": query["data"],
                "text": text,
                "show_alert": call.flag("show_alert"),
            }
        )
        return result_answer(True)
