"""How the inbox lists a message: flat, with the words in `text` whatever the method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.dev.fake_telegram.calls import Call
from tools.dev.fake_telegram.files import SentFile


def sent_entry(call: Call, message: Mapping[str, Any], topic: str | None, file: SentFile | None) -> dict[str, Any]:
    """The entry of a message that a call sent; `topic` is the name of its topic."""
    entry: dict[str, Any] = {
        "message_id": message["message_id"],
        "chat_id": message["chat"]["id"],
        "chat": message["chat"],
        "method": {"sendmessage": "sendMessage", "sendphoto": "sendPhoto", "senddocument": "sendDocument"}[call.method],
        "date": message["date"],
        "disable_notification": call.flag("disable_notification"),
        "protect_content": call.flag("protect_content"),
        **_words(call, message),
    }
    if "message_thread_id" in message:
        entry["message_thread_id"] = message["message_thread_id"]
    if topic:
        entry["topic"] = topic
    if "reply_to_message" in message:
        entry["reply_to_message_id"] = message["reply_to_message"]["message_id"]
    if file is not None:
        entry.update(file.inbox_entry)
    return entry


def edited_entry(entry: Mapping[str, Any], call: Call, message: Mapping[str, Any]) -> dict[str, Any]:
    """The entry after an edit: the words are those of the edited message, the rest stays."""
    edited = {"caption", "reply_markup", "link_preview_options"}
    if call.method != "editmessagereplymarkup":
        edited |= {"parse_mode", "mended"}
    kept = {name: value for name, value in entry.items() if name not in edited}
    return {**kept, **_words(call, message), "edit_date": message["edit_date"]}


def _words(call: Call, message: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an entry that an edit changes."""
    words: dict[str, Any] = {
        "text": message.get("text") or message.get("caption", ""),
        "entities": message.get("entities") or message.get("caption_entities") or [],
    }
    for name in ("caption", "reply_markup", "link_preview_options"):
        if name in message:
            words[name] = message[name]
    if call.parameters.get("parse_mode"):
        words["parse_mode"] = call.parameters["parse_mode"]
    return words
