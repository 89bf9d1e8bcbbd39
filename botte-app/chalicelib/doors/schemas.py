"""What the HTTP door takes and answers, as JSON Schema: https://json-schema.org/draft/2020-12. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..contract.message import (
    MAX_BUTTON_CHARACTERS,
    MAX_BUTTONS,
    MAX_CHAT_CHARACTERS,
    MAX_ID_CHARACTERS,
    MAX_MESSAGE_BYTES,
    MAX_SENDER_APP_CHARACTERS,
    MAX_TEXT_BYTES,
    MAX_THREAD_ID,
    MAX_URL_CHARACTERS,
    PARSE_MODES,
)

Json = dict[str, Any]

STRING: Json = {"type": "string"}
WORDS: Json = {"type": "string", "pattern": r"\S"}


def object_of(properties: Mapping[str, Json], required: tuple[str, ...] | None = None, **more: object) -> Json:
    """The schema of an object. required: the names that may not be left out; all, if it is not given."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [*(properties if required is None else required)],
        **more,
    }


def _or_null(schema: Json) -> Json:
    return {**schema, "type": [schema["type"], "null"]}


def _in_form(schema: Json) -> Json:
    """An object is a text there, of JSON."""
    if schema["type"] != "object":
        return schema
    return {**STRING, "contentMediaType": "application/json", "contentSchema": schema}


def _any_case(*words: str) -> str:
    """A pattern for words in any case; the patterns of JSON Schema have no flag for it."""
    spelled = (
        "".join(f"[{char.upper()}{char.lower()}]" if char.isalpha() else char for char in word) for word in words
    )
    return f"^({'|'.join(spelled)})$"


_AFTER_SCHEME = r"://[^\s/?#@\\]+([/?#][^\s\\]*)?$"
_URL: Json = {**STRING, "maxLength": MAX_URL_CHARACTERS, "pattern": "^[Hh][Tt][Tt][Pp][Ss]?" + _AFTER_SCHEME}
_MEDIA: Json = {**_URL, "pattern": "^[Hh][Tt][Tt][Pp][Ss]" + _AFTER_SCHEME}
_FLAG: Json = {"type": "boolean"}
_BUTTON = object_of(
    {"text": {**WORDS, "maxLength": MAX_BUTTON_CHARACTERS}, "url": _URL},
    additionalProperties=False,
)
_SENDER_APP: Json = {
    "description": f"Who sends, for the logs; cut to {MAX_SENDER_APP_CHARACTERS} characters, and never refused.",
    "examples": ["backup"],
}
# In JSON each may be null, too, and a sender_app anything.
FIELDS: Mapping[str, Json] = {
    "text": {
        **WORDS,
        "description": f"The words, at most {MAX_TEXT_BYTES:,} bytes; something of them shows. Longer than 4096 they "
        "are split, longer than ten parts a file. May be left out with a photo or a document.",
        "examples": ["Backup done"],
    },
    "sender_app": {**STRING, **_SENDER_APP},
    "id": {
        **STRING,
        "pattern": f"^[!-~]{{1,{MAX_ID_CHARACTERS}}}$",
        "description": "Idempotency key: the same id is delivered once.",
    },
    "chat": {
        **STRING,
        "minLength": 1,
        "maxLength": MAX_CHAT_CHARACTERS,
        "description": "The name of a configured chat.",
        "default": "default",
    },
    "parse_mode": {
        **STRING,
        "pattern": _any_case(*PARSE_MODES),
        "description": f"{' or '.join(PARSE_MODES)}, in any case. Markup that Telegram refuses goes as plain text.",
        "examples": [*PARSE_MODES],
    },
    "disable_notification": {**_FLAG, "description": "No sound."},
    "protect_content": {**_FLAG, "description": "Neither forwarded nor saved."},
    "message_thread_id": {
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_THREAD_ID,
        "description": "The topic of a forum; without a decimal point.",
    },
    "link_preview_options": object_of(
        {
            "is_disabled": _FLAG,
            "url": _URL,
            "prefer_small_media": _FLAG,
            "prefer_large_media": _FLAG,
            "show_above_text": _FLAG,
        },
        (),
        additionalProperties=False,
        description="As in the Bot API: https://core.telegram.org/bots/api#linkpreviewoptions",
    ),
    "reply_markup": object_of(
        {
            "inline_keyboard": {
                "type": "array",
                "items": {"type": "array", "items": _BUTTON, "maxItems": MAX_BUTTONS},
                "contains": {"type": "array", "minItems": 1},
            }
        },
        additionalProperties=False,
        description=f"Rows of buttons below the words, at most {MAX_BUTTONS} buttons in all.",
    ),
    "photo": {
        **_MEDIA,
        "description": "An https URL on a public host, for Telegram to fetch; the text is its caption.",
    },
    "document": {**_MEDIA, "description": "As photo; not both."},
    "deliver_at": {
        "type": "integer",
        "minimum": 0,
        "description": "Not before this time, in epoch seconds, at most 30 days ahead; without a decimal point.",
    },
}
_ONE_OF_THEM = ("text", "photo", "document")

MESSAGE = object_of(
    {name: _or_null(field) for name, field in FIELDS.items()} | {"sender_app": _SENDER_APP},
    (),
    additionalProperties=False,
    description=f"At most {MAX_MESSAGE_BYTES:,} bytes, as JSON in which a line break or a quote takes two.",
    anyOf=[{"required": [name], "properties": {name: STRING}} for name in _ONE_OF_THEM],
    **{"not": {"required": ["photo", "document"], "properties": {"photo": STRING, "document": STRING}}},
)
FORM = object_of(
    {name: _in_form(field) for name, field in FIELDS.items()},
    (),
    additionalProperties=False,
    description="The fields of a message. 1 and 0 are true and false, too.",
    anyOf=[{"required": [name]} for name in _ONE_OF_THEM],
    **{"not": {"required": ["photo", "document"]}},
)
DELIVERED = object_of(
    {
        "message_id": {"type": "integer", "minimum": 1},
        "message_ids": {"type": "array", "items": {"type": "integer"}, "description": "Where the text was split."},
        "botte": object_of(
            {"mended": {"type": "array", "items": STRING, "description": "The fields that were changed."}},
        ),
    },
    ("message_id",),
    description="Telegram's Message, as it came: https://core.telegram.org/bots/api#message",
)
ACCEPTED = object_of({"status": {"const": "accepted"}, "id": STRING})
STATUS = object_of(
    {
        "id": STRING,
        "status": {"enum": ["PENDING", "SENDING", "SENT", "FAILED"]},
        "attempts": {"type": "integer", "minimum": 0},
        "message_ids": {"type": "array", "items": {"type": "integer"}},
        "last_error": {"type": ["string", "null"]},
        "due_at": {"type": ["number", "null"], "description": "When it is due, in epoch seconds."},
    }
)
ERROR = object_of({"Code": STRING, "Message": STRING})
GATEWAY_ERROR = object_of({"message": STRING}, description="What API Gateway answers by itself.")
