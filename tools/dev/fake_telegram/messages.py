"""The bot's messages: sent, edited and deleted (https://core.telegram.org/bots/api#updating-messages).

The words of a refusal are read off https://github.com/tdlib/telegram-bot-api (Client.cpp) and
https://github.com/tdlib/td (MessagesManager.cpp).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from tools.dev.fake_telegram.answers import Answer, bad_request, result_answer, too_many_requests
from tools.dev.fake_telegram.calls import Call
from tools.dev.fake_telegram.chats import Chats
from tools.dev.fake_telegram.entries import edited_entry, sent_entry
from tools.dev.fake_telegram.files import Files, SentFile
from tools.dev.fake_telegram.formatted_text import CAPTION_LIMIT, TEXT_LIMIT, FormattedText, formatted_text
from tools.dev.fake_telegram.inbox import Inbox
from tools.dev.fake_telegram.keyboard import inline_keyboard
from tools.dev.fake_telegram.pace import Pace, PaceKeeper
from tools.dev.fake_telegram.topics import Topics

DELETE_LIMIT = 48 * 3600  # seconds in which a message can be deleted
_TEXT = frozenset({"text", "entities", "link_preview_options"})
_CAPTION = frozenset({"caption", "caption_entities"})


class Messages:
    """Safe for threads."""

    def __init__(
        self,
        bot: Mapping[str, Any],
        chats: Chats,
        topics: Topics,
        inbox: Inbox,
        pace: Pace | None,
        clock: Callable[[], float],
    ) -> None:
        self._bot = bot
        self._chats = chats
        self._topics = topics
        self._inbox = inbox
        self._files = Files()
        self._pace = PaceKeeper(pace, clock) if pace else None
        self._clock = clock
        self._lock = threading.Lock()

    def send_text(self, call: Call) -> Answer:
        words, content = self._text(call)
        return self._send(call, content, "message is too long" if words.length > TEXT_LIMIT else None)

    def send_file(self, call: Call) -> Answer:
        kind = call.method.removeprefix("send")
        words, caption = self._caption(call)
        file = self._files.sent(call, kind)
        too_long = "message caption is too long" if words.length > CAPTION_LIMIT else None
        return self._send(call, {kind: file.telegram_object, **caption}, too_long, file)

    def edit_text(self, call: Call) -> Answer:
        words, content = self._text(call)
        return self._edit(call, _TEXT, content, "MESSAGE_TOO_LONG" if words.length > TEXT_LIMIT else None)

    def edit_caption(self, call: Call) -> Answer:
        words, content = self._caption(call)
        return self._edit(call, _CAPTION, content, "MEDIA_CAPTION_TOO_LONG" if words.length > CAPTION_LIMIT else None)

    def edit_reply_markup(self, call: Call) -> Answer:
        return self._edit(call, frozenset(), {}, None)

    def delete(self, call: Call) -> Answer:
        message_id = call.integer("message_id")
        if not call.parameters.get("chat_id"):
            raise bad_request("chat identifier is not specified")
        if message_id <= 0:
            raise bad_request("message identifier is not specified")
        chat = self._chats.find(call.parameters["chat_id"])
        with self._lock:
            message = self._inbox.telegram_message(chat["id"], message_id)
            if message is None:
                raise bad_request("message to delete not found")
            is_group = chat["id"] < 0
            if is_group and message["from"] != self._bot:
                raise bad_request("message can't be deleted")
            if self._clock() - message["date"] > DELETE_LIMIT:
                raise bad_request(f"message can't be deleted{'' if is_group else ' for everyone'}")
            self._inbox.delete_messages([message_id])
        return result_answer(True)

    def _text(self, call: Call) -> tuple[FormattedText, dict[str, Any]]:
        """The words of a text message, and what it has of them."""
        markup = call.parameters.get("text", "")
        if not markup:
            raise bad_request("message text is empty")
        words = formatted_text(markup, call.parameters.get("parse_mode", ""), call.parameters.get("entities", ""))
        if not words.text:
            raise bad_request("message text is empty")
        preview = call.json_object("link_preview_options", "link preview options")
        shown = {} if preview is None else {"link_preview_options": preview}
        return words, {"text": words.text, **self._entities("entities", words), **shown}

    def _caption(self, call: Call) -> tuple[FormattedText, dict[str, Any]]:
        """The words of a photo or document, and what it has of them."""
        words = formatted_text(
            call.parameters.get("caption", ""),
            call.parameters.get("parse_mode", ""),
            call.parameters.get("caption_entities", ""),
        )
        return words, {"caption": words.text, **self._entities("caption_entities", words)} if words.text else {}

    def _entities(self, name: str, words: FormattedText) -> dict[str, Any]:
        found = [entity for entity in map(self._chats.entity_object, words.entities) if entity]
        return {name: found} if found else {}

    def _send(
        self, call: Call, content: Mapping[str, Any], too_long: str | None, file: SentFile | None = None
    ) -> Answer:
        keyboard = inline_keyboard(call.parameters.get("reply_markup", ""))
        reply = call.json_object("reply_parameters", "reply parameters")
        chat = self._chats.find(call.parameters.get("chat_id", ""))
        thread_id = max(call.integer("message_thread_id"), 0)
        topic = self._topics.name(chat["id"], thread_id)
        with self._lock:
            replied = self._replied(chat["id"], reply) if reply else None
            if too_long:
                raise bad_request(too_long)
            self._keep_pace(chat["id"])
            message: dict[str, Any] = {
                "message_id": self._inbox.next_message_id(),
                "from": self._bot,
                "chat": chat,
                "date": int(self._clock()),
                **content,
            }
            if thread_id:
                message["message_thread_id"] = thread_id
            if topic:
                message["is_topic_message"] = True
            if replied:
                message["reply_to_message"] = replied
            if keyboard:
                message["reply_markup"] = keyboard
            if call.flag("protect_content"):
                message["has_protected_content"] = True
            self._inbox.add_message(sent_entry(call, message, topic, file), message, call.content)
        return result_answer(message)

    def _replied(self, chat_id: int, reply: Mapping[str, Any]) -> dict[str, Any] | None:
        """The message that is replied to, without what that one replies to; None where it may be missing, and is."""
        if "message_id" not in reply:
            raise bad_request('can\'t find field "message_id"')
        if not isinstance(reply["message_id"], int):
            raise bad_request('field "message_id" must be of type Number')
        message = self._inbox.telegram_message(chat_id, reply["message_id"])
        if message is None and not reply.get("allow_sending_without_reply"):
            raise bad_request("message to be replied not found")
        return message and {name: value for name, value in message.items() if name != "reply_to_message"}

    def _edit(self, call: Call, replaced: frozenset[str], content: Mapping[str, Any], too_long: str | None) -> Answer:
        """Replaces some fields of a message, and its keyboard; without a keyboard it has none any more."""
        keyboard = inline_keyboard(call.parameters.get("reply_markup", ""))
        message_id = call.integer("message_id")
        if not call.parameters.get("chat_id") and message_id <= 0:
            raise bad_request("message identifier is not specified")
        chat_id = self._chats.find(call.parameters.get("chat_id", ""))["id"]
        with self._lock:
            old = self._inbox.telegram_message(chat_id, message_id)
            if old is None:
                raise bad_request("message to edit not found")
            if old["from"] != self._bot:
                raise bad_request("message can't be edited")
            if replaced == _TEXT and "text" not in old:
                raise bad_request("there is no text in the message to edit")
            if replaced == _CAPTION and "text" in old:
                raise bad_request("there is no caption in the message to edit")
            if too_long:
                raise bad_request(too_long)
            kept = {name: value for name, value in old.items() if name not in {*replaced, "reply_markup"}}
            new = {**kept, **content, **({"reply_markup": keyboard} if keyboard else {})}
            if new == old:
                raise bad_request(
                    "message is not modified: specified new message content and reply markup are exactly the same "
                    "as a current content and reply markup of the message"
                )
            self._keep_pace(chat_id)
            new["edit_date"] = int(self._clock())
            self._inbox.edit_message(new, lambda entry: edited_entry(entry, call, new))
        return result_answer(new)

    def _keep_pace(self, chat_id: int) -> None:
        wait = self._pace.wait(chat_id) if self._pace else 0
        if wait:
            raise too_many_requests(wait)
