"""Telegram's HTML parse mode (https://core.telegram.org/bots/api#html-style).

`parse` works on UTF-8 bytes because Telegram's error messages count bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from tools.dev.fake_telegram.links import LinkError, checked_link, date_time, is_identifier, linked_user_id
from tools.dev.fake_telegram.markup import Entity, ParseError, in_order, utf16_width

_SIMPLE_TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
}
_TAGS = frozenset(_SIMPLE_TAGS) | {"a", "pre", "code", "blockquote", "tg-emoji", "tg-time"}
_REFERENCE = re.compile(rb"&(?:#x([0-9a-fA-F]*)|#([0-9]*)|([a-zA-Z]*))")
_NAMED_CHARACTERS = {b"lt": b"<", b"gt": b">", b"amp": b"&", b"quot": b'"'}
_SPACE = b" \t\r\n\0\v"
_END = 0  # what stands after the last byte
_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGITS = b"0123456789"


@dataclass(frozen=True)
class _OpenTag:
    name: str
    argument: str
    format: str  # of a time
    offset: int  # UTF-16 units of plain text before the tag
    begin: int  # bytes of plain text before the tag


def parse(text: str) -> tuple[str, list[Entity]]:
    """The plain words of an HTML text, and its entities in order.

    Raises ParseError.
    """
    return _Parser(text.encode()).run()


class _Parser:
    def __init__(self, text: bytes) -> None:
        self.text = text
        self.position = 0
        self.plain = bytearray()
        self.offset = 0
        self.open_tags: list[_OpenTag] = []
        self.entities: list[Entity] = []

    def run(self) -> tuple[str, list[Entity]]:
        while self.position < len(self.text):
            byte = self.at(0)
            if byte == ord("&"):
                self.character_reference()
            elif byte != ord("<"):
                self.emit(bytes([byte]))
                self.position += 1
            elif self.at(1) == ord("/"):
                self.end_tag()
            else:
                self.start_tag()
        if self.open_tags:
            raise ParseError(f'Can\'t find end tag corresponding to start tag "{self.open_tags[-1].name}"')
        # A language belongs to <pre><code class="language-...">; a lone <code> keeps none.
        entities = [replace(entity, language=None) if entity.type == "code" else entity for entity in self.entities]
        try:
            return self.plain.decode(), in_order(entities)
        except UnicodeDecodeError:
            raise ParseError(
                "Text contains invalid Unicode characters after decoding HTML entities, check for unmatched "
                "surrogate code units"
            ) from None

    def at(self, ahead: int) -> int:
        """The byte at a distance, _END past the last one."""
        return _byte(self.text, self.position + ahead)

    def emit(self, piece: bytes) -> None:
        self.plain += piece
        self.offset += sum(map(utf16_width, piece))

    def skip(self, stop: bytes) -> bytes:
        """Passes over bytes until one of `stop`, and returns them."""
        begin = self.position
        while self.at(0) not in stop:
            self.position += 1
        return self.text[begin : self.position]

    def skip_space(self) -> None:
        while self.at(0) != _END and self.at(0) in _SPACE:
            self.position += 1

    def character_reference(self) -> None:
        character, self.position = _decode_reference(self.text, self.position)
        self.emit(character)

    def start_tag(self) -> None:
        begin = self.position
        self.position += 1
        name = self.skip(_SPACE + b">").decode(errors="replace").lower()
        if self.at(0) == _END:
            raise ParseError(f"Unclosed start tag at byte offset {begin}")
        if name not in _TAGS:
            raise ParseError(f'Unsupported start tag "{name}" at byte offset {begin}')
        argument = format = ""
        while True:
            self.skip_space()
            if self.at(0) == ord(">"):
                break
            attribute, value = self.attribute(name, begin)
            argument = _argument(name, attribute, value) or argument
            if (name, attribute) == ("tg-time", "format"):
                format = value or ""
        self.position += 1
        if name == "span" and argument != "spoiler":
            raise ParseError(f'Tag "span" must have class "tg-spoiler" at byte offset {begin}')
        self.open_tags.append(_OpenTag(name, argument, format, self.offset, len(self.plain)))

    def attribute(self, tag: str, tag_begin: int) -> tuple[str, str | None]:
        """The next attribute's name and value; the value is None where there is no equals sign."""
        name = self.skip(_SPACE + b"=>/\"'").decode(errors="replace")
        if not name:
            raise ParseError(f'Empty attribute name in the tag "{tag}" at byte offset {tag_begin}')
        self.skip_space()
        if self.at(0) == ord("="):
            self.position += 1
            self.skip_space()
        elif self.at(0) != _END:
            return name, None
        if self.at(0) == _END:
            raise ParseError(f'Unclosed start tag "{tag}" at byte offset {tag_begin}')
        value = self.quoted_value() if self.at(0) in b"\"'" else self.name_token()
        if self.at(0) == _END:
            raise ParseError(f"Unclosed start tag at byte offset {tag_begin}")
        return name, value

    def name_token(self) -> str:
        begin = self.position
        while self.at(0) in _LETTERS + _DIGITS + b".-":
            self.position += 1
        if self.at(0) not in _SPACE + b">":
            raise ParseError(f"Unexpected end of name token at byte offset {begin}")
        return self.text[begin : self.position].decode().lower()

    def quoted_value(self) -> str:
        quote = self.at(0)
        self.position += 1
        value = bytearray()
        while self.at(0) not in (quote, _END):
            if self.at(0) == ord("&"):
                character, self.position = _decode_reference(self.text, self.position)
                value += character
            else:
                value.append(self.at(0))
                self.position += 1
        if self.at(0) == quote:
            self.position += 1
        return value.decode(errors="replace")

    def end_tag(self) -> None:
        begin = self.position
        if not self.open_tags:
            raise ParseError(f"Unexpected end tag at byte offset {begin}")
        self.position += 2
        name = self.skip(_SPACE + b">").decode(errors="replace").lower()
        self.skip_space()
        if self.at(0) != ord(">"):
            raise ParseError(f"Unclosed end tag at byte offset {begin}")
        self.position += 1
        tag = self.open_tags.pop()
        if name and name != tag.name:
            raise ParseError(f'Unmatched end tag at byte offset {begin}, expected "</{tag.name}>", found "</{name}>"')
        if self.offset > tag.offset:
            self.close(tag)

    def close(self, tag: _OpenTag) -> None:
        entity = Entity(_SIMPLE_TAGS.get(tag.name, tag.name), tag.offset, self.offset - tag.offset)
        last = self.entities[-1] if self.entities else None
        same_span = last is not None and (last.offset, last.length) == (entity.offset, entity.length)
        if tag.name == "a":
            self.close_link(tag, entity)
        elif tag.name == "tg-emoji":
            if not is_identifier(tag.argument):
                raise ParseError("Invalid custom emoji identifier specified")
            self.entities.append(replace(entity, type="custom_emoji", custom_emoji_id=tag.argument))
        elif tag.name == "tg-time":
            time = date_time(tag.argument, tag.format)
            if time is None:
                raise ParseError("Invalid date and time specified")
            self.entities.append(replace(entity, type="date_time", unix_time=time[0], date_time_format=time[1]))
        elif tag.name == "blockquote" and tag.argument:
            self.entities.append(replace(entity, type="expandable_blockquote"))
        elif tag.name == "pre" and last and same_span and last.type == "code" and last.language:
            self.entities[-1] = replace(last, type="pre")
        elif tag.name == "code" and last and same_span and last.type == "pre" and tag.argument:
            self.entities[-1] = replace(last, language=tag.argument)
        elif tag.name == "code":
            self.entities.append(replace(entity, language=tag.argument or None))
        else:
            self.entities.append(entity)

    def close_link(self, tag: _OpenTag, entity: Entity) -> None:
        url = tag.argument or self.plain[tag.begin :].decode(errors="replace")
        user_id = linked_user_id(url)
        if user_id is not None:
            self.entities.append(replace(entity, type="text_mention", user_id=user_id))
            return
        try:
            self.entities.append(replace(entity, type="text_link", url=checked_link(url)))
        except LinkError:
            return  # Telegram keeps the words and drops the link.


def _argument(tag: str, attribute: str, value: str | None) -> str:
    """What an attribute means to its tag; empty when nothing."""
    if (tag, attribute) == ("blockquote", "expandable"):
        return "1"
    if value is None:
        return ""
    if (tag, attribute) in (("a", "href"), ("tg-emoji", "emoji-id"), ("tg-time", "unix")):
        return value
    if (tag, attribute) == ("code", "class") and value.startswith("language-"):
        return value.removeprefix("language-")
    if (tag, attribute) == ("span", "class") and value.startswith("tg-"):
        return value.removeprefix("tg-")
    return ""


def _byte(text: bytes, position: int) -> int:
    return text[position] if position < len(text) else _END


def _decode_reference(text: bytes, position: int) -> tuple[bytes, int]:
    """The character that the reference at `position` stands for, in UTF-8, and where the text goes on.

    What is no reference is taken literally: the ampersand itself. The semicolon may be left out.
    """
    found = _REFERENCE.match(text, position)
    assert found is not None, "the caller saw an ampersand"
    hexadecimal, decimal, name = found.groups()
    if name is not None:
        character = _NAMED_CHARACTERS.get(name)
    elif found.end() - position >= 10:
        character = None
    else:
        code = int(hexadecimal or b"0", 16) or int(decimal or b"0")
        character = chr(code).encode("utf-8", "surrogatepass") if 0 < code < 0x10FFFF else None
    if character is None:
        return b"&", position + 1
    return character, found.end() + (_byte(text, found.end()) == ord(";"))
