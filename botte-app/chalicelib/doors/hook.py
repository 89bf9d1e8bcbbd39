"""The hook: the HTTP door for whatever does not speak Botte, ``POST /hook/<name>``.

GitHub and Sentry can only sign:
https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
https://docs.sentry.io/organization/integrations/integration-platform/webhooks/
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from .. import senders
from ..contract.message import is_id
from ..contract.reading import Reading, read_leniently
from ..relay import Relay
from ..settings import Parameters
from .bodies import FORM, JSON, MULTIPART, TEXT, Body, decode, query_fields, read_body, read_form
from .http import Answer, HttpError, accept, answer, credentials, log_token, same_secret

CONTENT_TYPES = [JSON, FORM, MULTIPART, TEXT, "application/cloudevents+json"]
SIGNATURE_HEADERS = ("x-hub-signature-256", "sentry-hook-signature")
TOKEN_HEADERS = ("x-gitlab-token", "x-gotify-key")
# Forms whose only value is JSON: of GitHub and old Slack tools, Discord's with files, and Uptime Kuma's.
_JSON_FORMS = ({"payload"}, {"payload_json"}, {"data"})
_NO_OPTIONS = ("text", "parse_mode")  # of the words, and those are in the body
# SNS repeats it when it did not see the answer. https://docs.aws.amazon.com/sns/latest/dg/http-header.html
SNS_ID = "x-amz-sns-message-id"


def post_hook(relay: Relay, parameters: Parameters, request: Any, name: str, now: float) -> Answer:
    """``POST /hook/{name}``. request: Chalice's; its ``headers``, ``query_params`` and ``raw_body`` are read."""
    return answer(lambda: _post_hook(relay, parameters, request, unquote(name), now))


def _post_hook(relay: Relay, parameters: Parameters, request: Any, name: str, now: float) -> Answer:
    query = query_fields(request)
    token = str(query.pop("token", ""))
    body = read_body(request)
    _authenticate(parameters, request.headers, token, body.content)
    return accept(relay, _read(body, request.headers, query, name, now), now)


def _authenticate(parameters: Parameters, headers: Mapping[str, str], token: str, content: bytes) -> None:
    """A token as for /message; or a hook token: in its place, in the address, or as the secret of a signature."""
    given = ["", token, *(headers.get(name, "") for name in TOKEN_HEADERS)]
    signatures = [headers.get(name, "").removeprefix("sha256=") for name in SIGNATURE_HEADERS]
    try:
        given[0] = credentials(headers)
    except HttpError:
        if not any((*given, *signatures)):
            raise
    if not any((*given, *signatures)):
        raise HttpError(401, "UnauthorizedError", "neither the Authorization header nor ?token= has a token")
    hook_tokens = parameters.hook_tokens()
    signed = {hmac.new(secret.encode(), content, hashlib.sha256).hexdigest(): secret for secret in hook_tokens}
    names = [
        *(name for secret, name in parameters.http_api_tokens().items() if same_secret(given[0], secret)),
        *(name for secret, name in hook_tokens.items() for each in given if same_secret(each, secret)),
        *(hook_tokens[secret] for digest, secret in signed.items() for each in signatures if same_secret(each, digest)),
    ]
    if not names:
        raise HttpError(403, "ForbiddenError", "the token, or the signature, is not valid")
    log_token(names[0])


def _read(body: Body, headers: Mapping[str, str], query: Mapping[str, object], name: str, now: float) -> Reading:
    value = _value(body)
    label = value.get("sender_app") if isinstance(value, Mapping) else None
    known = senders.recognise(value)
    fields = known.fields if known else senders.as_it_is(value, name)
    options = {option: query[option] for option in query if option not in _NO_OPTIONS}
    given = {**fields, **options, "sender_app": label or name}
    return read_leniently(given if given.get("id") is not None else {**given, "id": _id(headers, name, query)}, now=now)


def _id(headers: Mapping[str, str], name: str, query: Mapping[str, object]) -> str | None:
    """The id that a header gives the message. SNS names what was published, which goes to each that subscribed."""
    if SNS_ID in headers:
        told = json.dumps([headers[SNS_ID], name, query], sort_keys=True)
        return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()
    key = headers.get("idempotency-key", "")
    return key if is_id(key) else None


def _value(body: Body) -> object:
    """The value that a body brings; what is neither JSON nor a form is a text."""
    if body.media_type in (FORM, MULTIPART) and body.first not in (b"{", b"["):
        fields = read_form(body, errors="replace")
        if fields.keys() in _JSON_FORMS:
            (value,) = fields.values()
            return senders.to_value(str(value))
        if any(fields.values()):
            return fields
    return senders.to_value(decode(body, errors="replace"))
