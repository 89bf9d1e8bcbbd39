"""Where things are: settings from the environment, secrets from the Parameter Store.

Nothing secret is in the environment. Parameters are read at run time and kept for five minutes.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .aws import Aws, AwsError
from .errors import ParameterMissing, ParametersUnavailable

if TYPE_CHECKING:
    from .chat_settings import ChatSettings

VERSION = "0.1.0"
BOT_TOKEN = "telegram-bot-token"  # noqa: S105 - the name of a parameter
HTTP_API_TOKEN = "http-api-token"  # noqa: S105 - the name of a parameter
CHATS = "telegram-chats"
MUTES = "mutes"
HOOK_TOKENS = "hook-tokens"
WEBHOOK_SECRET = "telegram-webhook-secret"  # noqa: S105 - the name of a parameter
# What every function may read, and needs for any message. AWS takes ten names in a request.
COMMON = (BOT_TOKEN, CHATS, MUTES, WEBHOOK_SECRET)

PATIENCE_SECONDS = 2.0  # for which a request of the Parameter Store is tried again
_FRESH_SECONDS = 300.0
_RETRY_SECONDS = 30.0
_log = logging.getLogger("botte.settings")

Fetch = Callable[[Sequence[str]], Mapping[str, str]]
Put = Callable[[str, str], None]


class Settings(NamedTuple):
    """The stage's settings, as ``.chalice/config.json`` puts them into the environment.

    task_stream_arn: only for who deploys; elsewhere one that AWS would refuse, as Chalice declares the event source.
    handler: which one this Lambda function runs, such as ``app.message``; None outside of Lambda.
    """

    stage: str
    parameters_path: str
    task_table_name: str
    outbox_table_name: str
    task_stream_arn: str
    queue_name: str | None
    telegram_api_url: str
    handler: str | None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        stage = environ.get("BOTTE_STAGE") or "dev"
        table = environ.get("TASK_TABLE_NAME") or f"botte-{stage}-tasks"
        return cls(
            stage=stage,
            parameters_path=environ.get("PARAMETERS_PATH") or f"/botte/{stage}",
            task_table_name=table,
            outbox_table_name=environ.get("OUTBOX_TABLE_NAME") or f"botte-{stage}-outbox",
            task_stream_arn=environ.get("TASK_STREAM_ARN")
            or f"arn:aws:dynamodb:us-east-1:000000000000:table/{table}/stream/not-deployed",
            queue_name=environ.get("QUEUE_NAME") or None,
            telegram_api_url=(environ.get("TELEGRAM_API_URL") or "https://api.telegram.org").rstrip("/"),
            handler=environ.get("_HANDLER") or None,
        )

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters that the handler needs for any message, and may read."""
        return (HTTP_API_TOKEN, *COMMON) if self.handler == "app.app" else COMMON


class ParameterStore:
    """AWS's Parameter Store. Its methods raise ParametersUnavailable; they take 7 s at most."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def read(self, names: Sequence[str]) -> Mapping[str, str]:
        """The values of those parameters that exist, by their full names."""
        try:
            answer = self._call("GetParameters", Names=list(names), WithDecryption=True)
            return {parameter["Name"]: parameter["Value"] for parameter in answer["Parameters"]}
        except AwsError as error:
            raise ParametersUnavailable(f"the Parameter Store cannot be read: {error.code}") from None
        except (KeyError, TypeError):
            reason = "the Parameter Store cannot be read: no parameters in its answer"
            raise ParametersUnavailable(reason) from None

    def put(self, name: str, value: str) -> None:
        """Writes a parameter that is no secret over the one that is there."""
        try:
            self._call("PutParameter", Name=name, Value=value, Type="String", Overwrite=True)
        except AwsError as error:
            raise ParametersUnavailable(f"the Parameter Store cannot be written: {error.code}") from None

    def _call(self, operation: str, **arguments: object) -> dict[str, Any]:
        return self._aws.call(f"AmazonSSM.{operation}", arguments, patience=PATIENCE_SECONDS)


class Parameters:
    """The stage's parameters, read when first needed and again after five minutes.

    When they cannot be read again, the values at hand stay in use. One that does not exist is looked for every 30 s;
    the mutes, which hardly ever exist, and are asked for with each message, with the others.
    fetch and put: as in :class:`ParameterStore`; without ``put`` nothing is written. clock: epoch seconds, as the
    monotonic clock may stand still while a Lambda is frozen.
    """

    def __init__(
        self, path: str, fetch: Fetch, put: Put | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._path = path
        self._fetch = fetch
        self._put = put
        self._clock = clock
        self._values: dict[str, str] = {}
        self._fresh_until: dict[str, float] = {}
        self._chat_settings: tuple[str, dict[str, ChatSettings]] = ("", {})

    def read_ahead(self, *names: str) -> None:
        """Reads parameters before they are needed, and all on chats. What cannot be read is left to who needs it."""
        try:
            self._read(names, self._clock())
            self.chat_settings()
        except ParametersUnavailable as error:
            _log.warning("parameters cannot be read ahead", extra={"reason": error.reason})

    def bot_token(self, *, fresh: bool = False) -> str:
        """The bot token; ``fresh`` reads it from the Parameter Store in any case."""
        if fresh:
            self._read([BOT_TOKEN], self._clock())
        return self._get(BOT_TOKEN).strip()

    def http_api_tokens(self) -> dict[str, str]:
        """The live HTTP API tokens, each with its name (empty where it has none)."""
        return _tokens(self._get(HTTP_API_TOKEN))

    def hook_tokens(self) -> dict[str, str]:
        """The live tokens that may only post to /hook, as ``http_api_tokens``; empty while there are none."""
        try:
            return _tokens(self._get(HOOK_TOKENS, HTTP_API_TOKEN))
        except ParameterMissing:
            return {}

    def webhook_secret(self) -> str | None:
        """The webhook secret; None while there is no webhook."""
        try:
            return self._get(WEBHOOK_SECRET).strip() or None
        except ParameterMissing:
            return None

    def signing_secret(self) -> str | None:
        """The webhook secret, which signs buttons; None also where it cannot be read: then a message has none."""
        try:
            return self.webhook_secret()
        except ParametersUnavailable:
            return None

    def chats(self) -> dict[str, int]:
        """The chat ids by name."""
        return self._chats(self._get(CHATS))

    def chat_settings(self) -> dict[str, ChatSettings]:
        """What their owner wants for those chats, by name, of which the parameter says more than an id."""
        value = self._get(CHATS)
        if self._chat_settings[0] != value:
            self._chats(value)
            self._chat_settings = value, _chat_settings(value)
        return self._chat_settings[1]

    def move_chat(self, old_id: int, new_id: int) -> None:
        """Puts a chat's new id in the place of its old one, in the Parameter Store. Raises ParametersUnavailable."""
        from .chat_settings import with_ids

        value = self._stored(CHATS)
        if value is None:
            raise ParameterMissing(f"parameter {self._path}/{CHATS} does not exist")
        moved = {name: new_id for name, id in self._chats(value).items() if id == old_id}
        if moved:  # otherwise another function, or the owner, was here before
            value = with_ids(value, moved)
            self._write(CHATS, value)
        self._values[CHATS] = value

    def mutes(self) -> dict[str, float]:
        """Until when (epoch seconds) each ``sender_app`` that was muted makes no sound."""
        try:
            return _mutes(self._get(MUTES))
        except ParameterMissing:
            return {}

    def mute(self, sender_app: str, until: float) -> None:
        """Mutes a sender until a time (epoch seconds), in the Parameter Store. Raises ParametersUnavailable.

        Other functions know of it within five minutes. Of two at the same moment, the later one stays.
        """
        self._write_mutes({**_mutes(self._stored(MUTES)), sender_app: int(until)})

    def unmute(self, sender_app: str | None = None) -> None:
        """Ends the mute of a sender, or of all; as ``mute``."""
        mutes = {} if sender_app is None else _mutes(self._stored(MUTES))
        mutes.pop(sender_app or "", None)
        self._write_mutes(mutes)

    def _write_mutes(self, mutes: Mapping[str, float]) -> None:
        now = self._clock()
        value = json.dumps({name: until for name, until in mutes.items() if until > now}, ensure_ascii=False)
        self._write(MUTES, value)
        self._values[MUTES], self._fresh_until[MUTES] = value, now + _FRESH_SECONDS

    def _chats(self, value: str) -> dict[str, int]:
        try:
            return chat_ids(value)
        except ValueError as error:
            raise ParametersUnavailable(f"parameter {self._path}/{CHATS} {error}") from None

    def _stored(self, name: str) -> str | None:
        """A parameter's value as it is now."""
        return self._fetch([f"{self._path}/{name}"]).get(f"{self._path}/{name}")

    def _write(self, name: str, value: str) -> None:
        if self._put is None:
            raise ParametersUnavailable("the Parameter Store cannot be written from here")
        self._put(f"{self._path}/{name}", value)

    def _get(self, name: str, *also: str) -> str:
        """A parameter's value. The request that reads it also reads what every message needs, and ``also``."""
        now = self._clock()
        stale = [each for each in dict.fromkeys((name, *also, *COMMON)) if self._fresh_until.get(each, 0.0) <= now]
        if name in stale:
            self._read(stale, now)
        if name not in self._values:
            raise ParameterMissing(f"parameter {self._path}/{name} does not exist")
        return self._values[name]

    def _read(self, names: Sequence[str], now: float) -> None:
        try:
            found = self._fetch([f"{self._path}/{name}" for name in names])
        except ParametersUnavailable as error:
            if names[0] not in self._fresh_until:  # nobody knows whether it is there
                raise
            _log.warning("parameters cannot be read again, the last ones stay in use", extra={"reason": error.reason})
            self._fresh_until.update((name, now + _RETRY_SECONDS) for name in names)
            return
        for name in names:
            value = found.get(f"{self._path}/{name}")
            is_missed = value is None and name != MUTES
            self._fresh_until[name] = now + (_RETRY_SECONDS if is_missed else _FRESH_SECONDS)
            if value is None:
                self._values.pop(name, None)
            else:
                self._values[name] = value


def _tokens(value: str) -> dict[str, str]:
    tokens: dict[str, str] = {}
    for number, line in enumerate(value.splitlines(), 1):
        match line.split():
            case [token]:
                tokens[token] = ""
            case [name, token]:
                tokens[token] = name
            case []:
                pass
            case _:
                _log.warning("a line of tokens is neither 'token' nor 'name token'", extra={"line": number})
    return tokens


def chat_ids(value: str) -> dict[str, int]:
    """The ids of the chats that a value of ``telegram-chats`` names. Raises ValueError, which says how it must be."""
    try:
        chats = json.loads(value).items()
        return {str(name): _chat_id(given["id"] if isinstance(given, dict) else given) for name, given in chats}
    except (ValueError, LookupError, AttributeError):
        raise ValueError('must be like {"default": 123}') from None


def _chat_id(value: object) -> int:
    if isinstance(value, str):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("not a chat id")


def _chat_settings(value: str) -> dict[str, ChatSettings]:
    if value.count("{") == 1:  # ids alone, as most have: what follows stays out of their cold start
        return {}
    from .chat_settings import read_chat_settings

    settings, faults = read_chat_settings(value)
    for fault in faults:
        _log.error("a setting of a chat cannot be used", extra={"parameter": CHATS, "reason": fault})
    return settings


def _mutes(value: str | None) -> dict[str, float]:
    """The parameter's value, as Botte alone writes it; what is no time is left out."""
    try:
        found = json.loads(value or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        _log.warning("the mutes cannot be read", extra={"parameter": MUTES})
        return {}
    return {name: until for name, until in found.items() if isinstance(until, (int, float))}
