"""The webhook: telling Telegram where to bring what people write to the bot."""

from __future__ import annotations

import secrets
import sys

from chalicelib.settings import WEBHOOK_SECRET
from tools.ops.bot import call_bot
from tools.ops.stage import Stage

PATH = "/telegram-webhook"


def set_webhook(stage: Stage, url: str | None) -> int:
    """Makes a secret where there is none, and has Telegram bring updates to the HTTP door at ``url``."""
    url = (url or stage.http_url()).rstrip("/") + PATH
    secret = (stage.parameter(WEBHOOK_SECRET) or "").strip()  # as the HTTP door reads it
    if not secret:
        secret = secrets.token_urlsafe(32)
        stage.put_secret(WEBHOOK_SECRET, secret)
    fields = {"url": url, "secret_token": secret, "allowed_updates": ["message"], "max_connections": 1}
    call_bot(stage, "setWebhook", fields)
    print(f"Telegram brings what is written to the bot to {url}")
    return 0


def show_webhook(stage: Stage) -> int:
    """Prints what Telegram knows of the webhook: where it is, what waits, and the last error."""
    info = call_bot(stage, "getWebhookInfo", {})
    if not info.get("url"):
        print(f"no webhook is set on {stage.name}")
        return 0
    print(f"{info['url']}, {info.get('pending_update_count', 0)} updates wait")
    if info.get("last_error_message"):
        print(f"last error: {info['last_error_message']}", file=sys.stderr)
    return 0


def delete_webhook(stage: Stage) -> int:
    """Has Telegram bring no more updates; the secret stays."""
    call_bot(stage, "deleteWebhook", {})
    print(f"no webhook is set on {stage.name} any more")
    return 0
