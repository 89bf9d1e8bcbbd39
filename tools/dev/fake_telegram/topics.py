"""The topics of forums (https://core.telegram.org/bots/api#createforumtopic)."""

from __future__ import annotations

import threading

from tools.dev.fake_telegram.answers import Answer, bad_request, result_answer
from tools.dev.fake_telegram.calls import Call
from tools.dev.fake_telegram.chats import Chats
from tools.dev.fake_telegram.inbox import Inbox

GENERAL_TOPIC = 1  # cannot be named as a thread
NAME_LIMIT = 128  # characters; the rest is cut off
_ICON_COLOR = 0x6FB9F0


class Topics:
    """Safe for threads."""

    def __init__(self, chats: Chats, inbox: Inbox) -> None:
        self._chats = chats
        self._inbox = inbox
        self._lock = threading.Lock()
        self._names: dict[tuple[int, int], str] = {}  # by chat and thread

    def name(self, chat_id: int, thread_id: int) -> str | None:
        """The name of the topic that a message is sent to; None for none, and for any thread where there is no forum.

        Raises ApiError where a forum has no such topic.
        """
        with self._lock:
            name = self._names.get((chat_id, thread_id))
        is_missing = name is None and thread_id and self._chats.is_forum(chat_id)
        if is_missing or thread_id == GENERAL_TOPIC:
            raise bad_request("message thread not found")
        return name

    def create(self, call: Call) -> Answer:
        chat_id = self._forum(call)
        name = " ".join(call.parameters.get("name", "").split())[:NAME_LIMIT]
        if not name:
            raise bad_request("name must be non-empty")
        thread_id = self._inbox.next_message_id()  # of the message that tells of the topic
        if thread_id == GENERAL_TOPIC:
            thread_id = self._inbox.next_message_id()
        with self._lock:
            self._names[chat_id, thread_id] = name
        color = call.integer("icon_color", _ICON_COLOR)
        return result_answer({"message_thread_id": thread_id, "name": name, "icon_color": color})

    def delete(self, call: Call) -> Answer:
        """Deletes a topic and its messages."""
        chat_id = self._forum(call)
        thread_id = call.integer("message_thread_id")
        with self._lock:
            if self._names.pop((chat_id, thread_id), None) is None:
                raise bad_request("TOPIC_ID_INVALID")
        self._inbox.delete_messages(
            [
                message["message_id"]
                for message in self._inbox.messages
                if (message["chat_id"], message.get("message_thread_id")) == (chat_id, thread_id)
            ]
        )
        return result_answer(True)

    def _forum(self, call: Call) -> int:
        chat_id: int = self._chats.find(call.parameters.get("chat_id", ""))["id"]
        if not self._chats.is_forum(chat_id):
            raise bad_request("the chat is not a forum")
        return chat_id
