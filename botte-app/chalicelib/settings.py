"""Where things are: settings from the environment, secrets from the Parameter Store.

Nothing secret is in the environment. Parameters are read at run time and kept for five minutes.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from . import aws
from .errors import ParameterMissing, ParametersUnavailable

VERSION = "0.1.0"
BOT_TOKEN = "telegram-bot-token"  # noqa: S105 - the name of a parameter
HTTP_API_TOKEN = "http-api-token"  # noqa: S105 - the name of a parameter
CHATS = "telegram-chats"
HOOK_TOKENS = "hook-tokens"
WEBHOOK_SECRET = "telegram-webhook-secret"  # noqa: S105 - the name of a parameter

_FRESH_SECONDS = 300.0
_RETRY_SECONDS = 30.0
_log = logging.getLogger("botte.settings")

Fetch = Callable[[Sequence[str]], Mapping[str, str]]
Edit = Callable[[str, Callable[[str], str]], str]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The stage's settings, as ``.chalice/config.json`` puts them into the environment."""

    stage: str
    parameters_path: str
    task_table_name: str
    outbox_table_name: str
    task_stream_arn: str
    queue_name: str | None
    telegram_api_url: str
    extension_port: int | None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        stage = environ.get("BOTTE_STAGE") or "dev"
        table = environ.get("TASK_TABLE_NAME") or f"botte-{stage}-tasks"
        return cls(
            stage=stage,
            parameters_path=environ.get("PARAMETERS_PATH") or f"/botte/{stage}",
            task_table_name=table,
            outbox_table_name=environ.get("OUTBOX_TABLE_NAME") or f"botte-{stage}-outbox",
            # Chalice declares the event source with an ARN. Until the table exists, this one; AWS would refuse it.
            task_stream_arn=environ.get("TASK_STREAM_ARN")
            or f"arn:aws:dynamodb:us-east-1:000000000000:table/{table}/stream/not-deployed",
            queue_name=environ.get("QUEUE_NAME") or None,
            telegram_api_url=(environ.get("TELEGRAM_API_URL") or "https://api.telegram.org").rstrip("/"),
            extension_port=int(environ.get("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT") or 0) or None,
        )

    def fetch_parameters(self, names: Sequence[str]) -> Mapping[str, str]:
        """The values of parameters by their full names, read in the quickest way that the Lambda offers."""
        if self.extension_port is not None:
            return _from_extension(self.extension_port, os.environ.get("AWS_SESSION_TOKEN", ""), names)
        return read_parameter_store(names)


def edit_parameter(name: str, edit: Callable[[str], str]) -> str:
    """Reads a parameter from the Parameter Store itself, writes it back as ``edit`` makes it, and returns that.

    Raises ParametersUnavailable.
    """
    value = read_parameter_store([name]).get(name)
    if value is None:
        raise ParameterMissing(f"parameter {name} does not exist")
    edited = edit(value)
    if edited != value:
        exceptions = aws.botocore("exceptions")
        try:
            aws.client("ssm").put_parameter(Name=name, Value=edited, Type="String", Overwrite=True)
        except (exceptions.BotoCoreError, exceptions.ClientError) as error:
            raise ParametersUnavailable(f"the Parameter Store cannot be written: {aws.explain(error)}") from None
    return edited


class Parameters:
    """The stage's parameters, read when first needed and again after five minutes.

    When they cannot be read again, the values at hand stay in use. One that does not exist is looked for every 30 s.
    fetch: takes full parameter names, returns the values of those that exist, raises ParametersUnavailable.
    fetch_fresh: the same, past any cache between; edit: see :func:`edit_parameter`. clock: epoch seconds, as the
    monotonic clock may stand still while a Lambda is frozen.
    """

    def __init__(
        self,
        path: str,
        fetch: Fetch,
        *,
        fetch_fresh: Fetch | None = None,
        edit: Edit = edit_parameter,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._fetch = fetch
        self._fetch_fresh = fetch_fresh or fetch
        self._edit = edit
        self._clock = clock
        self._values: dict[str, str] = {}
        self._fresh_until: dict[str, float] = {}

    def bot_token(self, *, fresh: bool = False) -> str:
        """The bot token; ``fresh`` reads it from the Parameter Store in any case."""
        if fresh:
            self._read([BOT_TOKEN], self._clock(), self._fetch_fresh)
        return self._get(BOT_TOKEN, CHATS).strip()

    def http_api_tokens(self) -> dict[str, str]:
        """The live HTTP API tokens, each with its name (empty where it has none)."""
        return _tokens(self._get(HTTP_API_TOKEN, BOT_TOKEN, CHATS))

    def hook_tokens(self) -> dict[str, str]:
        """The live tokens that may only post to /hook, as ``http_api_tokens``; empty while there are none."""
        try:
            return _tokens(self._get(HOOK_TOKENS, HTTP_API_TOKEN, BOT_TOKEN, CHATS))
        except ParameterMissing:
            return {}

    def webhook_secret(self) -> str | None:
        """The webhook secret; None while there is no webhook."""
        try:
            return self._get(WEBHOOK_SECRET, BOT_TOKEN, CHATS).strip() or None
        except ParameterMissing:
            return None

    def chats(self) -> dict[str, int]:
        """The chat ids by name."""
        return self._chats(self._get(CHATS, BOT_TOKEN))

    def move_chat(self, old_id: int, new_id: int) -> None:
        """Puts a chat's new id in the place of its old one, in the Parameter Store. Raises ParametersUnavailable."""

        def moved(value: str) -> str:
            chats = self._chats(value)
            if old_id not in chats.values():
                return value  # another function, or the owner, was here before
            return json.dumps({name: new_id if id == old_id else id for name, id in chats.items()}, ensure_ascii=False)

        self._values[CHATS] = self._edit(f"{self._path}/{CHATS}", moved)

    def _chats(self, value: str) -> dict[str, int]:
        try:
            return {name: _chat_id(id) for name, id in json.loads(value).items()}
        except (ValueError, AttributeError):
            raise ParametersUnavailable(f'parameter {self._path}/{CHATS} must be like {{"default": 123}}') from None

    def _get(self, name: str, *also: str) -> str:
        """A parameter's value. ``also`` names those that the same caller needs next: one request reads them all."""
        now = self._clock()
        stale = [each for each in (name, *also) if self._fresh_until.get(each, 0.0) <= now]
        if name in stale:
            self._read(stale, now, self._fetch)
        if name not in self._values:
            raise ParameterMissing(f"parameter {self._path}/{name} does not exist")
        return self._values[name]

    def _read(self, names: Sequence[str], now: float, fetch: Fetch) -> None:
        try:
            found = fetch([f"{self._path}/{name}" for name in names])
        except ParametersUnavailable as error:
            if names[0] not in self._values:
                raise
            _log.warning("parameters cannot be read again, the last ones stay in use", extra={"reason": error.reason})
            self._fresh_until.update((name, now + _RETRY_SECONDS) for name in names)
            return
        for name in names:
            value = found.get(f"{self._path}/{name}")
            self._fresh_until[name] = now + (_RETRY_SECONDS if value is None else _FRESH_SECONDS)
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


def _chat_id(value: object) -> int:
    if isinstance(value, str):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("not a chat id")


def read_parameter_store(names: Sequence[str]) -> Mapping[str, str]:
    """The values of those parameters that exist, from the Parameter Store itself. Raises ParametersUnavailable."""
    exceptions = aws.botocore("exceptions")
    try:
        answer = aws.client("ssm").get_parameters(Names=list(names), WithDecryption=True)
    except (exceptions.BotoCoreError, exceptions.ClientError) as error:
        raise ParametersUnavailable(f"the Parameter Store cannot be read: {aws.explain(error)}") from None
    return {parameter["Name"]: parameter["Value"] for parameter in answer["Parameters"]}


def _from_extension(port: int, session_token: str, names: Sequence[str]) -> Mapping[str, str]:
    """Through AWS's Parameters and Secrets Lambda extension, which is far quicker than boto3.

    https://docs.aws.amazon.com/systems-manager/latest/userguide/ps-integration-lambda-extensions.html
    """
    import urllib3

    headers = {"X-Aws-Parameters-Secrets-Token": session_token}
    found: dict[str, str] = {}
    try:
        with urllib3.HTTPConnectionPool("localhost", port, timeout=5, retries=False) as pool:
            for name in names:
                query = {"name": name, "withDecryption": "true"}
                answer = pool.request("GET", "/systemsmanager/parameters/get", fields=query, headers=headers)
                if answer.status == 200:
                    found[name] = str(answer.json()["Parameter"]["Value"])
                elif b"ParameterNotFound" not in answer.data:
                    raise ParametersUnavailable(f"the parameters extension answered {answer.status}")
    except (urllib3.exceptions.HTTPError, ValueError, KeyError, TypeError) as error:
        raise ParametersUnavailable(f"the parameters extension cannot be read: {type(error).__name__}") from None
    return found
