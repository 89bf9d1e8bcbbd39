"""From the text of a request to the text of a message: parsed, cleaned, trimmed, with entities that fit.

The steps and limits are those of Telegram's server: https://core.telegram.org/bots/api#formatting-options.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tools.dev.fake_telegram import html_markup, markdown_markup
from tools.dev.fake_telegram.answers import bad_request
from tools.dev.fake_telegram.entities import fit_together
from tools.dev.fake_telegram.markup import Entity, ParseError, utf16_length

TEXT_LIMIT = 4096  # UTF-16 units, after parsing
CAPTION_LIMIT = 1024  # UTF-16 units, after parsing
MARKUP_LIMIT = 32768  # UTF-8 bytes, before parsing
ENTITY_LIMIT = 100  # the rest is ignored

_PARSERS = {"html": html_markup.parse, "markdownv2": markdown_markup.parse}
_DROPPED = frozenset("\r\u0333\u033f\u030a") | {chr(code) for code in range(0x2028, 0x202F)}
_REPEATED_DIRECTION_MARK = re.compile("[\u200e\u200f](?=[\u200e\u200f])")
_INVISIBLE = re.compile(
    "[\\s\u00a0\u1680\u180e\u2000-\u200f\u202e\u202f\u205f-\u2064\u2800\u3000\ufeff\ufffc\U000e0100-\U000e01ff]*"
)


@dataclass(frozen=True)
class FormattedText:
    """Plain words and their entities."""

    text: str
    entities: tuple[Entity, ...] = ()

    @property
    def length(self) -> int:
        """In UTF-16 units."""
        return utf16_length(self.text)


def formatted_text(markup: str, parse_mode: str = "", entities: str = "") -> FormattedText:
    """The text of a message as Telegram keeps it; empty when nothing visible is left.

    `entities` is the JSON array of the request, used where there is no parse mode. Raises ApiError.
    """
    if len(markup.encode()) > MARKUP_LIMIT:
        raise bad_request("text is too long")
    plain, found = _parsed(markup, parse_mode.lower(), entities)
    plain, found = _cleaned(plain, [entity for entity in found if entity.length > 0])
    plain, found = _trimmed(plain, fit_together(found))
    if _INVISIBLE.fullmatch(plain):
        return FormattedText("")
    return FormattedText(plain, tuple(found[:ENTITY_LIMIT]))


def _parsed(markup: str, parse_mode: str, entities: str) -> tuple[str, list[Entity]]:
    if not markup or parse_mode in ("", "none"):
        return markup, _given_entities(entities)
    parser = _PARSERS.get(parse_mode)
    if parser is None:
        raise bad_request("unsupported parse_mode")
    try:
        return parser(markup)
    except ParseError as error:
        raise bad_request(f"can't parse entities: {error.description}") from None


def _given_entities(entities: str) -> list[Entity]:
    try:
        given = json.loads(entities or "[]")
    except ValueError:
        return []
    if not isinstance(given, list):
        return []
    return [_given_entity(entity) for entity in given]


def _given_entity(given: object) -> Entity:
    if not isinstance(given, Mapping):
        raise bad_request("can't parse MessageEntity: expected an Object")
    for field in ("offset", "length"):
        if not isinstance(given.get(field), int):
            raise bad_request(f"can't parse MessageEntity: can't find field \"{field}\"")
        if given[field] < 0:
            raise bad_request(f"receive an entity with incorrect {field} {given[field]}")
    if not isinstance(given.get("type"), str):
        raise bad_request("can't parse MessageEntity: can't find field \"type\"")
    user = given.get("user")
    return Entity(
        type=given["type"],
        offset=given["offset"],
        length=given["length"],
        url=given.get("url"),
        language=given.get("language"),
        custom_emoji_id=given.get("custom_emoji_id"),
        user_id=user.get("id") if isinstance(user, Mapping) else None,
    )


def _cleaned(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Control characters become spaces, some characters go; entities move along."""
    kept: list[str] = []
    new_offset = [0]  # by old UTF-16 offset
    for character in text:
        if character not in _DROPPED:
            kept.append(" " if character < " " and character != "\n" else character)
        end = new_offset[-1] + (0 if character in _DROPPED else utf16_length(character))
        new_offset.extend([end] * utf16_length(character))
    size = len(new_offset) - 1
    moved = []
    for entity in entities:
        if entity.end > size:
            raise bad_request(
                f"entity beginning at UTF-16 offset {entity.offset} ends after the end of the text "
                f"at UTF-16 offset {entity.end}"
            )
        begin, end = new_offset[entity.offset], new_offset[entity.end]
        if end > begin:
            moved.append(replace(entity, offset=begin, length=end - begin))
    return _REPEATED_DIRECTION_MARK.sub("\u200c", "".join(kept)), moved


def _trimmed(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """White space goes from both ends; an entity at the beginning keeps what it covers."""
    text = text.rstrip(" \n")
    size = utf16_length(text)
    entities = [
        replace(entity, length=min(entity.end, size) - entity.offset) for entity in entities if entity.offset < size
    ]
    lead = len(text) - len(text.lstrip(" \n"))
    lead = min([lead, *(entity.offset for entity in entities)])
    return text[lead:], [replace(entity, offset=entity.offset - lead) for entity in entities]
