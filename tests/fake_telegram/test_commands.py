"""The list of commands that Telegram shows beside the entry field."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

Post = Callable[..., requests.Response]
COMMANDS = [{"command": "failed", "description": "List what was parked"}]
UNPARSABLE = "Bad Request: can't parse BotCommand: "


def test_commands_are_kept_until_they_are_deleted(call: Post) -> None:
    assert call("getMyCommands").json()["result"] == []
    assert call("setMyCommands", commands=COMMANDS).json() == {"ok": True, "result": True}
    assert call("getMyCommands").json()["result"] == COMMANDS
    assert call("deleteMyCommands").json() == {"ok": True, "result": True}
    assert call("getMyCommands").json()["result"] == []


def test_each_scope_and_language_has_its_own(call: Post) -> None:
    call("setMyCommands", commands=COMMANDS, scope={"type": "all_private_chats"})
    call("setMyCommands", commands=[], language_code="it")
    assert call("getMyCommands").json()["result"] == []
    assert call("getMyCommands", scope={"type": "all_private_chats"}).json()["result"] == COMMANDS


@pytest.mark.parametrize(
    "command",
    [
        {"command": "/failed", "description": " List what was parked\n"},
        {"command": "a_1" + "x" * 29, "description": "x" * 256},
    ],
)
def test_a_command_is_trimmed(call: Post, command: dict[str, str]) -> None:
    call("setMyCommands", commands=[command])
    kept = {"command": command["command"].lstrip("/"), "description": command["description"].strip()}
    assert call("getMyCommands").json()["result"] == [kept]


@pytest.mark.parametrize(
    ("commands", "description"),
    [
        ("{", "Bad Request: can't parse commands JSON object"),
        ({}, "Bad Request: expected an Array of BotCommand"),
        (["a"], UNPARSABLE + "expected an Object"),
        ([{"description": "a"}], UNPARSABLE + 'Can\'t find field "command"'),
        ([{"command": "a"}], UNPARSABLE + 'Can\'t find field "description"'),
        ([{"command": 1, "description": "a"}], UNPARSABLE + 'Field "command" must be of type String'),
        ([{"command": "/", "description": "a"}], "Bad Request: command must be non-empty"),
        ([{"command": "x" * 33, "description": "a"}], "Bad Request: command length must not exceed 32"),
        ([{"command": "a", "description": " "}], "Bad Request: command description must be non-empty"),
        (
            [{"command": "a", "description": "x" * 257}],
            "Bad Request: command description length must not exceed 256",
        ),
        ([{"command": "Failed", "description": "a"}], "Bad Request: BOT_COMMAND_INVALID"),
        ([{"command": "a-b", "description": "a"}], "Bad Request: BOT_COMMAND_INVALID"),
        ([{"command": "a", "description": "a"}] * 101, "Bad Request: BOT_COMMANDS_TOO_MUCH"),
    ],
)
def test_a_list_that_cannot_be_is_refused(call: Post, commands: object, description: str) -> None:
    call("setMyCommands", commands=COMMANDS)
    answer = call("setMyCommands", commands=commands)
    assert (answer.status_code, answer.json()["description"]) == (400, description)
    assert call("getMyCommands").json()["result"] == COMMANDS


def test_a_hundred_commands_are_taken(call: Post) -> None:
    commands = [{"command": f"c{number}", "description": "a"} for number in range(100)]
    call("setMyCommands", commands=commands)
    assert call("getMyCommands").json()["result"] == commands
