"""The methods of the Bot API that a notification relay uses (https://core.telegram.org/bots/api)."""

from __future__ import annotations

import json
from collections.abc import Callable

from tools.dev.fake_telegram.answers import Answer, ApiError, json_answer, result_answer
from tools.dev.fake_telegram.calls import Call
from tools.dev.fake_telegram.chats import Chats
from tools.dev.fake_telegram.commands import Commands
from tools.dev.fake_telegram.inbox import Inbox
from tools.dev.fake_telegram.messages import Messages
from tools.dev.fake_telegram.pace import Pace
from tools.dev.fake_telegram.presses import Presses
from tools.dev.fake_telegram.topics import Topics
from tools.dev.fake_telegram.updates import LONG_POLL_LIMIT, UpdateQueue, Webhook


class BotApi:
    """One bot. Safe for threads."""

    def __init__(
        self,
        *,
        bot_token: str,
        chats: Chats,
        inbox: Inbox,
        updates: UpdateQueue,
        presses: Presses,
        pace: Pace | None,
        clock: Callable[[], float],
    ) -> None:
        self._chats = chats
        self._updates = updates
        self._bot = {
            "id": int(bot_token.partition(":")[0]),
            "is_bot": True,
            "first_name": "Botte",
            "username": "botte_bot",
        }
        topics = Topics(chats, inbox)
        commands = Commands()
        messages = Messages(self._bot, chats, topics, inbox, pace, clock)
        self._methods: dict[str, Callable[[Call], Answer]] = {
            "getme": self._get_me,
            "getchat": self._get_chat,
            "sendmessage": messages.send_text,
            "sendphoto": messages.send_file,
            "senddocument": messages.send_file,
            "editmessagetext": messages.edit_text,
            "editmessagecaption": messages.edit_caption,
            "editmessagereplymarkup": messages.edit_reply_markup,
            "deletemessage": messages.delete,
            "createforumtopic": topics.create,
            "deleteforumtopic": topics.delete,
            "answercallbackquery": presses.answer,
            "setmycommands": commands.set,
            "getmycommands": commands.get,
            "deletemycommands": commands.delete,
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
                "has_topics_enabled": self._chats.is_forum(self._chats.owner_id),
            }
        )

    def _get_chat(self, call: Call) -> Answer:
        chat = self._chats.find(call.parameters.get("chat_id", ""))
        return result_answer({**chat, "accent_color_id": 0, "max_reaction_count": 11})

    def _get_updates(self, call: Call) -> Answer:
        limit = min(max(call.integer("limit", 100), 1), 100)
        timeout = min(max(call.integer("timeout"), 0), LONG_POLL_LIMIT)
        return result_answer(self._updates.get(call.integer("offset"), limit, timeout, _allowed_updates(call)))

    def _set_webhook(self, call: Call) -> Answer:
        url = call.parameters.get("url", "")
        if not url:
            return self._delete_webhook(call)
        connections = min(max(call.integer("max_connections", 40), 1), 100)
        webhook = Webhook(url, call.parameters.get("secret_token", ""), connections)
        return self._webhook_answer(webhook, call)

    def _delete_webhook(self, call: Call) -> Answer:
        return self._webhook_answer(None, call)

    def _webhook_answer(self, webhook: Webhook | None, call: Call) -> Answer:
        description = self._updates.set_webhook(
            webhook, drop_pending=call.flag("drop_pending_updates"), allowed=_allowed_updates(call)
        )
        return json_answer({"ok": True, "result": True, "description": description})

    def _get_webhook_info(self, call: Call) -> Answer:
        del call
        return result_answer(self._updates.webhook_info())


def _allowed_updates(call: Call) -> list[str] | None:
    """The kinds of updates that a call asks for, none for all. None, where it cannot be read, changes nothing."""
    try:
        kinds = json.loads(call.parameters.get("allowed_updates", ""))
    except ValueError:
        return None
    if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
        return None
    return [kind.lower() for kind in kinds]
