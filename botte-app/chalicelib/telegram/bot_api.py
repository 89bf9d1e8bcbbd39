"""The only code that talks to Telegram: one Bot API call, and its answer or an error of the tree in ``errors``.

The bot token is part of every URL, so no URL and no foreign error text ever leaves this module.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from urllib3 import encode_multipart_formdata

from ..connections import AnswerLost, Connections, NotSent, split_url
from ..errors import (
    Ambiguous,
    BotTokenRejected,
    ChatMigrated,
    KeyboardRefused,
    MarkupRefused,
    MediaNotFetched,
    MessageGone,
    NotModified,
    Refused,
    ThreadNotFound,
    Unavailable,
    redact,
)

CONNECT_TIMEOUT_SECONDS = 3.0
READ_TIMEOUT_SECONDS = 10.0
MEDIA_READ_TIMEOUT_SECONDS = 20.0  # Telegram fetches a photo or document before it answers
MAX_RETRY_AFTER_SECONDS = 86_400.0
MAX_ANSWER_BYTES = 1 << 20

_SHORTEST_SECRET = 16  # what is shorter may be a word of any answer
_DEFAULT_RETRY_AFTER_SECONDS = 5.0
_MIN_RETRY_AFTER_SECONDS = 1.0

_MARKUP = ("can't parse entities", "can't parse caption entities", "can't parse message text")
_NO_WORDS = ("message text is empty", "text must be non-empty")  # of markup around nothing
_THREAD = ("message thread not found", "message_thread_not_found", "topic_closed", "topic_deleted", "topic closed")
_NOT_MODIFIED = ("message is not modified", "message_not_modified")
_GONE = (
    "message to edit not found",
    "message can't be edited",
    "message_id_invalid",
    "message_edit_time_expired",
    "there is no text in the message to edit",
    "there is no caption in the message to edit",
)
# These come before the others: they quote the address, and what is wrong with it in the words for media.
_KEYBOARD = ("inline keyboard", "reply markup", "reply keyboard", "reply_markup_", "button_")
_MEDIA = (
    "wrong file identifier/http url",
    "wrong remote file identifier",  # said of an address whose host has no dot
    "invalid file http url specified",
    "wrong http url",
    "failed to get http url content",
    "wrong type of the web page content",
    "photo has unsupported extension",
    # Of what it fetched, or could not fetch, in the words of the API below:
    # https://core.telegram.org/method/messages.sendMedia
    "webpage_curl_failed",
    "webpage_media_empty",
    "image_process_failed",
    "webdocument_",
    "external_url_invalid",
    "document_invalid",
    "photo_",  # such as PHOTO_INVALID_DIMENSIONS
)

_MEDIA_METHODS = ("sendPhoto", "sendDocument")

_log = logging.getLogger("botte.telegram")


def call_seconds(method: str) -> float:
    """How long a call of a Bot API method takes at most."""
    read = MEDIA_READ_TIMEOUT_SECONDS if method in _MEDIA_METHODS else READ_TIMEOUT_SECONDS
    return CONNECT_TIMEOUT_SECONDS + read


class Sender(Protocol):
    """What can make a Bot API call: :class:`Telegram`, or a stand-in."""

    def call(self, method: str, fields: Mapping[str, object], file: tuple[str, bytes] | None = None) -> Any: ...


class _RedactingFilter(logging.Filter):
    """urllib3 logs the path of each request at DEBUG, and that of an odd answer as a warning: with the bot token."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), None
        return True


for _module in ("connectionpool", "connection"):
    logging.getLogger(f"urllib3.{_module}").addFilter(_RedactingFilter())


class Telegram:
    """The Bot API at ``api_url``, over one connection that is kept alive between calls.

    bot_token: called for each request; with ``fresh=True`` after Telegram rejected the token, to read it once more.
    Timeouts are in seconds: connect_timeout for each of connect, TLS handshake and sending, read_timeout for the whole
    answer. Both together are the most that a call takes, unless the host has several addresses that are all silent.
    """

    def __init__(
        self,
        api_url: str,
        bot_token: Callable[..., str],
        *,
        connect_timeout: float = CONNECT_TIMEOUT_SECONDS,
        read_timeout: float = READ_TIMEOUT_SECONDS,
        media_read_timeout: float = MEDIA_READ_TIMEOUT_SECONDS,
    ) -> None:
        server, self._path = split_url(api_url)
        self._bot_token = bot_token
        self._read_timeout, self._media_read_timeout = read_timeout, media_read_timeout
        self._connections = Connections(server, connect_timeout=connect_timeout, max_answer_bytes=MAX_ANSWER_BYTES)

    def call(self, method: str, fields: Mapping[str, object], file: tuple[str, bytes] | None = None) -> Any:
        """Calls a Bot API method and returns its ``result``.

        fields: the method's parameters. file: name and content, sent as ``document``.
        Raises Refused, Unavailable or one of their kinds.
        """
        token = self._bot_token()
        try:
            return self._post(token, method, fields, file)
        except BotTokenRejected:
            fresh = self._bot_token(fresh=True)
            if fresh == token:
                raise
            return self._post(fresh, method, fields, file)

    def _post(self, token: str, method: str, fields: Mapping[str, object], file: tuple[str, bytes] | None) -> Any:
        if file is None:
            body, content_type = json.dumps(fields, ensure_ascii=False).encode(), "application/json"
        else:
            form: dict[str, Any] = {name: _form_value(value) for name, value in fields.items()}
            body, content_type = encode_multipart_formdata({**form, "document": file})
        try:
            status, headers, content = self._connections.post(
                f"{self._path}/bot{token}/{method}",
                {"Content-Type": content_type},
                body,
                read_timeout=self._media_read_timeout if method in _MEDIA_METHODS else self._read_timeout,
            )
        except NotSent as error:
            raise Unavailable(f"Telegram cannot be reached: {error}") from None
        except AnswerLost as error:
            raise Ambiguous(f"Telegram's answer was lost: {error}") from None
        content = _hide(content, token, b"[bot token]")
        if "secret_token" in fields:
            content = _hide(content, str(fields["secret_token"]), b"[webhook secret]")
        return _result(status, headers, content)


def _hide(content: bytes, secret: str, hidden: bytes) -> bytes:
    """An answer without the secret that it repeats, in any case; of a bot token also what comes after the bot's id."""
    known = re.split(":|%3A", secret, flags=re.IGNORECASE)[-1].encode()
    if len(known) < _SHORTEST_SECRET:
        return content
    # Without looking back, a long row of digits would be read anew from each of them.
    return re.sub(rb"(?:(?<![0-9])[0-9]+(?::|%3A))?" + re.escape(known), hidden, content, flags=re.IGNORECASE)


def _form_value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _result(status: int, headers: Mapping[str, str], body: bytes) -> Any:
    """The ``result`` of an answer; everything else is an error."""
    try:
        answer = json.loads(body)
        description = str(answer.get("description", ""))
        parameters = answer.get("parameters")
    except (ValueError, AttributeError, RecursionError):
        if status == 200:
            raise Ambiguous("Telegram's answer cannot be read") from None
        if status == 413:
            raise Refused("413: the request is too large for Telegram") from None
        retry_after = _retry_after({}, headers) if status == 429 else None
        raise Unavailable(f"Telegram answered {status}, and not as the Bot API does", retry_after=retry_after) from None
    if status == 200:
        if answer.get("ok") is True and "result" in answer:
            return answer["result"]
        raise Ambiguous("Telegram's answer cannot be read")
    raise _error(status, description, parameters if isinstance(parameters, dict) else {}, headers)


def _error(status: int, description: str, parameters: Mapping[str, Any], headers: Mapping[str, str]) -> Exception:
    said = f"{status} {description}".strip()
    if status == 429:
        return Unavailable(f"Telegram says {said}", retry_after=_retry_after(parameters, headers))
    if status in (401, 404):
        # 404 is its answer to a token of the wrong form. https://core.telegram.org/bots/api#authorizing-your-bot
        return BotTokenRejected(f"Telegram does not know the bot token: {said}")
    if status not in (400, 403, 413):
        return Unavailable(f"Telegram says {said}")
    lowered = description.lower()
    if isinstance(parameters.get("migrate_to_chat_id"), int):
        return ChatMigrated(said, parameters["migrate_to_chat_id"])
    if any(words in lowered for words in _NOT_MODIFIED):  # first: it speaks of the reply markup
        return NotModified(said)
    if any(words in lowered for words in _GONE):
        return MessageGone(said)
    if any(words in lowered for words in _MARKUP):
        return MarkupRefused(said)
    if any(words in lowered for words in _KEYBOARD):
        return KeyboardRefused(said)
    if any(words in lowered for words in _NO_WORDS):
        return MarkupRefused(said)
    if any(words in lowered for words in _THREAD):
        return ThreadNotFound(said)
    if any(words in lowered for words in _MEDIA):
        return MediaNotFetched(said)
    return Refused(said)


def _retry_after(parameters: Mapping[str, Any], headers: Mapping[str, str]) -> float:
    """How long to wait, in seconds. What is no time is taken for a short one, and more than a day for a day."""
    try:
        seconds = float(str(parameters.get("retry_after", headers.get("Retry-After"))))
    except ValueError:
        return _DEFAULT_RETRY_AFTER_SECONDS
    if not seconds > 0:
        return _DEFAULT_RETRY_AFTER_SECONDS
    return min(max(seconds, _MIN_RETRY_AFTER_SECONDS), MAX_RETRY_AFTER_SECONDS)
