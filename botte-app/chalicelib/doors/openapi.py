"""The HTTP door in OpenAPI 3.1: https://spec.openapis.org/oas/v3.1.0. Pure; few read it, so it is imported late."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..contract.message import MAX_BODY_BYTES
from ..settings import VERSION
from . import schemas
from .bodies import FORM, JSON, MULTIPART, TEXT
from .schemas import FIELDS, STRING, WORDS, Json, object_of

_PATH = "/openapi.json"


def get_document(request: Any) -> Json:
    """``GET /openapi.json``. request: Chalice's, of which the ``context`` is read: there the path has the stage."""
    return document(VERSION, request.context["path"].rstrip("/").removesuffix(_PATH) or "/")


def document(version: str, server: str) -> Json:
    """The whole document. version: of Botte. server: the path below which it is served."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Botte",
            "version": version,
            "description": "Delivers messages to its owner's Telegram chat. Accepted means delivered.\n\n"
            'An error is `{"Code": ..., "Message": ...}`. What API Gateway answers by itself is `{"message": ...}`: '
            "send it again after a 429, 500, 502 or 504; 403 is for a path that is not here, or a method that its path "
            "does not have.",
        },
        "servers": [{"url": server}],
        "security": [{name: []} for name in ("token", "bearer", "basic")],
        "paths": {
            "/message": {"post": _POST_MESSAGE},
            "/message/{id}": {"get": _GET_MESSAGE},
            "/heartbeat/{name}": {"post": _POST_HEARTBEAT},
            "/hook/{name}": {"post": _POST_HOOK},
            "/telegram-webhook": {"post": _POST_UPDATE},
            "/health": {"get": _open("health", "Whether it is there", status="ok")},
            "/version": {"get": _open("version", "The version of Botte", version=version)},
            _PATH: {"get": _open("openapi", "This document", openapi="3.1.0")},
        },
        "components": {
            "securitySchemes": _SECURITY_SCHEMES,
            "schemas": {
                "Message": schemas.MESSAGE,
                "Form": schemas.FORM,
                "Delivered": schemas.DELIVERED,
                "Accepted": schemas.ACCEPTED,
                "Beat": schemas.BEAT,
                "Status": schemas.STATUS,
                "Error": schemas.ERROR,
                "GatewayError": schemas.GATEWAY_ERROR,
            },
        },
    }


def _open(name: str, summary: str, **example: str) -> Json:
    """An operation that needs no token, and an example of its answer."""
    answer = {"description": summary, "content": _json(object_of(dict.fromkeys(example, STRING)), example=example)}
    return {
        "operationId": name,
        "summary": summary,
        "security": [],
        "responses": {"200": answer, **_errors("415"), **_BY_GATEWAY},
    }


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: Json, **more: object) -> Json:
    return {JSON: {"schema": schema, **more}}


def _api_key(place: str, name: str, description: str) -> Json:
    return {"type": "apiKey", "in": place, "name": name, "description": description}


def _header(description: str, **more: str) -> Json:
    return {"description": description, "required": True, "schema": {**STRING, **more}}


def _parameter(place: str, name: str, schema: Mapping[str, object], description: str) -> Json:
    own = {key: value for key, value in schema.items() if key != "description"}
    return {"name": name, "in": place, "description": description, "schema": own, "required": place == "path"}


def _field(place: str, field: str, name: str | None = None, **more: object) -> Json:
    """A field of a message as a parameter. name: the parameter's, if it is another."""
    return {**_parameter(place, name or field, FIELDS[field], FIELDS[field]["description"]), **more}


def _query(*names: str) -> Iterable[Json]:
    """Fields of a message as parameters."""
    return (_field("query", name) for name in names)


def _error(description: str, code: str, message: str, **headers: Json) -> Json:
    shown = {"Code": code, "Message": message}
    answer: Json = {"description": description, "content": _json(_ref("Error"), example=shown)}
    return {**answer, "headers": headers} if headers else answer


def _gateway_error(description: str, message: str) -> Json:
    return {"description": description, "content": _json(_ref("GatewayError"), example={"message": message})}


def _either_error(description: str, code: str, message: str) -> Json:
    """An answer of Botte's, of which the example is, or of API Gateway's."""
    schema = {"anyOf": [_ref("Error"), _ref("GatewayError")]}
    return {"description": description, "content": _json(schema, example={"Code": code, "Message": message})}


def _errors(*statuses: str) -> dict[str, Json]:
    return {status: _ERRORS[status] for status in statuses}


_RETRY_AFTER = {"Retry-After": _header("In seconds.", pattern="^[0-9]+$")}
_ERRORS: Mapping[str, Json] = {
    "400": _error("The message is at fault.", "BadRequestError", "parse_mode: must be one of HTML, MarkdownV2"),
    "401": _error("No token.", "UnauthorizedError", "the Authorization header has no API token"),
    "403": _error(
        "A token that is not valid, or a raw chat_id.",
        "ForbiddenError",
        "the API token in the Authorization header is not valid",
    ),
    "404": _error("Nothing is known of it.", "NotFoundError", "no message is kept under this id"),
    "409": _error(
        "The id is being sent right now.",
        "ConflictError",
        "id: a message with this id is being sent right now",
        **_RETRY_AFTER,
    ),
    "413": _either_error(
        f"Over {MAX_BODY_BYTES:,} bytes; API Gateway answers by itself from 10 MB on.",
        "PayloadTooLargeError",
        f"body: at most {MAX_BODY_BYTES:,} bytes are taken",
    ),
    "415": _error("Compressed, or of another type.", "UnsupportedMediaType", "Unsupported media type: text/xml"),
    "422": _error(
        "The id is another message's.",
        "UnprocessableEntityError",
        "id: names another message already: a new message needs a new id",
    ),
    "502": _either_error(
        "Telegram refused it for good. Without a Code: Botte failed, send it again.",
        "BadGatewayError",
        "Telegram refused the message: 403 Forbidden: bot was blocked by the user",
    ),
    "503": _error(
        "Nothing was accepted: send it again.",
        "ServiceUnavailableError",
        "nothing was accepted: Telegram cannot be reached",
        **_RETRY_AFTER,
    ),
}
_BY_GATEWAY: Mapping[str, Json] = {
    "429": _gateway_error("Too many at once.", "Too Many Requests"),
    "500": _either_error("Botte failed: send it again.", "InternalServerError", "An internal server error occurred."),
    "502": _gateway_error("Botte failed: send it again.", "Internal server error"),
    "504": _gateway_error("Botte took too long: send it again.", "Endpoint request timed out"),
}
_BEAT = {"heartbeat": "nightly", "due_at": 1735689600}
_SENT: Mapping[str, Json] = {
    "200": {
        "description": "Delivered; or, of a heartbeat, when the next one is due.",
        "content": _json(
            {"anyOf": [_ref("Delivered"), _ref("Beat")]},
            example={
                "message_id": 42,
                "from": {"id": 1234567890, "is_bot": True, "first_name": "Botte", "username": "botte_bot"},
                "chat": {"id": 12345678, "first_name": "You", "type": "private"},
                "date": 1735689600,
                "text": "Backup done",
            },
        ),
    },
    "202": {
        "description": "Kept, as it has to wait: for Telegram, or for its time. It will be delivered.",
        "content": _json(_ref("Accepted"), example={"status": "accepted", "id": "34sVCw69dftbK1MSWtRkv6T8vGp"}),
        "headers": {"Location": _header("Where its state is, below the server's address.", pattern="^/message/")},
        "links": {"state": {"operationId": "getMessage", "parameters": {"id": "$response.body#/id"}}},
    },
    **_BY_GATEWAY,
    **_errors("400", "401", "403", "409", "413", "415", "422", "502", "503"),
}
_SECURITY_SCHEMES = {
    "token": _api_key("header", "Authorization", "The API token alone."),
    "bearer": {"type": "http", "scheme": "bearer", "description": "The API token."},
    "basic": {"type": "http", "scheme": "basic", "description": "Any name; the password is the API token."},
    "hookToken": _api_key("query", "token", "A hook token. It may be in the place of an API token, too."),
    "gitlabToken": _api_key("header", "X-Gitlab-Token", "A hook token."),
    "gotifyKey": _api_key("header", "X-Gotify-Key", "A hook token."),
    "githubSignature": _api_key(
        "header", "X-Hub-Signature-256", "sha256= and the HMAC-SHA256 of the body, with a hook token as its key."
    ),
    "sentrySignature": _api_key(
        "header", "Sentry-Hook-Signature", "The HMAC-SHA256 of the body, with a hook token as its key."
    ),
    "webhookSecret": _api_key("header", "X-Telegram-Bot-Api-Secret-Token", "The webhook secret."),
}

_EXAMPLES = {
    "words": {"value": {"text": "Backup done", "sender_app": "backup"}},
    "markup": {
        "value": {
            "text": "<b>Disk</b> 91 % full",
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
            "reply_markup": {"inline_keyboard": [[{"text": "Graph", "url": "https://example.org/disk"}]]},
        }
    },
    "photo": {"value": {"photo": "https://example.org/disk.png", "text": "The disk, this week"}},
    "live": {"value": {"text": "Disk 91 % full", "collapse_key": "disk-db1", "ack": True, "escalate_after": 600}},
    "heartbeat": {"value": {"heartbeat": "nightly", "every": "26h"}},
}
_FORM = {"schema": _ref("Form"), "example": {"text": "Backup done", "disable_notification": True}}
_POST_MESSAGE: Json = {
    "operationId": "postMessage",
    "summary": "Send a message",
    "description": "The body is the message in JSON, which may be called a form, as curl does by itself; or a form; "
    "or, as text/plain, the words alone. It is UTF-8, or in the charset that the type of a text or a form names, and "
    "not compressed. Any field may be in the query instead, as in a form, and with all of them there the body may be "
    "empty; a name that is no field is an error.",
    "parameters": [
        _parameter("header", "Idempotency-Key", FIELDS["id"], "The id of the message."),
        *_query("sender_app", "chat", "parse_mode", "disable_notification", "protect_content"),
        *_query("message_thread_id", "deliver_at", "collapse_key", "renotify", "ack", "escalate_after", "urgent"),
    ],
    "requestBody": {
        "required": True,
        "content": {
            **_json(_ref("Message"), examples=_EXAMPLES),
            FORM: _FORM,
            MULTIPART: _FORM,
            TEXT: {"schema": WORDS, "example": "Backup done"},
        },
    },
    "responses": _SENT,
}
_GET_MESSAGE: Json = {
    "operationId": "getMessage",
    "summary": "What became of a message that was kept, or that had an id",
    "parameters": [_parameter("path", "id", {**STRING, "minLength": 1}, "As it was given, or as the 202 tells it.")],
    "responses": {
        "200": {
            "description": "It is known.",
            "content": _json(
                _ref("Status"),
                example={
                    "id": "34sVCw69dftbK1MSWtRkv6T8vGp",
                    "status": "PENDING",
                    "attempts": 1,
                    "message_ids": [],
                    "last_error": "Telegram cannot be reached",
                    "due_at": 1735689600.5,
                },
            ),
        },
        **_BY_GATEWAY,
        **_errors("401", "403", "404", "415", "503"),
    },
}
_POST_HEARTBEAT: Json = {
    "operationId": "postHeartbeat",
    "summary": "Say that something is alive, and when it says so again",
    "description": "If it does not come again in time, one message says so, and one more, an edit of the first, when "
    "it is back. The same as a message with a heartbeat; there is no body.",
    "parameters": [
        _field("path", "heartbeat", "name"),
        _field("query", "every", required=True),
        *_query("chat", "sender_app"),
    ],
    "responses": {
        "200": {"description": "It is noted.", "content": _json(_ref("Beat"), example=_BEAT)},
        **_BY_GATEWAY,
        "413": _gateway_error("From 10 MB on.", "Request Too Long"),
        **_errors("400", "401", "403", "415", "503"),
    },
}
_ANY: Json = {"type": ["object", "array", "string", "number", "boolean"]}
_POST_HOOK: Json = {
    "operationId": "postHook",
    "summary": "Whatever another tool sends, recognised by its shape or shown as it is",
    "description": "Refused are only a body that shows nothing, a chat that is not configured, and a raw chat_id; an "
    "option that cannot be read is left out. Any field may be in the query; other names there are ignored.",
    "security": [{name: []} for name in _SECURITY_SCHEMES if name != "webhookSecret"],
    "parameters": [
        _parameter("path", "name", {**STRING, "minLength": 1}, "Who sends: the label in the logs."),
        _parameter("header", "Idempotency-Key", STRING, "The id of the message, if it can be one."),
        _parameter("header", "X-Amz-Sns-Message-Id", STRING, "SNS's: its id is made of it."),
        *_query("chat", "disable_notification", "protect_content", "message_thread_id", "deliver_at"),
        *_query("collapse_key", "renotify", "ack", "escalate_after", "urgent"),
    ],
    "requestBody": {
        "required": True,
        "content": {
            **_json(_ANY, example={"order": 4711, "reason": "no stock"}),
            "application/cloudevents+json": {"schema": _ANY, "example": {"type": "order", "data": {"order": 4711}}},
            FORM: {"schema": object_of({}), "example": {"order": "4711"}},
            MULTIPART: {"schema": object_of({}), "example": {"order": "4711"}},
            TEXT: {"schema": STRING, "example": "Backup done"},
        },
    },
    "responses": {
        **_SENT,
        "401": _error("No token.", "UnauthorizedError", "neither the Authorization header nor ?token= has a token"),
        "403": _error(
            "A token or a signature that is not valid, or a raw chat_id.",
            "ForbiddenError",
            "the token, or the signature, is not valid",
        ),
    },
}
_POST_UPDATE: Json = {
    "operationId": "postUpdate",
    "summary": "For Telegram: an update of the bot",
    "security": [{"webhookSecret": []}],
    "requestBody": {
        "description": "Telegram's Update: https://core.telegram.org/bots/api#update; anything else is ignored.",
        "content": _json(
            {},
            example={"update_id": 1, "message": {"message_id": 7, "chat": {"id": 12345678}, "text": "/status"}},
        ),
    },
    "responses": {
        "200": {"description": "Handled, or of no concern.", "content": _json(object_of({}), example={})},
        "401": _error("No secret.", "UnauthorizedError", "the webhook secret is missing"),
        "403": _error("A secret that is not valid.", "ForbiddenError", "the webhook secret is not valid"),
        **_BY_GATEWAY,
        "413": _gateway_error("From 10 MB on.", "Request Too Long"),
        "415": _error("No JSON.", "UnsupportedMediaType", "Unsupported media type: text/xml"),
        **_errors("503"),
    },
}
