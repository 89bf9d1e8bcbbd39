"""Telegram's MarkdownV2 parse mode (https://core.telegram.org/bots/api#markdownv2-style).

`parse` works on UTF-8 bytes because Telegram's error messages count bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from tools.dev.fake_telegram.links import LinkError, checked_link, custom_emoji_id, linked_date_time, linked_user_id
from tools.dev.fake_telegram.markup import Entity, ParseError, in_order, utf16_width

_RESERVED = b"_*[]()~`>#+-=|{}.!\n"
_SPACE = b" \t\r\n\0\v"
_END = 0  # what stands after the last byte
_MARKERS = {
    "bold": b"*",
    "italic": b"_",
    "underline": b"__",
    "strikethrough": b"~",
    "spoiler": b"||",
    "code": b"`",
    "pre": b"```",
    "text_link": b"]",
    "custom_emoji": b"]",
}
# The names that Telegram's error messages give to the entities.
_ERROR_NAMES = {
    "bold": "Bold",
    "italic": "Italic",
    "underline": "Underline",
    "strikethrough": "Strikethrough",
    "spoiler": "Spoiler",
    "code": "Code",
    "pre": "Pre",
    "text_link": "TextUrl",
    "custom_emoji": "CustomEmoji",
    "blockquote": "BlockQuote",
}


@dataclass(frozen=True)
class _OpenEntity:
    type: str
    offset: int  # UTF-16 units of plain text before it
    byte_offset: int  # bytes of markup before it
    begin: int  # bytes of plain text before it
    language: str | None = None

    @property
    def error(self) -> ParseError:
        name = "PreCode" if self.language else _ERROR_NAMES[self.type]
        return ParseError(f"Can't find end of {name} entity at byte offset {self.byte_offset}")


def parse(text: str) -> tuple[str, list[Entity]]:
    """The plain words of a MarkdownV2 text, and its entities in order.

    Raises ParseError.
    """
    return _Parser(text.encode()).run()


class _Parser:
    def __init__(self, text: bytes) -> None:
        self.text = text
        self.position = 0
        self.plain = bytearray()
        self.offset = 0
        self.open: list[_OpenEntity] = []
        self.entities: list[Entity] = []
        self.in_blockquote = False
        self.at_line_start = True

    def run(self) -> tuple[str, list[Entity]]:
        while self.position < len(self.text):
            byte = self.at(0)
            if self.is_escape():
                self.position += 1
                self.literal(self.at(0))
            elif byte not in self.reserved():
                self.literal(byte)
            elif self.is_end_of_open():
                self.end_entity()
            elif byte == ord("\n"):
                self.literal(byte)
            else:
                self.begin_entity()
        self.end_blockquote_at_end_of_text()
        if self.open:
            raise self.open[-1].error
        return self.plain.decode(), in_order(self.entities)

    def at(self, ahead: int) -> int:
        """The byte at a distance, _END past the last one."""
        position = self.position + ahead
        return self.text[position] if position < len(self.text) else _END

    def sees(self, marker: bytes) -> bool:
        return self.text.startswith(marker, self.position)

    def is_escape(self) -> bool:
        return self.at(0) == ord("\\") and 0 < self.at(1) <= 126

    def reserved(self) -> bytes:
        return b"`" if self.open and self.open[-1].type in ("code", "pre") else _RESERVED

    def literal(self, byte: int) -> None:
        self.plain.append(byte)
        width = utf16_width(byte)
        self.offset += width
        self.position += 1
        if width and byte != ord("\r"):
            self.at_line_start = byte == ord("\n")

    def is_end_of_open(self) -> bool:
        if not self.open:
            return False
        if self.in_blockquote and self.at(0) == ord("\n") and self.at(1) != ord(">"):
            return True
        kind = self.open[-1].type
        if kind == "italic":
            return self.sees(b"_") and not self.sees(b"__")
        return kind in _MARKERS and self.sees(_MARKERS[kind])

    def begin_entity(self) -> None:
        begin = self.position
        language: str | None = None
        if self.sees(b"```"):
            kind, language = "pre", self.begin_pre()
        elif self.sees(b"!["):
            kind = "custom_emoji"
            self.position += 2
        elif self.sees(b"["):
            kind = "text_link"
            self.position += 1
        elif self.sees(b">") and self.at_line_start:
            self.position += 1
            if self.in_blockquote:
                return
            kind = "blockquote"
            self.in_blockquote = True
        else:
            kind = self.simple_kind()
            self.position += len(_MARKERS[kind])
        self.open.append(_OpenEntity(kind, self.offset, begin, len(self.plain), language))

    def simple_kind(self) -> str:
        for kind in ("underline", "italic", "bold", "strikethrough", "spoiler", "code"):
            if self.sees(_MARKERS[kind]):
                return kind
        character = chr(self.at(0))
        raise ParseError(f"Character '{character}' is reserved and must be escaped with the preceding '\\'")

    def begin_pre(self) -> str | None:
        """Passes over the three backticks, the language and one line break; returns the language."""
        self.position += 3
        begin = end = self.position
        while end < len(self.text) and self.text[end] not in _SPACE + b"`":
            end += 1
        language: str | None = None
        if begin != end < len(self.text) and self.text[end] != ord("`"):
            language = self.text[begin:end].decode(errors="replace")
            self.position = end
        if self.at(0) in b"\r\n":
            self.position += 2 if self.at(1) in b"\r\n" and self.at(0) != self.at(1) else 1
        return language

    def end_entity(self) -> None:
        if self.at(0) == ord("\n"):
            self.end_blockquote()
            return
        entity = self.open.pop()
        self.position += len(_MARKERS[entity.type])
        url: str | None = None
        language = entity.language
        user_id: int | None = None
        emoji: Entity | None = None
        keep = self.offset > entity.offset
        if entity.type == "text_link":
            url, user_id = self.link_target(self.plain[entity.begin :].decode(errors="replace"))
            keep = keep and (url is not None or user_id is not None)
        elif entity.type == "custom_emoji":
            emoji = self.emoji_or_time(entity.offset)
        if keep:
            kind = "text_mention" if user_id is not None else entity.type
            made = Entity(kind, entity.offset, self.offset - entity.offset, url, language, user_id=user_id)
            self.entities.append(emoji or made)

    def link_target(self, words: str) -> tuple[str | None, int | None]:
        """The link after "[words]", or the words themselves as a link: (url, user id)."""
        url = self.parenthesised_url() if self.at(0) == ord("(") else words
        user_id = linked_user_id(url)
        if user_id is not None:
            return None, user_id
        try:
            return checked_link(url), None
        except LinkError:
            return None, None  # Telegram keeps the words and drops the link.

    def emoji_or_time(self, offset: int) -> Entity:
        if self.at(0) != ord("("):
            raise ParseError("The entity must contain a tg://emoji or tg://time URL")
        url, length = self.parenthesised_url(), self.offset - offset
        if (emoji_id := custom_emoji_id(url)) is not None:
            return Entity("custom_emoji", offset, length, custom_emoji_id=emoji_id)
        if (time := linked_date_time(url)) is not None:
            return Entity("date_time", offset, length, unix_time=time[0], date_time_format=time[1])
        raise ParseError("Invalid tg://emoji or tg://time URL specified")

    def parenthesised_url(self) -> str:
        self.position += 1
        begin = self.position
        url = bytearray()
        while self.at(0) not in (ord(")"), _END):
            if self.is_escape():
                self.position += 1
            url.append(self.at(0))
            self.position += 1
        if self.at(0) != ord(")"):
            raise ParseError(f"Can't find end of a URL at byte offset {begin}")
        self.position += 1
        return url.decode(errors="replace")

    def end_blockquote(self) -> None:
        """Ends a quotation at its last line break; "||" just before it makes the quotation expandable."""
        kind = self.expandable_or_plain(len(b"||"))
        quote = self.open.pop()
        if quote.type != "blockquote":
            raise quote.error
        self.in_blockquote = False
        self.literal(ord("\n"))
        self.entities.append(Entity(kind, quote.offset, self.offset - quote.offset))

    def end_blockquote_at_end_of_text(self) -> None:
        if not self.in_blockquote:
            return
        kind = self.expandable_or_plain(len(b"||"))
        if self.open[-1].type == "blockquote":
            quote = self.open.pop()
            if self.offset > quote.offset:
                self.entities.append(Entity(kind, quote.offset, self.offset - quote.offset))

    def expandable_or_plain(self, width: int) -> str:
        """The kind of the quotation that ends here; takes a spoiler mark that was opened just before off the stack."""
        begins = {self.position - width}
        if self.plain.endswith(b"\r"):
            begins.add(self.position - width - 1)
        if self.open[-1].type == "spoiler" and self.open[-1].byte_offset in begins:
            self.open.pop()
            return "expandable_blockquote"
        return "blockquote"
