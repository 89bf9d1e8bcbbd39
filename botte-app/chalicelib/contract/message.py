"""The message: one contract for every door.

Pure: no network, no clock, no environment. A :class:`Message` is checked when it is made, so an invalid one
cannot exist.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlsplit

MAX_SENDER_APP_CHARACTERS = 64
MAX_ID_CHARACTERS = 255
MAX_CHAT_CHARACTERS = 64
MAX_URL_CHARACTERS = 2048
MAX_BUTTONS = 100
MAX_BUTTON_CHARACTERS = 256
MAX_DELIVER_AT_SECONDS = 30 * 24 * 3600
MAX_ESCALATE_AFTER_SECONDS = 24 * 3600
MAX_HEARTBEAT_CHARACTERS = 64
MAX_EVERY_SECONDS = 366 * 24 * 3600
MAX_BODY_BYTES = 256 * 1024
MAX_TEXT_BYTES = MAX_BODY_BYTES
MAX_MESSAGE_BYTES = 352 * 1024  # as JSON: a line break takes two bytes there, and a row of DynamoDB has 400 KB
MAX_THREAD_ID = 2**53 - 1
MAX_JSON_DEPTH = 256
BYTE_ORDER_MARK = "\ufeff"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
PARSE_MODES = ("HTML", "MarkdownV2")  # in any case
HEARTBEAT_FIELDS = ("heartbeat", "every", "chat", "sender_app")

# Escape sequences of a terminal, such as those of colours. https://ecma-international.org/publications-and-standards/standards/ecma-48
_ESCAPE_SEQUENCES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])")
_LINE_BREAKS = re.compile("\r\n|[\r\x0b\x0c]")
_REMOVED = re.compile("[\x00-\x08\x0e-\x1f\ufeff]")
_NONCHARACTERS = "\ufdd0-\ufdef" + "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
_REPLACED = re.compile(f"[\ud800-\udfff{_NONCHARACTERS}]")
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")
_DURATION = re.compile(r"([0-9]{1,9})\s*([smhd]?)", re.IGNORECASE)
_UNIT_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 24 * 3600}
_NUMERIC_LABEL = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_PRIVATE_SUFFIXES = (".localhost", ".localdomain", ".local", ".internal", ".lan", ".home.arpa")


class InvalidMessage(ValueError):
    """The message cannot be accepted as it is; the sender has to change it.

    ``field`` names the field at fault (``body`` where it is not one field), ``reason`` says what is wrong with it.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message, valid and cleaned.

    The names that pass through to Telegram are the Bot API's own (https://core.telegram.org/bots/api#sendmessage).

    text: at most 256 KiB of UTF-8 after cleaning; may be left out with a ``photo`` or a ``document``.
    sender_app: who sends: for the logs, mutes and topics; cut to 64 characters, and never refused.
    id: idempotency key, 1 to 255 visible ASCII characters: the same id is delivered once.
    chat: the name of a configured chat, never a raw chat id.
    parse_mode: ``HTML`` or ``MarkdownV2``, in any case.
    message_thread_id: the topic in a forum, a positive integer.
    link_preview_options, reply_markup: as in the Bot API; buttons carry a ``url``.
    photo, document: public https URL, at most 2048 characters, for Telegram to fetch.
    deliver_at: not before this time, in epoch seconds; see :meth:`from_fields` for its upper bound.
    collapse_key: names a live message, 1 to 255 visible ASCII characters: the next one with this key edits it.
    renotify: with ``collapse_key``: a new message with a sound, as a reply to the old one, instead of an edit.
    ack: with ``collapse_key``: buttons to acknowledge the message, or to snooze it for an hour.
    escalate_after: with ``ack``: how many seconds later it is sent again with a sound, unless it was acknowledged.
    urgent: with a sound also in the quiet hours of its chat, and while its sender is muted.
    heartbeat: instead of words: the name of what is alive, 1 to 64 visible ASCII characters.
    every: with ``heartbeat``: in so many seconds the next one comes, or the chat is told; also a text such as ``26h``.

    Raises InvalidMessage, which names the field.
    """

    text: str | None = None
    sender_app: str | None = None
    id: str | None = None
    chat: str = "default"
    parse_mode: str | None = None
    disable_notification: bool | None = None
    protect_content: bool | None = None
    message_thread_id: int | None = None
    link_preview_options: Mapping[str, object] | None = None
    reply_markup: Mapping[str, object] | None = None
    photo: str | None = None
    document: str | None = None
    deliver_at: int | None = None
    collapse_key: str | None = None
    renotify: bool | None = None
    ack: bool | None = None
    escalate_after: int | None = None
    urgent: bool | None = None
    heartbeat: str | None = None
    every: int | None = None

    def __post_init__(self) -> None:
        for name in FIELDS:
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, check_field(name, value))
        misfit = find_misfit(self.to_fields())
        if misfit is not None:
            raise misfit
        if self.heartbeat is not None and self.every is None:
            raise InvalidMessage("every", "is required with a heartbeat: when the next one comes at the latest")
        if self.text is None and self.photo is None and self.document is None and self.heartbeat is None:
            raise InvalidMessage("text", "is required, unless a photo or a document is given")

    @classmethod
    def from_fields(cls, given: object, *, now: float, ignore_unknown: bool = False) -> Message:
        """The message that a JSON object (already parsed) stands for.

        now: epoch seconds; ``deliver_at`` may be at most 30 days later. A field that is null counts as left out.
        ignore_unknown: leave out fields that the contract does not know, instead of refusing the message.
        A raw ``chat_id`` is refused in any case: ignoring it would send the words to another chat.
        Raises InvalidMessage.
        """
        if not isinstance(given, Mapping):
            raise InvalidMessage("body", f"must be a JSON object, not {_kind(given)}")
        if given.get(FORBIDDEN_FIELD) is not None:
            raise InvalidMessage(FORBIDDEN_FIELD, "raw chat ids are not taken; name a configured chat in 'chat'")
        unknown = [name for name in given if name not in (*FIELDS, FORBIDDEN_FIELD)]
        if unknown and not ignore_unknown:
            raise InvalidMessage(_shown(unknown[0]), f"unknown field; the fields are {', '.join(FIELDS)}")
        message = cls(**{name: value for name, value in given.items() if name in FIELDS and value is not None})
        if message.deliver_at is not None:
            check_ahead(message.deliver_at, now)
        if len(json.dumps(message.to_fields(), ensure_ascii=False).encode()) > MAX_MESSAGE_BYTES:
            reason = f"must be at most {MAX_MESSAGE_BYTES:,} bytes as JSON, where a line break or a quote takes two"
            raise InvalidMessage("body", reason)
        return message

    def to_fields(self) -> dict[str, object]:
        """The JSON object that stands for this message: only the fields that were given."""
        given = {name: getattr(self, name) for name in FIELDS}
        return {name: value for name, value in given.items() if value is not None and (name, value) != _DEFAULT_CHAT}


FIELDS = tuple(field.name for field in fields(Message))
FORBIDDEN_FIELD = "chat_id"
_DEFAULT_CHAT = ("chat", "default")


def parse_json(body: bytes | str, *, max_bytes: int = MAX_BODY_BYTES) -> object:
    """The value of a JSON text, read strictly (RFC 8259, and no key twice, no number beyond a float's range).

    UTF-8, with or without a byte order mark; nested at most 256 levels deep, whatever Python can bear.
    Raises InvalidMessage for the field ``body``.
    """
    check_size(body, max_bytes)
    try:
        text = (body if isinstance(body, str) else body.decode("utf-8")).removeprefix(BYTE_ORDER_MARK)
    except UnicodeDecodeError:
        raise InvalidMessage("body", "is not UTF-8") from None
    if not text.strip(" \t\r\n"):
        raise InvalidMessage("body", "is empty")
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite)
    except InvalidMessage:
        raise
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        reason = _json_fault(error) if isinstance(error, json.JSONDecodeError) else "bad number"
        raise InvalidMessage("body", f"is not JSON: {reason}") from None
    if _is_deeper(value, MAX_JSON_DEPTH):
        raise _too_deep()
    return value


def check_size(body: bytes | str, max_bytes: int = MAX_BODY_BYTES) -> None:
    """Raises InvalidMessage for a body that is too large, in UTF-8."""
    if len(body) > max_bytes or (isinstance(body, str) and len(body.encode("utf-8", "replace")) > max_bytes):
        raise InvalidMessage("body", f"must be at most {max_bytes:,} bytes")


def clean(text: str) -> str:
    """The text fit to be shown.

    Carriage returns, vertical tabs and form feeds become line breaks; escape sequences of a terminal, NUL, the other C0
    controls (but tab) and byte order marks go; lone surrogates and noncharacters become U+FFFD.
    """
    return _clean_characters(_ESCAPE_SEQUENCES.sub("", text))


def has_words(text: str) -> bool:
    """Whether a text shows anything, once it is cleaned. Lone surrogates do not: they stand for no character."""
    return any(map(_is_visible, text))


def is_id(text: str) -> bool:
    """Whether a text can be a message's ``id``."""
    return len(text) <= MAX_ID_CHARACTERS and _VISIBLE_ASCII.fullmatch(text) is not None


def check_field(name: str, value: object) -> Any:
    """The value of a field, as a message keeps it. Raises InvalidMessage."""
    return _CHECKS[name](name, value)


def find_misfit(fields: Mapping[str, object]) -> InvalidMessage | None:
    """What is wrong with the first field that makes no sense beside the others, or without one that is not there."""
    for name in fields if "heartbeat" in fields else ():
        if name not in HEARTBEAT_FIELDS:
            return InvalidMessage(name, f"a heartbeat has no {name}; it takes {', '.join(HEARTBEAT_FIELDS[1:])}")
    if "photo" in fields and "document" in fields:
        return InvalidMessage("document", "give a photo or a document, not both")
    for name, (needed, why) in _NEEDS.items():
        if fields.get(name) not in (None, False) and fields.get(needed) in (None, False):
            return InvalidMessage(name, f"makes sense only with {needed}: {why}")
    for name in ("renotify", "urgent"):
        if fields.get(name) and fields.get("disable_notification"):
            return InvalidMessage(name, "contradicts disable_notification, which asks for no sound")
    return None


def parse_duration(name: str, text: str) -> int:
    """The seconds that a text such as ``600``, ``45s``, ``90m``, ``26h``, ``2d`` stands for. Raises InvalidMessage."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise InvalidMessage(name, "must be a number of seconds, or a text such as 45s, 90m, 26h or 2d")
    return int(found[1]) * _UNIT_SECONDS[found[2].lower()]


def check_ahead(deliver_at: int, now: float) -> None:
    """Raises InvalidMessage for a time that is too far ahead. Both are in epoch seconds."""
    if deliver_at > now + MAX_DELIVER_AT_SECONDS:
        raise InvalidMessage("deliver_at", "must be at most 30 days ahead, in epoch seconds")


def _clean_characters(text: str) -> str:
    if text.isprintable():  # then it has none of these; most texts of one line are
        return text
    return _REPLACED.sub(REPLACEMENT, _REMOVED.sub("", _LINE_BREAKS.sub("\n", text)))


def _is_deeper(value: object, depth: int) -> bool:
    """Whether lists and objects are nested more deeply than that."""
    level = [value] if isinstance(value, (dict, list)) else []
    while level and depth:
        depth -= 1
        inner = [each for outer in level for each in (outer.values() if isinstance(outer, dict) else outer)]
        level = [each for each in inner if isinstance(each, (dict, list))]
    return bool(level)


def _too_deep() -> InvalidMessage:
    return InvalidMessage("body", "is nested too deeply")


def _json_fault(error: json.JSONDecodeError) -> str:
    if error.msg.startswith("Invalid control character"):
        return f"a line break or a control character in a string, at character {error.pos}; write a line break as \\n"
    return f"{error.msg.removesuffix(' at')} at character {error.pos}"


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise InvalidMessage(_shown(twice), "is given twice")
    return result


def _refuse_constant(constant: str) -> object:
    raise InvalidMessage("body", f"is not JSON: {constant} is not a JSON number")


def _finite(number: str) -> float:
    value = float(number)
    if value in (float("inf"), float("-inf")):
        raise InvalidMessage("body", "is not JSON: a number is out of range")
    return value


def _kind(value: object) -> str:
    kinds = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list"}
    return kinds.get(type(value), "an object" if isinstance(value, Mapping) else "something else")


def _shown(name: object) -> str:
    """A caller's field name, fit to be shown in an error or a log line."""
    shown = "".join(char if char.isprintable() else "?" for char in str(name))
    return shown if len(shown) <= 64 else shown[:63] + "…"


def _string(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidMessage(name, f"must be a string, not {_kind(value)}")
    return value


def _boolean(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidMessage(name, f"must be true or false, not {_kind(value)}")
    return value


def _integer(name: str, value: object, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidMessage(name, f"must be an integer, not {_kind(value)}")
    if not low <= value <= high:
        raise InvalidMessage(name, f"must be from {low} to {high}")
    return value


def _object(name: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise InvalidMessage(name, f"must be an object, not {_kind(value)}")
    return value


def _text(name: str, value: object) -> str:
    given = _string(name, value)
    if not has_words(given):
        raise InvalidMessage(name, "has nothing to show")
    text = clean(given)
    if not has_words(text):
        text = _clean_characters(given)  # of nothing but escape sequences: their codes are what there is
    size = len(text.encode())
    if size > MAX_TEXT_BYTES:
        raise InvalidMessage(name, f"has {size:,} bytes; at most {MAX_TEXT_BYTES:,} are taken")
    return text


def _is_visible(char: str) -> bool:
    # Whitespace, zero-width and other format characters show nothing. https://www.unicode.org/reports/tr44/
    return not char.isspace() and unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp", "Zs")


def _sender_app(_name: str, value: object) -> str | None:
    given = value if isinstance(value, str) else str(value)
    # It goes into log lines: no line breaks, no control or format characters.
    shown = "".join(char if char.isprintable() else " " for char in clean(given[:MAX_BODY_BYTES])).strip()
    return shown[:MAX_SENDER_APP_CHARACTERS].strip() or None


def _id(name: str, value: object) -> str:
    given = _string(name, value)
    if not is_id(given):
        raise InvalidMessage(name, f"must be 1 to {MAX_ID_CHARACTERS} visible ASCII characters, without spaces")
    return given


def _chat(name: str, value: object) -> str:
    given = _string(name, value)
    if not 1 <= len(given) <= MAX_CHAT_CHARACTERS or not given.isprintable():
        raise InvalidMessage(name, f"must be the name of a chat, 1 to {MAX_CHAT_CHARACTERS} printable characters")
    return given


def _parse_mode(name: str, value: object) -> str:
    for mode in PARSE_MODES:
        if isinstance(value, str) and value.lower() == mode.lower():
            return mode
    raise InvalidMessage(name, f"must be one of {', '.join(PARSE_MODES)}")


def _thread(name: str, value: object) -> int:
    return _integer(name, value, 1, MAX_THREAD_ID)


def _deliver_at(name: str, value: object) -> int:
    return _integer(name, value, 0, 2**53 - 1)


def _escalate_after(name: str, value: object) -> int:
    return _integer(name, value, 1, MAX_ESCALATE_AFTER_SECONDS)


def _heartbeat(name: str, value: object) -> str:
    given = _string(name, value)
    if len(given) > MAX_HEARTBEAT_CHARACTERS or not _VISIBLE_ASCII.fullmatch(given):
        raise InvalidMessage(name, f"must be 1 to {MAX_HEARTBEAT_CHARACTERS} visible ASCII characters, without spaces")
    return given


def _every(name: str, value: object) -> int:
    seconds = parse_duration(name, value) if isinstance(value, str) else value
    return _integer(name, seconds, 1, MAX_EVERY_SECONDS)


def check_url(name: str, value: object, schemes: tuple[str, ...] = ("https", "http")) -> str:
    """The address, as it is, of one of the schemes, with a host, and no user name in it. Raises InvalidMessage."""
    url = _string(name, value)
    if len(url) > MAX_URL_CHARACTERS:
        raise InvalidMessage(name, f"must be at most {MAX_URL_CHARACTERS} characters")
    if not url.isprintable() or " " in url or "\\" in url or _REPLACED.search(url):
        raise InvalidMessage(name, "must be a URL, without spaces, controls or backslashes")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise InvalidMessage(name, "is not a URL") from None
    if parts.scheme not in schemes or not parts.netloc:
        raise InvalidMessage(
            name, f"must be a URL that starts with {' or '.join(f'{scheme}://' for scheme in schemes)}"
        )
    if "@" in parts.netloc:
        raise InvalidMessage(name, "must not carry a user name or a password")
    return url


def _media_url(name: str, value: object) -> str:
    url = check_url(name, value, ("https",))
    host = (urlsplit(url).hostname or "").rstrip(".")
    if not _is_public(host):
        raise InvalidMessage(name, "must be on a public host: Telegram fetches it, from the Internet")
    return url


def _is_public(host: str) -> bool:
    import ipaddress

    try:
        # As a resolver would look it up: a full-width digit or dot is one like any other.
        host = host.encode("idna").decode()
        address = ipaddress.ip_address(host)
    except UnicodeError:
        return False
    except ValueError:
        pass
    else:
        # Of IPv6 only what is routed on the Internet, and none that carries an IPv4 address in it.
        # https://www.iana.org/assignments/ipv6-address-space
        if isinstance(address, ipaddress.IPv6Address) and (
            address not in ipaddress.ip_network("2000::/3") or address.sixtofour or address.teredo
        ):
            return False
        return address.is_global and not address.is_multicast
    labels = host.split(".")
    # A last label of digits makes the whole an IPv4 address in some spelling: 127.1, 0x7f.1, 2130706433.
    # https://url.spec.whatwg.org/#ends-in-a-number-checker
    if len(labels) < 2 or not all(labels) or "%" in host or _NUMERIC_LABEL.fullmatch(labels[-1]):
        return False
    return not host.endswith(_PRIVATE_SUFFIXES)


def _link_preview_options(name: str, value: object) -> dict[str, object]:
    return _shape(name, value, _LINK_PREVIEW_OPTIONS)


def _reply_markup(name: str, value: object) -> dict[str, object]:
    return _shape(name, value, {"inline_keyboard": _keyboard}, required=("inline_keyboard",))


def _keyboard(name: str, value: object) -> list[list[dict[str, object]]]:
    if not isinstance(value, list) or not all(isinstance(row, list) for row in value):
        raise InvalidMessage(name, "must be a list of rows, each a list of buttons")
    rows = [
        [_shape(f"{name}[{r}][{b}]", x, _BUTTON, tuple(_BUTTON)) for b, x in enumerate(row)]
        for r, row in enumerate(value)
    ]
    if not 1 <= sum(map(len, rows)) <= MAX_BUTTONS:
        raise InvalidMessage(name, f"must have 1 to {MAX_BUTTONS} buttons")
    return rows


def _button_text(name: str, value: object) -> str:
    text = _text(name, value)
    if len(text) > MAX_BUTTON_CHARACTERS:
        raise InvalidMessage(name, f"must be at most {MAX_BUTTON_CHARACTERS} characters")
    return text


def _shape(
    name: str, value: object, checks: Mapping[str, Callable[[str, object], object]], required: tuple[str, ...] = ()
) -> dict[str, object]:
    given = _object(name, value)
    for key in given:
        if key not in checks:
            raise InvalidMessage(f"{name}.{_shown(key)}", f"unknown field; the fields are {', '.join(checks)}")
    for key in required:
        if key not in given:
            raise InvalidMessage(f"{name}.{key}", "is required")
    return {key: checks[key](f"{name}.{key}", item) for key, item in given.items()}


_BUTTON: Mapping[str, Callable[[str, object], object]] = {"text": _button_text, "url": check_url}

_LINK_PREVIEW_OPTIONS: Mapping[str, Callable[[str, object], object]] = {
    "is_disabled": _boolean,
    "url": check_url,
    "prefer_small_media": _boolean,
    "prefer_large_media": _boolean,
    "show_above_text": _boolean,
}

_CHECKS: Mapping[str, Callable[[str, object], object]] = {
    "text": _text,
    "sender_app": _sender_app,
    "id": _id,
    "chat": _chat,
    "parse_mode": _parse_mode,
    "disable_notification": _boolean,
    "protect_content": _boolean,
    "message_thread_id": _thread,
    "link_preview_options": _link_preview_options,
    "reply_markup": _reply_markup,
    "photo": _media_url,
    "document": _media_url,
    "deliver_at": _deliver_at,
    "collapse_key": _id,
    "renotify": _boolean,
    "ack": _boolean,
    "escalate_after": _escalate_after,
    "urgent": _boolean,
    "heartbeat": _heartbeat,
    "every": _every,
}

# What makes no sense without another field, and why.
_NEEDS = {
    "renotify": ("collapse_key", "it says how the message of a key is renewed"),
    "ack": ("collapse_key", "what is acknowledged is the message of a key"),
    "escalate_after": ("ack", "what nobody can acknowledge would always be sent again"),
    "every": ("heartbeat", "it says when the next one comes"),
}
