"""The webhook: telling Telegram where to bring what people write to the bot, and the buttons that they press."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping
from typing import Any

from chalicelib.doors.commands import COMMANDS
from chalicelib.doors.webhook import ALLOWED_UPDATES
from chalicelib.settings import WEBHOOK_SECRET
from tools.ops.bot import BotError, call_bot
from tools.ops.console import Console
from tools.ops.stage import Stage, StageError

PATH = "/telegram-webhook"
DEAF = "brings no presses of buttons"
_QUESTION = (
    "Have the bot answer commands, such as /failed, and have buttons act? It takes a webhook, "
    "and no other program can then read what is written to the bot. [Y/n]"
)


def set_command(stage: Stage) -> str:
    """What an operator types to set the webhook."""
    return f".venv/bin/python -m tools.ops webhook set --stage {stage.name}"


def set_webhook(stage: Stage, url: str | None) -> int:
    """Has Telegram bring updates to the HTTP door at ``url``, the stage's by default. Raises StageError."""
    print(f"Telegram brings what is written to the bot to {_set(stage, url)}")
    return 0


def show_webhook(stage: Stage) -> int:
    """Prints what Telegram knows of the webhook: where it is, what waits, and the last error."""
    info = call_bot(stage, "getWebhookInfo", {})
    if not info.get("url"):
        print(f"no webhook is set on {stage.name}")
        return 0
    print(f"{info['url']}, {info.get('pending_update_count', 0)} updates wait")
    if is_deaf(info):
        print(f"it {DEAF}: {set_command(stage)} mends that", file=sys.stderr)
    if info.get("last_error_message"):
        print(f"last error: {info['last_error_message']}", file=sys.stderr)
    return 0


def delete_webhook(stage: Stage) -> int:
    """Has Telegram bring no more updates, and show no commands; the secret stays."""
    remove_webhook(stage)
    print(f"no webhook is set on {stage.name} any more")
    return 0


def remove_webhook(stage: Stage) -> None:
    """As ``delete_webhook``, without a word."""
    for method in ("deleteWebhook", "deleteMyCommands"):
        call_bot(stage, method, {})


def offer_webhook(stage: Stage, console: Console) -> str:
    """Sets the webhook if the owner wants it, and anew where it is set already: a version may take other updates.

    Returns a line on it, also on what Telegram has against it: a deployment does not need it. Raises StageError.
    """
    url = call_bot(stage, "getWebhookInfo", {}).get("url")
    if url in ("", None) and not console.confirm(_QUESTION, "", "y", "yes"):
        return f"none is set: {set_command(stage)} sets it, for commands and buttons"
    if url not in ("", None, stage.http_url() + PATH):
        return _elsewhere(stage, url)
    try:
        return f"commands and buttons, by {_set(stage, None)}"
    except BotError as error:
        return f"cannot be set: {error}"


def preview_webhook(stage: Stage) -> str:
    """A line on what ``offer_webhook`` would do."""
    try:
        url = call_bot(stage, "getWebhookInfo", {}).get("url")
        if url and url != stage.http_url() + PATH:
            return _elsewhere(stage, url)
    except StageError:  # nothing is deployed yet, or Telegram cannot be reached
        url = None
    return f"is set anew, to {url}" if url else "is asked for, where none is set; YES=1 sets it"


def is_deaf(info: Mapping[str, Any]) -> bool:
    """Whether a webhook, as Telegram tells of it, brings no presses of buttons. Without a list it brings them."""
    allowed = info.get("allowed_updates") or ALLOWED_UPDATES
    return not set(ALLOWED_UPDATES) <= set(allowed)


def _set(stage: Stage, url: str | None) -> str:
    """Makes a secret where there is none, and sets the webhook and the list of commands; where it leads."""
    url = (url or stage.http_url()).rstrip("/") + PATH
    secret = (stage.parameter(WEBHOOK_SECRET) or "").strip()  # as the HTTP door reads it
    if not secret:
        secret = secrets.token_urlsafe(32)
        stage.put_secret(WEBHOOK_SECRET, secret)
    fields = {"url": url, "secret_token": secret, "allowed_updates": list(ALLOWED_UPDATES), "max_connections": 1}
    call_bot(stage, "setWebhook", fields)
    commands = [{"command": name, "description": command.description} for name, command in COMMANDS.items()]
    call_bot(stage, "setMyCommands", {"commands": commands})
    return url


def _elsewhere(stage: Stage, url: str) -> str:
    return f"leads to {url}, not to this stage: {set_command(stage)} brings it here"
