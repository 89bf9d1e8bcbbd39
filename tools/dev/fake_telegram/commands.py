"""The list of the bot's commands (https://core.telegram.org/bots/api#setmycommands).

Read off https://github.com/tdlib/telegram-bot-api (Client.cpp) and https://github.com/tdlib/td (BotCommand.cpp).
"""

from __future__ import annotations

import json
import re
import threading
from typing import Any

from tools.dev.fake_telegram.answers import Answer, ApiError, bad_request, result_answer
from tools.dev.fake_telegram.calls import Call

COMMAND_LIMIT = 100
NAME_LIMIT = 32  # characters
DESCRIPTION_LIMIT = 256  # characters
_NAME = re.compile(r"[a-z0-9_]+")


class Commands:
    """One list for each scope and language. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lists: dict[tuple[str, str], list[dict[str, str]]] = {}

    def set(self, call: Call) -> Answer:
        commands = _commands(call.parameters.get("commands", ""))
        with self._lock:
            self._lists[_place(call)] = commands
        return result_answer(True)

    def get(self, call: Call) -> Answer:
        with self._lock:
            return result_answer(self._lists.get(_place(call), []))

    def delete(self, call: Call) -> Answer:
        with self._lock:
            self._lists.pop(_place(call), None)
        return result_answer(True)


def _place(call: Call) -> tuple[str, str]:
    scope = call.json_object("scope", "BotCommandScope") or {"type": "default"}
    return json.dumps(scope, sort_keys=True), call.parameters.get("language_code", "")


def _commands(text: str) -> list[dict[str, str]]:
    if not text:
        return []
    try:
        given = json.loads(text)
    except ValueError:
        raise bad_request("can't parse commands JSON object") from None
    if not isinstance(given, list):
        raise bad_request("expected an Array of BotCommand")
    commands = [_command(command) for command in given]
    if len(commands) > COMMAND_LIMIT:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    return commands


def _command(given: object) -> dict[str, str]:
    if not isinstance(given, dict):
        raise _unparsable("expected an Object")
    name = _field(given, "command").removeprefix("/")
    if not name:
        raise bad_request("command must be non-empty")
    if len(name) > NAME_LIMIT:
        raise bad_request(f"command length must not exceed {NAME_LIMIT}")
    description = _field(given, "description")
    if not description:
        raise bad_request("command description must be non-empty")
    if len(description) > DESCRIPTION_LIMIT:
        raise bad_request(f"command description length must not exceed {DESCRIPTION_LIMIT}")
    if not _NAME.fullmatch(name):
        raise bad_request("BOT_COMMAND_INVALID")
    return {"command": name, "description": description}


def _field(given: dict[str, Any], name: str) -> str:
    if name not in given:
        raise _unparsable(f'Can\'t find field "{name}"')
    if not isinstance(given[name], str):
        raise _unparsable(f'Field "{name}" must be of type String')
    return str(given[name]).strip()


def _unparsable(reason: str) -> ApiError:
    return bad_request(f"can't parse BotCommand: {reason}")
