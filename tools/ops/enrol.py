"""The stage's parameters: bot token, chat, HTTP API token. Asked for once, kept in the Parameter Store only."""

from __future__ import annotations

import os
import re
import secrets
import time
from datetime import datetime, timezone
from typing import Any

from chalicelib.chat_settings import with_ids
from chalicelib.errors import BotTokenRejected
from chalicelib.settings import BOT_TOKEN, CHATS, HTTP_API_TOKEN
from tools.ops.bot import BotError, call_bot
from tools.ops.console import Console
from tools.ops.stage import Stage, StageError

WAIT_SECONDS = 300.0  # for the owner to write to the bot
_POLL_SECONDS = 5  # a long poll, shorter than the read timeout of chalicelib.telegram


def ensure_bot_token(stage: Stage, console: Console) -> str:
    """Keeps the bot token that is there if Telegram knows it, or stores the one of the environment, or asks for it.

    Returns a line on the bot. Raises StageError.
    """
    stored = stage.parameter(BOT_TOKEN)
    given = (os.environ.get("TELEGRAM_BOT_TOKEN") or "").strip() or None
    token = given or stored
    bot = _get_me(stage, token) if token else None
    if bot is None and given is not None:
        raise StageError("Telegram does not know the bot token in TELEGRAM_BOT_TOKEN")
    if bot is None and stored is None:
        console.say("Botte sends as a bot of yours: write /newbot to @BotFather in Telegram, and it gives you a token.")
    while bot is None:
        if token is not None:
            console.say(f"Telegram does not know {'the bot token that is stored' if token == stored else 'this one'}.")
        token = console.ask_secret("Bot token (it is not shown)", "TELEGRAM_BOT_TOKEN")
        bot = _get_me(stage, token)
    if token is not None and token != stored:
        stage.put_secret(BOT_TOKEN, token)
        return f"@{bot['username']}, its token is stored"
    return f"@{bot['username']}, its token is stored already"


def ensure_chat(stage: Stage, console: Console) -> str:
    """Keeps the chats that are there, or stores the one of the environment, or finds it by what is written to the bot.

    Returns a line on the chats. Raises StageError.
    """
    stored = stage.chats()
    given = os.environ.get("TELEGRAM_CHAT_ID") or ""
    if given and not re.fullmatch(r"-?\d{1,19}", given):
        raise StageError("TELEGRAM_CHAT_ID must be a number, such as 2137200685 or -1001234567890 for a group")
    if not given and "default" in stored:
        return f"{_names(stored)} stored already"
    chat_id = int(given) if given else _find_chat(stage, console)
    if stored.get("default") == chat_id:
        return f"{_names(stored)} stored already"
    stage.put_parameter(CHATS, with_ids(stage.parameter(CHATS) or "{}", {"default": chat_id}), "String")
    return f"{_names({**stored, 'default': chat_id})} stored"


def ensure_http_token(stage: Stage) -> str:
    """Makes an HTTP API token where there is none. Returns a line that does not hold it."""
    if (stage.parameter(HTTP_API_TOKEN) or "").strip():
        return "is stored already"
    stage.put_secret(HTTP_API_TOKEN, new_token_line())
    return "is made"


def new_token_line() -> str:
    """A new token with its name, which is the time it was made, as the parameter holds it."""
    return f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ} {secrets.token_urlsafe(32)}"


def show_token_command(stage: Stage) -> str:
    """A line for a shell that prints the newest token, and nothing else: the parameter has names and older ones too."""
    name = f"{stage.parameters_path}/{HTTP_API_TOKEN}"
    asked = f"{stage.aws_command()} ssm get-parameter --with-decryption --name {name}"
    return f"{asked} --query Parameter.Value --output text | awk 'NF {{t = $NF}} END {{print t}}'"


def send_command(stage: Stage) -> str:
    """A line for a shell that sends a message through the HTTP door."""
    token = f'-H "Authorization: $({show_token_command(stage)})"'
    return f'curl -X POST {stage.http_url()}/message {token} -d \'{{"text": "Hello World"}}\''


def _get_me(stage: Stage, token: str) -> Any:
    """The bot of a token; None if Telegram does not know it."""
    if not re.fullmatch(r"\d+:[A-Za-z0-9_-]+", token.strip()):
        return None
    try:
        return call_bot(stage, "getMe", {}, token)
    except BotError as error:
        if isinstance(error.error, BotTokenRejected):
            return None
        raise


def _find_chat(stage: Stage, console: Console) -> int:
    """The chat in which somebody writes to the bot now, and says that it is the one."""
    if not console.interactive:
        raise StageError("TELEGRAM_CHAT_ID is not set, and there is no terminal to ask for the chat on")
    if call_bot(stage, "getWebhookInfo", {}).get("url"):
        raise StageError("the bot has a webhook, so its chats cannot be looked up: set TELEGRAM_CHAT_ID")
    name = call_bot(stage, "getMe", {})["username"]
    console.say(f"Now write anything to @{name}, in the chat where messages shall arrive: https://t.me/{name}")
    ends, offset = time.monotonic() + WAIT_SECONDS, 0
    while time.monotonic() < ends:
        for update in call_bot(stage, "getUpdates", {"offset": offset, "timeout": _POLL_SECONDS}):
            offset = update["update_id"] + 1
            chat = update.get("message", {}).get("chat")
            if chat and console.confirm(f"{_who(chat)}, chat {chat['id']}. Is it this one? [y/n]", "y", "yes"):
                return int(chat["id"])
    raise StageError(f"nobody wrote to @{name} within {WAIT_SECONDS / 60:.0f} minutes")


def _who(chat: dict[str, Any]) -> str:
    return str(chat.get("title") or chat.get("first_name") or chat.get("username") or "somebody")


def _names(chats: dict[str, int]) -> str:
    return f"{', '.join(f'{name} {chat_id}' for name, chat_id in chats.items())}:"
