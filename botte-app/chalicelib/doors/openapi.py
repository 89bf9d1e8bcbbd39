"""The HTTP door in OpenAPI 3.1: https://spec.openapis.org/oas/v3.1.1. Pure; few read it, so it is imported late."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..contract.message import (
    MAX_BODY_BYTES,
    MAX_BUTTON_CHARACTERS,
    MAX_BUTTONS,
    MAX_CHAT_CHARACTERS,
    MAX_ID_CHARACTERS,
    MAX_SENDER_APP_CHARACTERS,
    MAX_THREAD_ID,
    MAX_URL_CHARACTERS,
    PARSE_MODES,
)

Json = dict[str, Any]


def document(version: str) -> Json:
    """The whole document. version: of Botte."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Botte",
            "version": version,
            "description": "Delivers messages to its owner's Telegram chat. Accepted means delivered.",
        },
        "servers": [{"url": ".", "description": "Where this document is."}],
        "security": [{"token": []}, {"bearer": []}, {"basic": []}],
        "paths": {
            "/message": {"post": _POST_MESSAGE},
            "/message/{id}": {"get": _GET_MESSAGE},
            "/hook/{name}": {"post": _POST_HOOK},
            "/telegram-webhook": {"post": _POST_UPDATE},
            "/health": {"get": _open("health", "Whether it is there", {"status": {"const": "ok"}})},
            "/version": {"get": _open("version", "The version of Botte", {"version": {"type": "string"}})},
            "/openapi.json": {"get": _open("openapi", "This document", {"openapi": {"type": "string"}})},
        },
        "components": {
            "securitySchemes": {
                "token": _api_key("header", "Authorization", "The API token alone."),
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic", "description": "Any name; the password is the token."},
                "hookToken": _api_key("query", "token", "A hook token, which opens /hook only."),
                "gitlabToken": _api_key("header", "X-Gitlab-Token", "A hook token."),
                "githubSignature": _api_key(
                    "header", "X-Hub-Signature-256", "sha256= and the HMAC of the body, with a hook token as its key."
                ),
                "sentrySignature": _api_key(
                    "header", "Sentry-Hook-Signature", "The HMAC-SHA256 of the body, with a hook token as its key."
                ),
                "webhookSecret": _api_key("header", "X-Telegram-Bot-Api-Secret-Token", "The webhook secret."),
            },
            "schemas": {
                "Message": _MESSAGE,
                "Form": _FORM,
                "Delivered": _DELIVERED,
                "Accepted": _ACCEPTED,
                "Status": _STATUS,
                "Error": _ERROR,
            },
        },
    }


def _api_key(place: str, name: str, description: str) -> Json:
    return {"type": "apiKey", "in": place, "name": name, "description": description}


def _object(properties: Mapping[str, Json], required: tuple[str, ...] | None = None, **more: object) -> Json:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [*(properties if required is None else required)],
        **more,
    }


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: Json, **more: object) -> Json:
    return {"application/json": {"schema": schema, **more}}


def _error(description: str, code: str, message: str, **headers: str) -> Json:
    shown = {"Code": code, "Message": message}
    answer: Json = {"description": description, "content": _json(_ref("Error"), example=shown)}
    if headers:
        answer["headers"] = {
            name.replace("_", "-"): {"description": said, "required": True, "schema": {"type": "string"}}
            for name, said in headers.items()
        }
    return answer


def _open(name: str, summary: str, properties: Mapping[str, Json]) -> Json:
    """An operation that needs no token."""
    answer = {"description": summary, "content": _json(_object(properties))}
    return {"operationId": name, "summary": summary, "security": [], "responses": {"200": answer}}


_BUTTON = _object(
    {
        "text": {"type": "string", "minLength": 1, "maxLength": MAX_BUTTON_CHARACTERS},
        "url": {"type": "string", "maxLength": MAX_URL_CHARACTERS, "pattern": "^https?://[^ @]+$"},
    },
    additionalProperties=False,
)
_MEDIA: Json = {"type": ["string", "null"], "maxLength": MAX_URL_CHARACTERS, "pattern": "^https://[^ @]+$"}
_FLAG: Json = {"type": ["boolean", "null"]}
_PROPERTIES: Mapping[str, Json] = {
    "text": {
        "type": ["string", "null"],
        "description": "The words, at most 256 KiB. Longer than 4096 they are split, longer than ten parts a file. "
        "May be left out with a photo or a document.",
        "examples": ["Backup done"],
    },
    "sender_app": {
        "description": f"Who sends, for the logs; cut to {MAX_SENDER_APP_CHARACTERS} characters, and never refused.",
        "examples": ["backup"],
    },
    "id": {
        "type": ["string", "null"],
        "pattern": f"^[!-~]{{1,{MAX_ID_CHARACTERS}}}$",
        "description": "Idempotency key: the same id is delivered once.",
    },
    "chat": {
        "type": ["string", "null"],
        "minLength": 1,
        "maxLength": MAX_CHAT_CHARACTERS,
        "description": "The name of a configured chat.",
        "default": "default",
    },
    "parse_mode": {
        "type": ["string", "null"],
        "pattern": "^(?i:" + "|".join(PARSE_MODES) + ")$",
        "description": f"{' or '.join(PARSE_MODES)}, in any case. Markup that Telegram refuses goes as plain text.",
        "examples": list(PARSE_MODES),
    },
    "disable_notification": {**_FLAG, "description": "No sound."},
    "protect_content": {**_FLAG, "description": "Neither forwarded nor saved."},
    "message_thread_id": {"type": ["integer", "null"], "minimum": 1, "maximum": MAX_THREAD_ID},
    "link_preview_options": {
        "type": ["object", "null"],
        "properties": {
            "is_disabled": {"type": "boolean"},
            "url": _BUTTON["properties"]["url"],
            "prefer_small_media": {"type": "boolean"},
            "prefer_large_media": {"type": "boolean"},
            "show_above_text": {"type": "boolean"},
        },
        "additionalProperties": False,
    },
    "reply_markup": {
        "type": ["object", "null"],
        "properties": {
            "inline_keyboard": {
                "type": "array",
                "minItems": 1,
                "description": f"Rows of buttons, {MAX_BUTTONS} in all.",
                "items": {"type": "array", "minItems": 1, "items": _BUTTON},
            }
        },
        "required": ["inline_keyboard"],
        "additionalProperties": False,
    },
    "photo": {**_MEDIA, "description": "A public https URL, for Telegram to fetch; the text is its caption."},
    "document": {**_MEDIA, "description": "As photo; not both."},
    "deliver_at": {
        "type": ["integer", "null"],
        "minimum": 0,
        "description": "Not before this time, in epoch seconds, at most 30 days ahead.",
    },
}
_MESSAGE = _object(
    _PROPERTIES,
    (),
    additionalProperties=False,
    anyOf=[{"required": [name], "properties": {name: {"type": "string"}}} for name in ("text", "photo", "document")],
    examples=[{"text": "Backup done", "sender_app": "backup"}],
)
_TEXT: Json = {"type": "string"}
_IN_FORM: Mapping[str, Json] = {
    "boolean": {"enum": ["true", "false", "1", "0"]},
    "integer": {"type": "string", "pattern": "^[0-9]{1,18}$"},
    "object": {"type": "string", "contentMediaType": "application/json"},
}
_FORM = _object(
    {name: _IN_FORM.get(each.get("type", [""])[0], _TEXT) for name, each in _PROPERTIES.items()},
    (),
    additionalProperties=False,
    anyOf=[{"required": [name]} for name in ("text", "photo", "document")],
    description="The fields of a message, as texts.",
    examples=[{"text": "Backup done", "disable_notification": "true"}],
)
_DELIVERED = _object(
    {
        "message_id": {"type": "integer", "minimum": 1},
        "message_ids": {"type": "array", "items": {"type": "integer"}, "description": "Where the text was split."},
        "botte": _object(
            {"mended": {"type": "array", "items": {"type": "string"}, "description": "The fields that were changed."}}
        ),
    },
    ("message_id",),
    description="Telegram's Message, as it came: https://core.telegram.org/bots/api#message",
    examples=[{"message_id": 42, "date": 1795803911, "chat": {"id": 12345678, "type": "private"}, "text": "Hello"}],
)
_ACCEPTED = _object({"status": {"const": "accepted"}, "id": {"type": "string"}})
_STATUS = _object(
    {
        "id": {"type": "string"},
        "status": {"enum": ["PENDING", "SENDING", "SENT", "FAILED"]},
        "attempts": {"type": "integer", "minimum": 0},
        "message_ids": {"type": "array", "items": {"type": "integer"}},
        "last_error": {"type": ["string", "null"]},
        "due_at": {"type": ["number", "null"], "description": "When it is due, in epoch seconds."},
    }
)
_ERROR = _object({"Code": {"type": "string"}, "Message": {"type": "string"}})

_SENT: Json = {
    "200": {"description": "Delivered.", "content": _json(_ref("Delivered"))},
    "202": {
        "description": "Kept, as Telegram cannot take it now; it will be delivered.",
        "content": _json(_ref("Accepted"), example={"status": "accepted", "id": "34sVCw69dftbK1MSWtRkv6T8vGp"}),
        "headers": {"Location": {"required": True, "schema": {"type": "string", "pattern": "^/message/"}}},
    },
    "400": _error("The message is at fault.", "BadRequestError", "parse_mode: must be one of HTML, MarkdownV2"),
    "401": _error("No token.", "UnauthorizedError", "the Authorization header has no API token"),
    "403": _error("A token that is not valid, or a raw chat_id.", "ForbiddenError", "the API token is not valid"),
    "409": _error(
        "The id is being sent right now.",
        "ConflictError",
        "id: a message with this id is being sent right now",
        Retry_After="seconds",
    ),
    "413": _error(f"Over {MAX_BODY_BYTES:,} bytes.", "PayloadTooLargeError", "body: at most 262,144 bytes are taken"),
    "415": _error("Compressed, or of another type.", "UnsupportedMediaType", "Unsupported media type: text/xml"),
    "422": _error("The id is another message's.", "UnprocessableEntityError", "id: names another message already"),
    "502": _error("Telegram refused it for good.", "BadGatewayError", "Telegram refused the message: 403 Forbidden"),
    "503": _error(
        "Nothing was accepted: send it again.",
        "ServiceUnavailableError",
        "nothing was accepted: Telegram cannot be reached",
        Retry_After="seconds",
    ),
}
_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The id of the message.",
    "schema": {"type": "string", "pattern": f"^[!-~]{{1,{MAX_ID_CHARACTERS}}}$"},
}
_POST_MESSAGE: Json = {
    "operationId": "postMessage",
    "summary": "Send a message",
    "description": "The fields are JSON, or a form. With text/plain the body is the text. Fields may be in the query.",
    "parameters": [_KEY],
    "requestBody": {
        "required": True,
        "content": {
            **_json(_ref("Message")),
            "application/x-www-form-urlencoded": {"schema": _ref("Form")},
            "multipart/form-data": {"schema": _ref("Form")},
            "text/plain": {"schema": {"type": "string", "minLength": 1}, "example": "Backup done"},
        },
    },
    "responses": _SENT,
}
_GET_MESSAGE: Json = {
    "operationId": "getMessage",
    "summary": "What became of a message that was kept, or that had an id",
    "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}],
    "responses": {
        "200": {"description": "It is known.", "content": _json(_ref("Status"))},
        "401": _SENT["401"],
        "403": _SENT["403"],
        "404": _error("It is not.", "NotFoundError", "no message is kept under this id"),
        "503": _SENT["503"],
    },
}
_POST_HOOK: Json = {
    "operationId": "postHook",
    "summary": "Whatever another tool sends, recognised by its shape or shown as it is",
    "security": [
        {name: []}
        for name in ("token", "bearer", "basic", "hookToken", "gitlabToken", "githubSignature", "sentrySignature")
    ],
    "parameters": [
        {
            "name": "name",
            "in": "path",
            "required": True,
            "description": "Who sends: the label in the logs.",
            "schema": {"type": "string", "minLength": 1},
        },
        _KEY,
        {
            "name": "chat",
            "in": "query",
            "description": "As any field of a message.",
            "schema": {"type": "string", "minLength": 1, "maxLength": MAX_CHAT_CHARACTERS},
        },
    ],
    "requestBody": {
        "required": True,
        "content": {
            **_json({}, example={"order": 4711, "reason": "no stock"}),
            "application/x-www-form-urlencoded": {"schema": {"type": "object"}},
            "multipart/form-data": {"schema": {"type": "object"}},
            "text/plain": {"schema": {"type": "string"}},
            "application/cloudevents+json": {"schema": {}},
        },
    },
    "responses": _SENT,
}
_POST_UPDATE: Json = {
    "operationId": "postUpdate",
    "summary": "For Telegram: an update of the bot",
    "security": [{"webhookSecret": []}],
    "requestBody": {"required": True, "content": _json({"type": "object"})},
    "responses": {
        "200": {"description": "Handled, or of no concern.", "content": _json({"type": "object"})},
        **{status: _SENT[status] for status in ("401", "403", "415", "503")},
    },
}
