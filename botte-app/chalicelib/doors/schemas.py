"""What the HTTP door takes and answers, as JSON Schema: https://json-schema.org/draft/2020-12. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..contract.message import (
    HEARTBEAT_FIELDS,
    MAX_BUTTON_CHARACTERS,
    MAX_BUTTONS,
    MAX_CHAT_CHARACTERS,
    MAX_ESCALATE_AFTER_SECONDS,
    MAX_EVERY_SECONDS,
    MAX_HEARTBEAT_CHARACTERS,
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
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return {**schema, "type": [*types, "null"]}


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
_COUNT: Json = {"type": "integer", "minimum": 1}
_VISIBLE = "^[!-~]{{1,{}}}$"
_BUTTON = object_of(
    {"text": {**WORDS, "maxLength": MAX_BUTTON_CHARACTERS}, "url": _URL},
    additionalProperties=False,
)
_SENDER_APP: Json = {
    "description": f"Who sends, for logs, mutes, topics; cut to {MAX_SENDER_APP_CHARACTERS} characters, never refused.",
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
        "pattern": _VISIBLE.format(MAX_ID_CHARACTERS),
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
        **_COUNT,
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
    "collapse_key": {
        **STRING,
        "pattern": _VISIBLE.format(MAX_ID_CHARACTERS),
        "description": "Names a live message: the next one with this key edits the one in the chat.",
        "examples": ["disk-db1"],
    },
    "renotify": {
        **_FLAG,
        "description": "With collapse_key: a new message with a sound, as a reply to the old one, instead of an edit; "
        "not with disable_notification.",
    },
    "ack": {
        **_FLAG,
        "description": "With collapse_key: buttons below the message, to acknowledge it, or to snooze it for an hour.",
    },
    "escalate_after": {
        **_COUNT,
        "maximum": MAX_ESCALATE_AFTER_SECONDS,
        "description": "With ack: in so many seconds it is sent again, with a sound, unless it was acknowledged; "
        "without a decimal point.",
    },
    "urgent": {
        **_FLAG,
        "description": "With a sound also in the quiet hours of its chat, and while its sender is muted; not with "
        "disable_notification.",
    },
    "heartbeat": {
        **STRING,
        "pattern": _VISIBLE.format(MAX_HEARTBEAT_CHARACTERS),
        "description": f"In place of words, with every: the name of what is alive. Beside them it takes "
        f"{' and '.join(HEARTBEAT_FIELDS[2:])} alone.",
        "examples": ["nightly"],
    },
    "every": {
        **_COUNT,
        "type": ["integer", "string"],
        "maximum": MAX_EVERY_SECONDS,
        "pattern": r"^\s*[0-9]{1,9}\s*[SsMmHhDd]?\s*$",
        "description": "With heartbeat: in so many seconds the next one comes, or the chat is told. Also a text such "
        "as 45s, 90m, 26h or 2d; at most 366 days.",
        "examples": ["26h"],
    },
}


def _rules(*, absent: Json | bool, off: Json) -> Json:
    """What the fields of a message ask of each other. absent, off: the schemas of a field, and of a flag, not given."""

    def given(**fields: Json) -> Json:
        return {"required": [*fields], "properties": fields}

    def none_of(*names: str) -> Json:
        return {"properties": dict.fromkeys(names, absent)}

    def without(*flags: str) -> Json:
        return {"properties": dict.fromkeys(flags, off)}

    key, on, beat = given(collapse_key=STRING), {"const": True}, none_of(*HEARTBEAT_FIELDS[:2])
    others = none_of(*(name for name in FIELDS if name not in HEARTBEAT_FIELDS))
    return {
        "anyOf": [
            *({"allOf": [given(**{name: STRING}), beat]} for name in ("text", "photo", "document")),
            {"allOf": [given(heartbeat=STRING, every={"type": FIELDS["every"]["type"]}), others]},
        ],
        "allOf": [
            {"anyOf": [none_of("photo"), none_of("document")]},
            {"anyOf": [without("renotify"), key]},
            {"anyOf": [without("ack"), key]},
            {"anyOf": [none_of("escalate_after"), given(ack=on)]},
            {"anyOf": [without("renotify", "urgent"), without("disable_notification")]},
        ],
    }


MESSAGE = object_of(
    {name: _or_null(field) for name, field in FIELDS.items()} | {"sender_app": _SENDER_APP},
    (),
    additionalProperties=False,
    description=f"At most {MAX_MESSAGE_BYTES:,} bytes, as JSON in which a line break or a quote takes two.",
    **_rules(absent={"type": "null"}, off={"enum": [False, None]}),
)
FORM = object_of(
    {name: _in_form(field) for name, field in FIELDS.items()},
    (),
    additionalProperties=False,
    description="The fields of a message. 1 and 0 are true and false, too.",
    **_rules(absent=False, off={"const": False}),
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
BEAT = object_of(
    {
        "heartbeat": STRING,
        "due_at": {"type": "number", "description": "When the next one is due at the latest, in epoch seconds."},
    }
)
ACCEPTED = object_of({"status": {"const": "accepted"}, "id": STRING})
STATUS = object_of(
    {
        "id": STRING,
        "status": {"enum": ["PENDING", "SENDING", "SENT", "FAILED"]},
        "attempts": {"type": "integer", "minimum": 0},
        "message_ids": {"type": "array", "items": {"type": "integer"}},
        "last_error": {
            "type": ["string", "null"],
            "description": "Why it was not sent, or not at once; of a message that is SENT, as a later one with its "
            "collapse_key took its place before it was shown, that it is superseded.",
        },
        "due_at": {"type": ["number", "null"], "description": "When it is due, in epoch seconds."},
    }
)
ERROR = object_of({"Code": STRING, "Message": STRING})
GATEWAY_ERROR = object_of({"message": STRING}, description="What API Gateway answers by itself.")
