"""Text as markup that shows it, and markup as the text that it shows. Pure.

https://core.telegram.org/bots/api#formatting-options
"""

from __future__ import annotations

import re

from .message import clean, has_words

_MARKDOWN = "_*[]()~`>#+-=|{}.!\\"
_MARKDOWN_ESCAPES = re.compile(r"\\([" + re.escape(_MARKDOWN) + "])")
_LONG_NUMBER = re.compile(r"&#[xX]?[0-9a-fA-F]{100,};?")
_LINE_BREAK = re.compile(r"<br\s*/?>\n?", re.IGNORECASE)


def escaped(text: str, parse_mode: str | None) -> str:
    """The text, written so that a parse mode shows it as it is."""
    if parse_mode == "HTML":
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if parse_mode == "MarkdownV2":
        return "".join(f"\\{char}" if char in _MARKDOWN else char for char in text)
    return text


def unescaped(html: str) -> str:
    """The characters that HTML's entities stand for; a space that does not break is a space."""
    from html import unescape  # its table of entities is large, and seldom needed

    # Python reads no number of thousands of digits, and none that long is a character.
    return unescape(_LONG_NUMBER.sub("\N{REPLACEMENT CHARACTER}", html)).replace("\xa0", " ")


def plain(text: str, parse_mode: str | None) -> str:
    """Text whose markup cannot be used, for people to read.

    Characters that were escaped, and line breaks, are shown as such; tags and delimiters stay as they are written. What
    would then have nothing to show stays as it is written, too.
    """
    shown = text
    if parse_mode == "HTML":
        shown = clean(unescaped(_LINE_BREAK.sub("\n", text)))
    elif parse_mode == "MarkdownV2":
        shown = _MARKDOWN_ESCAPES.sub(r"\1", text)
    return shown if has_words(shown) else text
