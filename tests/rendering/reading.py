"""What a reader gets: parts as the fake Telegram parses them, held against the text they were made of."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from chalicelib.telegram.rendering import Part
from tools.dev.fake_telegram import html_markup, markdown_markup
from tools.dev.fake_telegram.markup import Entity, utf16_length

_PARSERS = {"HTML": html_markup.parse, "MarkdownV2": markdown_markup.parse}

# Formatting of one character: kinds of entity, each with its link, language, emoji or time.
Look = frozenset[tuple[object, ...]]


def read(text: str, parse_mode: str | None) -> tuple[str, list[Entity]]:
    """The words and entities of a text. Raises ParseError where Telegram would refuse it."""
    return (text, []) if parse_mode is None else _PARSERS[parse_mode](text)


def looks(words: str, entities: Iterable[Entity]) -> list[tuple[str, Look]]:
    """Each character with its formatting."""
    found: list[set[tuple[object, ...]]] = [set() for _ in range(utf16_length(words))]
    for entity in entities:
        look = (entity.type, entity.url, entity.language, entity.custom_emoji_id, entity.unix_time)
        for offset in range(entity.offset, entity.end):
            found[offset].add(look)
    result = []
    offset = 0
    for character in words:
        result.append((character, frozenset(found[offset])))
        offset += utf16_length(character)
    return result


def visible(text: list[tuple[str, Look]]) -> list[tuple[str, Look]]:
    return [pair for pair in text if not pair[0].isspace()]


def shows_something(words: str) -> bool:
    return any(not c.isspace() and unicodedata.category(c) not in ("Cc", "Cf", "Zl", "Zp", "Zs") for c in words)


def fields(part: Part, name: str) -> str:
    value = part.fields[name]
    assert isinstance(value, str)
    return value


def mode(part: Part) -> str | None:
    value = part.fields.get("parse_mode")
    assert value is None or isinstance(value, str)
    return value
