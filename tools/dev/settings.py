"""What the twin is told by its environment, and the environment that it makes for the app."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field

LOOPBACK = "127.0.0.1"


class TwinError(Exception):
    """The twin cannot start. The message is one line for the person who started it."""


@dataclass(frozen=True)
class RealTelegram:
    """The bot and the chat of `TELEGRAM_BOT_TOKEN` and `TELEGRAM_CHAT_ID`."""

    bot_token: str = field(repr=False)
    chat_id: int


@dataclass(frozen=True)
class Settings:
    """Ports (0: any free one), and which Telegram: None means the fake one.

    `telegram_api_url` is what the app uses instead of the fake's, or the real one's, own address.
    """

    http_port: int = 8000
    aws_port: int = 4566
    telegram_port: int = 8081
    real_telegram: RealTelegram | None = None
    telegram_api_url: str | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Raises TwinError for a port that is none, or half of the real Telegram's two variables."""
        bot_token, chat_id = environ.get("TELEGRAM_BOT_TOKEN"), environ.get("TELEGRAM_CHAT_ID")
        if bool(bot_token) != bool(chat_id):
            missing = "TELEGRAM_CHAT_ID" if bot_token else "TELEGRAM_BOT_TOKEN"
            raise TwinError(
                f"{missing} is not set: the real Telegram needs TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID, "
                "the fake one neither."
            )
        if chat_id and not re.fullmatch(r"-?\d{1,19}", chat_id):
            raise TwinError("TELEGRAM_CHAT_ID must be a number, such as 2137200685 or -1001234567890 for a group.")
        return cls(
            http_port=_port(environ, "BOTTE_HTTP_PORT", cls.http_port),
            aws_port=_port(environ, "BOTTE_AWS_PORT", cls.aws_port),
            telegram_port=_port(environ, "BOTTE_TELEGRAM_PORT", cls.telegram_port),
            real_telegram=RealTelegram(bot_token, int(chat_id)) if bot_token and chat_id else None,
            telegram_api_url=environ.get("TELEGRAM_API_URL") or None,
        )


class ReservedPort:
    """A port that is known to be free, and held until `release`, just before its server takes it.

    Raises TwinError, which names the port, what it is for, and the variable that chooses another.
    """

    def __init__(self, port: int, *, purpose: str, variable: str) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((LOOPBACK, port))
            self._socket.listen()  # else the port could be reserved twice
        except PermissionError:
            raise TwinError(
                f"Port {port} ({purpose}) is not allowed. Choose one above 1023: {variable}={port + 8000} make run"
            ) from None
        except OSError:
            raise TwinError(
                f"Port {port} ({purpose}) is in use. Stop the program that uses it, "
                f"or choose another: {variable}={_free_port_after(port)} make run"
            ) from None
        self.number: int = self._socket.getsockname()[1]
        self.url = f"http://{LOOPBACK}:{self.number}"

    def release(self) -> int:
        """Gives the port free, and returns its number."""
        self._socket.close()
        return self.number


class Ports:
    """The ports of the twin, all of them free. Raises TwinError for the first that is not."""

    def __init__(self, settings: Settings) -> None:
        self.http = ReservedPort(settings.http_port, purpose="HTTP door", variable="BOTTE_HTTP_PORT")
        self.aws = ReservedPort(settings.aws_port, purpose="embedded AWS", variable="BOTTE_AWS_PORT")
        self.telegram: ReservedPort | None = None
        if settings.real_telegram is None:
            self.telegram = ReservedPort(
                settings.telegram_port, purpose="fake Telegram", variable="BOTTE_TELEGRAM_PORT"
            )


def clean_environment(environ: MutableMapping[str, str]) -> None:
    """Takes out what leads AWS SDKs, and the app, to other places than this machine."""
    for name in list(environ):
        if name.startswith(("AWS_", "PARAMETERS_SECRETS_EXTENSION_")):
            del environ[name]
    environ["AWS_CONFIG_FILE"] = environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    environ["AWS_EC2_METADATA_DISABLED"] = "true"
    environ["NO_PROXY"] = environ["no_proxy"] = ",".join(
        filter(None, [environ.get("NO_PROXY") or environ.get("no_proxy"), LOOPBACK, "localhost"])
    )
    # The app reads its bot token from the Parameter Store, and nothing else shall see it.
    environ.pop("TELEGRAM_BOT_TOKEN", None)


def _port(environ: Mapping[str, str], variable: str, default: int) -> int:
    text = environ.get(variable) or str(default)
    if not re.fullmatch(r"\d{1,5}", text) or int(text) > 65535:
        raise TwinError(f"{variable}={text} is not a port: it must be a number from 0 (any free one) to 65535.")
    return int(text)


def _free_port_after(port: int) -> int:
    for candidate in range(port + 1, min(port + 100, 65536)):
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK, candidate)) != 0:
                return candidate
    return 0
