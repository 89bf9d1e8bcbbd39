"""A fake Telegram Bot API for development and tests, with an inbox page that looks like a chat."""

from tools.dev.fake_telegram.fake import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram
from tools.dev.fake_telegram.faults import FaultError
from tools.dev.fake_telegram.pace import Pace

__all__ = ["TWIN_BOT_TOKEN", "TWIN_CHAT_ID", "FakeTelegram", "FaultError", "Pace"]
