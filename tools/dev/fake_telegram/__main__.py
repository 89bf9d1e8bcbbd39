"""Runs the fake by itself: python -m tools.dev.fake_telegram [--port N] [--bot-token T]."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram


def main() -> int:
    """Serves until SIGINT or SIGTERM; 1 where the port is taken."""
    parser = argparse.ArgumentParser(prog="python -m tools.dev.fake_telegram", description="A fake Telegram Bot API.")
    parser.add_argument("--port", type=int, default=8081, help="port on 127.0.0.1 (default: %(default)s)")
    parser.add_argument("--bot-token", default=TWIN_BOT_TOKEN, help="the bot token to take (default: a fixed fake one)")
    arguments = parser.parse_args()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        fake = FakeTelegram(port=arguments.port, bot_token=arguments.bot_token)
    except ValueError as error:
        parser.error(str(error))
    try:
        fake.start()
    except OSError as error:
        print(f"Cannot listen on 127.0.0.1:{arguments.port}: {error.strerror}", file=sys.stderr)
        return 1
    print(f"Fake Telegram is running: {fake.url} (chat {TWIN_CHAT_ID})", flush=True)
    stopped.wait()
    fake.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
