"""The stage's bot, asked by an operator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.errors import BotteError
from chalicelib.settings import BOT_TOKEN
from chalicelib.telegram.bot_api import Telegram
from tools.ops.stage import Stage, StageError


class BotError(StageError):
    """Telegram did not do what it was asked; ``error`` says why, without the bot token."""

    def __init__(self, method: str, error: BotteError) -> None:
        super().__init__(f"{method}: {error.reason}")
        self.error = error


def call_bot(stage: Stage, method: str, fields: Mapping[str, Any], token: str | None = None) -> Any:
    """The result of a Bot API method, with the stage's bot token or another one. Raises BotError, StageError."""
    given = token or stage.parameter(BOT_TOKEN)
    if given is None:
        raise StageError(f"parameter {stage.parameters_path}/{BOT_TOKEN} does not exist: make deploy asks for it")
    try:
        return Telegram(stage.telegram_api_url, lambda **_: given.strip()).call(method, fields)
    except BotteError as error:
        raise BotError(method, error) from None
