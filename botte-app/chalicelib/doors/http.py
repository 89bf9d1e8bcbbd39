"""The HTTP door: a request's headers and body in, an answer out. It knows nothing of Chalice.

Errors have Chalice's own shape: ``{"Code": "...", "Message": "..."}``.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from ..contract.message import MAX_ID_CHARACTERS, Message
from ..contract.reading import Reading
from ..errors import IdReused, InvalidMessage, MessageInFlight, Refused, Unavailable
from ..relay import Accepted, Relay
from ..senders import recognise
from ..settings import Parameters
from .bodies import FORM, JSON, MULTIPART, TEXT, TooLarge, Unsupported, query_fields, read_body, read_fields

CONTENT_TYPES = [JSON, FORM, MULTIPART, TEXT]
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


def post_heartbeat(relay: Relay, parameters: Parameters, request: Any, name: str, now: float) -> Answer:
    """``POST /heartbeat/{name}``. request: Chalice's, of which the ``headers`` and the ``query_params`` are read."""
    return answer(lambda: _post_heartbeat(relay, parameters, request, unquote(name), now))


def get_message(relay: Relay, parameters: Parameters, request: Any, id: str) -> Answer:
    """``GET /message/{id}``: ``id``, ``status``, ``attempts``, ``message_ids``, ``last_error``, ``due_at``."""
    return answer(lambda: _get_message(relay, parameters, request, id))


def _post_message(relay: Relay, parameters: Parameters, request: Any, now: float) -> Answer:
    _authenticate(parameters, request.headers)
    return accept(relay, Reading(_read_message(request, now)), now)


def _post_heartbeat(relay: Relay, parameters: Parameters, request: Any, name: str, now: float) -> Answer:
    _authenticate(parameters, request.headers)
    query = query_fields(request)
    if "heartbeat" in query:
        raise InvalidMessage("heartbeat", "is given in the query and in the path")
    return accept(relay, Reading(Message.from_fields({"heartbeat": name, **query}, now=now)), now)


def accept(relay: Relay, reading: Reading, now: float) -> Answer:
    """Has the relay send a message, and answers what became of it."""
    outcome = relay.accept(
        reading.message, deadline=now + ANSWER_SECONDS, spare_id=relay.new_id(), mended=reading.mended
    )
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
    except Unsupported as error:
        return HttpError(415, "UnsupportedMediaType", str(error)).answer
    except TooLarge as error:
        return HttpError(413, "PayloadTooLargeError", str(error)).answer
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
    given = credentials(headers)
    if not given:
        raise HttpError(401, "UnauthorizedError", "the Authorization header has no API token")
    # Every live token is compared: the time does not tell which one came.
    names = [name for token, name in parameters.http_api_tokens().items() if same_secret(given, token)]
    if not names:
        raise HttpError(403, "ForbiddenError", "the API token in the Authorization header is not valid")
    log_token(names[0])


def credentials(headers: Headers) -> str:
    """The token of the Authorization header: alone, after ``Bearer``, or as the password of ``Basic``."""
    given = headers.get("authorization", "").strip(" \t")
    scheme, _, rest = given.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip(" \t")
    if scheme.lower() == "basic":
        reason = "Authorization: Basic takes any name with the API token as its password, in base64"
        try:
            name_and_password = b64decode(rest.strip(" \t"), validate=True).decode("utf-8", "surrogateescape")
        except ValueError:
            raise HttpError(403, "ForbiddenError", reason) from None
        password = name_and_password.partition(":")[2]
        if not password:
            raise HttpError(401, "UnauthorizedError", reason)
        return password
    return given


def log_token(name: str) -> None:
    """Logs which token was used, if it has a name."""
    if name:
        _log.info("authenticated", extra={"api_token": name})


def same_secret(given: str, live: str) -> bool:
    """Whether two secrets are the same, in a time that tells nothing of the live one."""
    digests = [hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest() for secret in (given, live)]
    return hmac.compare_digest(*digests)


def _read_message(request: Any, now: float) -> Message:
    body, query = read_body(request), query_fields(request)
    given = read_fields(body) if body.content or not query else {}
    if isinstance(given, dict):
        for name in query.keys() & given.keys():
            raise InvalidMessage(name, "is given in the query and in the body")
        given = {**given, **query}
    try:
        message = Message.from_fields(given, now=now)
    except InvalidMessage as error:
        known = recognise(given)
        if known is None:
            raise
        reason = f"{error.reason}. This looks like a body of {known.sender}; such go to POST /hook/<name>"
        raise InvalidMessage(error.field, reason) from None
    key = request.headers.get("idempotency-key")
    return message if key is None else _with_id(message, key)


def _with_id(message: Message, key: str) -> Message:
    if message.id not in (None, key):
        raise InvalidMessage("id", "differs from the Idempotency-Key header")
    try:
        return replace(message, id=key)
    except InvalidMessage as error:
        raise InvalidMessage("Idempotency-Key", error.reason) from None
