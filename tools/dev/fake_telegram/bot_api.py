"""The methods of the Bot API that a notification relay uses (https://core.telegram.org/bots/api)."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from tools.dev.fake_telegram.answers import Answer, ApiError, bad_request, json_answer, result_answer, too_many_requests
from tools.dev.fake_telegram.calls import Call
from tools.dev.fake_telegram.chats import Chats
from tools.dev.fake_telegram.files import Files, SentFile
from tools.dev.fake_telegram.formatted_text import CAPTION_LIMIT, TEXT_LIMIT, FormattedText, formatted_text
from tools.dev.fake_telegram.inbox import Inbox
from tools.dev.fake_telegram.keyboard import inline_keyboard
from tools.dev.fake_telegram.pace import Pace, PaceKeeper
from tools.dev.fake_telegram.updates import LONG_POLL_LIMIT, UpdateQueue, Webhook

GENERAL_TOPIC = 1  # cannot be named as a thread


class BotApi:
    """One bot. Safe for threads."""

    def __init__(
        self,
        *,
        bot_token: str,
        chats: Chats,
        inbox: Inbox,
        updates: UpdateQueue,
        pace: Pace | None,
        clock: Callable[[], float],
    ) -> None:
        self._chats = chats
        self._inbox = inbox
        self._updates = updates
        self._files = Files()
        self._pace = PaceKeeper(pace, clock) if pace else None
        self._clock = clock
        self._lock = threading.Lock()
        self._bot = {
            "id": int(bot_token.partition(":")[0]),
            "is_bot": True,
            "first_name": "Botte",
            "username": "botte_bot",
        }
        self._methods: dict[str, Callable[[Call], Answer]] = {
            "getme": self._get_me,
            "getchat": self._get_chat,
            "sendmessage": self._send_message,
            "sendphoto": self._send_file,
            "senddocument": self._send_file,
            "getupdates": self._get_updates,
            "setwebhook": self._set_webhook,
            "deletewebhook": self._delete_webhook,
            "getwebhookinfo": self._get_webhook_info,
        }

    def answer(self, call: Call) -> Answer:
        """Carries out a call. Raises ApiError."""
        method = self._methods.get(call.method)
        if method is None:
            raise ApiError(404, "Not Found: method not found")
        return method(call)

    def _get_me(self, call: Call) -> Answer:
        del call
        return result_answer(
            {
                **self._bot,
                "can_join_groups": True,
                "can_read_all_group_messages": False,
                "supports_inline_queries": False,
                "has_main_web_app": False,
            }
        )

    def _get_chat(self, call: Call) -> Answer:
        chat = self._chats.find(call.parameters.get("chat_id", ""))
        return result_answer({**chat, "accent_color_id": 0, "max_reaction_count": 11})

    def _send_message(self, call: Call) -> Answer:
        markup = call.parameters.get("text", "")
        if not markup:
            raise bad_request("message text is empty")
        words = formatted_text(markup, call.parameters.get("parse_mode", ""), call.parameters.get("entities", ""))
        if not words.text:
            raise bad_request("message text is empty")
        preview = _object_parameter(call, "link_preview_options", "link preview options")
        content: dict[str, Any] = {"text": words.text, **self._entities("entities", words)}
        if preview is not None:
            content["link_preview_options"] = preview
        return self._send(call, words, content, "message is too long" if words.length > TEXT_LIMIT else None)

    def _send_file(self, call: Call) -> Answer:
        kind = call.method.removeprefix("send")
        words = formatted_text(
            call.parameters.get("caption", ""),
            call.parameters.get("parse_mode", ""),
            call.parameters.get("caption_entities", ""),
        )
        file = self._files.sent(call, kind)
        content: dict[str, Any] = {kind: file.telegram_object}
        if words.text:
            content["caption"] = words.text
            content.update(self._entities("caption_entities", words))
        too_long = "message caption is too long" if words.length > CAPTION_LIMIT else None
        return self._send(call, words, content, too_long, file)

    def _send(
        self,
        call: Call,
        words: FormattedText,
        content: Mapping[str, Any],
        too_long: str | None,
        file: SentFile | None = None,
    ) -> Answer:
        keyboard = inline_keyboard(call.parameters.get("reply_markup", ""))
        chat = self._chats.find(call.parameters.get("chat_id", ""))
        thread_id = max(_integer(call, "message_thread_id", 0), 0)
        if thread_id == GENERAL_TOPIC:
            raise bad_request("message thread not found")
        if too_long:
            raise bad_request(too_long)
        with self._lock:
            wait = self._pace.wait(chat["id"]) if self._pace else 0
            if wait:
                raise too_many_requests(wait)
            message: dict[str, Any] = {
                "message_id": self._inbox.next_message_id(),
                "from": self._bot,
                "chat": chat,
                "date": int(self._clock()),
                **content,
            }
            if thread_id:
                message["message_thread_id"] = thread_id
            if keyboard:
                message["reply_markup"] = keyboard
            if _flag(call, "protect_content"):
                message["has_protected_content"] = True
            self._inbox.add_message(_inbox_entry(call, message, words, file), call.content)
        return result_answer(message)

    def _entities(self, name: str, words: FormattedText) -> dict[str, Any]:
        found = [entity for entity in map(self._chats.entity_object, words.entities) if entity]
        return {name: found} if found else {}

    def _get_updates(self, call: Call) -> Answer:
        limit = min(max(_integer(call, "limit", 100), 1), 100)
        timeout = min(max(_integer(call, "timeout", 0), 0), LONG_POLL_LIMIT)
        return result_answer(self._updates.get(_integer(call, "offset", 0), limit, timeout))

    def _set_webhook(self, call: Call) -> Answer:
        url = call.parameters.get("url", "")
        if not url:
            return self._delete_webhook(call)
        connections = min(max(_integer(call, "max_connections", 40), 1), 100)
        webhook = Webhook(url, call.parameters.get("secret_token", ""), connections)
        return self._webhook_answer(webhook, call)

    def _delete_webhook(self, call: Call) -> Answer:
        return self._webhook_answer(None, call)

    def _webhook_answer(self, webhook: Webhook | None, call: Call) -> Answer:
        description = self._updates.set_webhook(webhook, drop_pending=_flag(call, "drop_pending_updates"))
        return json_answer({"ok": True, "result": True, "description": description})

    def _get_webhook_info(self, call: Call) -> Answer:
        del call
        return result_answer(self._updates.webhook_info())


def _inbox_entry(call: Call, message: Mapping[str, Any], words: FormattedText, file: SentFile | None) -> dict[str, Any]:
    """A message as the inbox lists it: flat, with the words in `text` whatever the method."""
    entry: dict[str, Any] = {
        "message_id": message["message_id"],
        "chat_id": message["chat"]["id"],
        "chat": message["chat"],
        "text": words.text,
        "method": {"sendmessage": "sendMessage", "sendphoto": "sendPhoto", "senddocument": "sendDocument"}[call.method],
        "date": message["date"],
        "disable_notification": _flag(call, "disable_notification"),
        "protect_content": _flag(call, "protect_content"),
        "entities": message.get("entities") or message.get("caption_entities") or [],
    }
    if "caption" in message:
        entry["caption"] = message["caption"]
    for name in ("message_thread_id", "reply_markup", "link_preview_options"):
        if name in message:
            entry[name] = message[name]
    if call.parameters.get("parse_mode"):
        entry["parse_mode"] = call.parameters["parse_mode"]
    if file is not None:
        entry.update(file.inbox_entry)
    return entry


def _integer(call: Call, name: str, default: int) -> int:
    """A whole number; as in Telegram, what is none counts as the default."""
    value = call.parameters.get(name, "")
    return int(value) if re.fullmatch(r"-?\d{1,18}", value) else default


def _flag(call: Call, name: str) -> bool:
    return call.parameters.get(name, "").lower() in ("true", "yes", "1")


def _object_parameter(call: Call, name: str, words: str) -> dict[str, Any] | None:
    value = call.parameters.get(name, "")
    if not value:
        return None
    try:
        parsed = json.loads(value)
    except ValueError:
        raise bad_request(f"can't parse {words} JSON object") from None
    if not isinstance(parsed, dict):
        raise bad_request(f"object expected as {words}")
    return parsed
