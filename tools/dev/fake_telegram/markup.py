"""What the two markup parsers share: the entity, the parse error, UTF-16 lengths.

Rules and error texts follow Telegram's own parser (https://core.telegram.org/bots/api#formatting-options).
"""

from __future__ import annotations

from dataclasses import dataclass


class ParseError(ValueError):
    """Markup that Telegram refuses. `description` is what follows "Bad Request: can't parse entities: "."""

    def __init__(self, description: str) -> None:
        super().__init__(description)
        self.description = description


@dataclass(frozen=True)
class Entity:
    """A formatted span of a text. `offset` and `length` count UTF-16 code units."""

    type: str
    offset: int
    length: int
    url: str | None = None
    language: str | None = None
    custom_emoji_id: str | None = None
    user_id: int | None = None
    unix_time: int | None = None
    date_time_format: str | None = None

    @property
    def end(self) -> int:
        return self.offset + self.length


# Outer entities come first where two begin and end together.
_PRIORITY = {
    "blockquote": 0,
    "expandable_blockquote": 0,
    "pre": 10,
    "code": 20,
    "text_link": 49,
    "text_mention": 49,
    "bold": 90,
    "italic": 91,
    "underline": 92,
    "strikethrough": 93,
    "spoiler": 94,
    "custom_emoji": 99,
    "date_time": 99,
}


def in_order(entities: list[Entity]) -> list[Entity]:
    """Entities as Telegram lists them: by offset, the longer first, then by kind."""
    return sorted(entities, key=lambda entity: (entity.offset, -entity.length, _PRIORITY.get(entity.type, 50)))


def utf16_length(text: str) -> int:
    """The length of a text in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def utf16_width(utf8_byte: int) -> int:
    """How many UTF-16 units the character that begins with this UTF-8 byte takes; 0 for a continuation byte."""
    if utf8_byte & 0xC0 == 0x80:
        return 0
    return 2 if utf8_byte >= 0xF0 else 1
