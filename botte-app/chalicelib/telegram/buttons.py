"""Buttons that act: what a press of one brings back to the bot, signed, so that nobody can make up a press. Pure.

A client of Telegram may send any ``callback_data`` it likes, so only what was signed here is believed.
https://core.telegram.org/bots/api#callbackquery
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

MAX_DATA_BYTES = 64  # https://core.telegram.org/bots/api#inlinekeyboardbutton
SIGNATURE_BYTES = 12  # 16 characters: they leave 39 bytes to the argument of an action with seven letters

_PURPOSE = b"botte callback_data"  # the webhook secret itself signs nothing


class Button(NamedTuple):
    """A button below a message. data: what a press of it brings, as ``sign`` makes it."""

    text: str
    data: str


Rows = Sequence[Sequence[Button]]


def sign(secret: str, action: str, argument: str) -> str:
    """The ``callback_data`` of a button: ``<action>:<argument>:<signature>``. secret: the webhook's.

    Raises ValueError where it is longer than Telegram takes.
    """
    data = f"{action}:{argument}:{_signature(secret, f'{action}:{argument}')}"
    if len(data.encode()) > MAX_DATA_BYTES:
        raise ValueError(f"a button brings at most {MAX_DATA_BYTES} bytes")
    return data


def read(secret: str, data: str) -> tuple[str, str] | None:
    """The action and the argument of a press; None if they are not signed with this secret."""
    signed, _, signature = data.rpartition(":")
    if not hmac.compare_digest(signature.encode("utf-8", "replace"), _signature(secret, signed).encode()):
        return None
    action, _, argument = signed.partition(":")
    return action, argument


def keyboard(rows: Rows, above: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The ``reply_markup`` with these rows of buttons, below those of another keyboard."""
    made = [[{"text": button.text, "callback_data": button.data} for button in row] for row in rows]
    return {"inline_keyboard": [*(above or {}).get("inline_keyboard", ()), *made]}


def _signature(secret: str, signed: str) -> str:
    key = hmac.digest(secret.encode(), _PURPOSE, "sha256")
    digest = hmac.digest(key, signed.encode("utf-8", "replace"), "sha256")
    return urlsafe_b64encode(digest[:SIGNATURE_BYTES]).decode()
