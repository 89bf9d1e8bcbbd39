"""The HTTP door: a request's headers and body in, an answer out. It knows nothing of Chalice.

Errors have Chalice's own shape: ``{"Code": "...", "Message": "..."}``.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from ..contract.message import MAX_BODY_BYTES, MAX_ID_CHARACTERS, Message, parse_json
from ..errors import IdReused, InvalidMessage, MessageInFlight, Refused, Unavailable
from ..relay import Accepted, Relay
from ..settings import Parameters

CONTENT_TYPES = ["application/json", "application/x-www-form-urlencoded", "text/plain"]
ANSWER_SECONDS = 27.0  # API Gateway gives up after 29
_RETRY_AFTER_SECONDS = 30

_log = logging.getLogger("botte.http")

Headers = Mapping[str, str]


class Answer(NamedTuple):
    """The arguments of Chalice's ``Response``, in their order."""

    body: object
    headers: dict[str, str | list[str]]
    status_code: int


class HttpError(Exception):
    """A request that is not answered as it should be; ``answer`` is what it gets."""

    def __init__(self, status_code: int, code: str, reason: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.answer = Answer({"Code": code, "Message": reason}, {**(headers or {})}, status_code)


def post_message(relay: Relay, parameters: Parameters, request: Any, now: float) -> Answer:
    """``POST /message``. request: Chalice's, of which the ``headers`` and the ``raw_body`` are read."""
    return answer(lambda: _post_message(relay, parameters, request, now))


def get_message(relay: Relay, parameters: Parameters, request: Any, id: str) -> Answer:
    """``GET /message/{id}``: ``id``, ``status``, ``attempts``, ``message_ids``, ``last_error``, ``due_at``."""
    return answer(lambda: _get_message(relay, parameters, request, id))


def _post_message(relay: Relay, parameters: Parameters, request: Any, now: float) -> Answer:
    _authenticate(parameters, request.headers)
    message = _read_message(request, now)
    outcome = relay.accept(message, deadline=now + ANSWER_SECONDS, spare_id=relay.new_id())
    if isinstance(outcome, Accepted):
        location = "/message/" + quote(outcome.id, safe="")
        return Answer({"status": "accepted", "id": outcome.id}, {"Location": location}, 202)
    return Answer(outcome.result, {}, 200)


def _get_message(relay: Relay, parameters: Parameters, request: Any, id: str) -> Answer:
    _authenticate(parameters, request.headers)
    # API Gateway has decoded the path; Chalice's local server has not.
    ids = [each for each in dict.fromkeys((id, unquote(id))) if len(each) <= MAX_ID_CHARACTERS]
    status = next(filter(None, map(relay.status, ids)), None)
    if status is None:
        raise HttpError(404, "NotFoundError", "no message is kept under this id")
    return Answer(status, {}, 200)


def answer(handle: Callable[[], Answer]) -> Answer:
    """What ``handle`` answers, or the answer to the error it raises."""
    try:
        return handle()
    except HttpError as error:
        return error.answer
    except InvalidMessage as error:
        # To name a chat by its raw id is not a slip but something that is not allowed.
        status, code = (403, "ForbiddenError") if error.field == "chat_id" else (400, "BadRequestError")
        return HttpError(status, code, str(error)).answer
    except MessageInFlight as error:
        return HttpError(409, "ConflictError", f"id: {error.reason}", {"Retry-After": "1"}).answer
    except IdReused as error:
        return HttpError(422, "UnprocessableEntityError", f"id: {error.reason}").answer
    except Refused as error:
        return HttpError(502, "BadGatewayError", f"Telegram refused the message: {error.reason}").answer
    except Unavailable as error:
        seconds = str(round(error.retry_after or _RETRY_AFTER_SECONDS))
        reason = f"nothing was accepted: {error.reason}"
        return HttpError(503, "ServiceUnavailableError", reason, {"Retry-After": seconds}).answer


def _authenticate(parameters: Parameters, headers: Headers) -> None:
    given = headers.get("authorization", "").strip(" \t")
    scheme, _, credentials = given.partition(" ")
    if scheme.lower() == "bearer":
        given = credentials.strip(" \t")
    if not given:
        raise HttpError(401, "UnauthorizedError", "the Authorization header has no API token")
    # Every live token is compared: the time does not tell which one came.
    names = [name for token, name in parameters.http_api_tokens().items() if same_secret(given, token)]
    if not names:
        raise HttpError(403, "ForbiddenError", "the API token in the Authorization header is not valid")
    if names[0]:
        _log.info("authenticated", extra={"api_token": names[0]})


def same_secret(given: str, live: str) -> bool:
    """Whether two secrets are the same, in a time that tells nothing of the live one."""
    digests = [hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest() for secret in (given, live)]
    return hmac.compare_digest(*digests)


def _read_message(request: Any, now: float) -> Message:
    headers: Headers = request.headers
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise HttpError(415, "UnsupportedMediaType", "Content-Encoding: compressed bodies are not taken")
    try:
        body: bytes = request.raw_body
    except ValueError:
        raise InvalidMessage("body", "is not base64") from None
    if len(body) > MAX_BODY_BYTES:
        raise HttpError(413, "PayloadTooLargeError", f"body: at most {MAX_BODY_BYTES:,} bytes are taken")
    if headers.get("content-type", "").split(";")[0].strip().lower() == "text/plain":
        message = Message(text=_decode(body))
    else:
        message = Message.from_fields(parse_json(body), now=now)
    key = headers.get("idempotency-key")
    return message if key is None else _with_id(message, key)


def _decode(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidMessage("body", "is not UTF-8") from None


def _with_id(message: Message, key: str) -> Message:
    if message.id not in (None, key):
        raise InvalidMessage("id", "differs from the Idempotency-Key header")
    try:
        return replace(message, id=key)
    except InvalidMessage as error:
        raise InvalidMessage("Idempotency-Key", error.reason) from None
