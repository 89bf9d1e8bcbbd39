"""Text as markup that shows it, and markup as the text that it shows. Pure.

https://core.telegram.org/bots/api#formatting-options
"""

from __future__ import annotations

import re
from html import escape, unescape

_MARKDOWN = "_*[]()~`>#+-=|{}.!\\"
_MARKDOWN_ESCAPES = re.compile(r"\\([" + re.escape(_MARKDOWN) + "])")
_LINE_BREAK = re.compile(r"<br\s*/?>\n?", re.IGNORECASE)


def escaped(text: str, parse_mode: str | None) -> str:
    """The text, written so that a parse mode shows it as it is."""
    if parse_mode == "HTML":
        return escape(text, quote=False)
    if parse_mode == "MarkdownV2":
        return "".join(f"\\{char}" if char in _MARKDOWN else char for char in text)
    return text


def plain(text: str, parse_mode: str | None) -> str:
    """Text whose markup cannot be used, for people to read: its characters are shown as such, its other tags stay."""
    if parse_mode == "HTML":
        return unescape(_LINE_BREAK.sub("\n", text)).replace("\xa0", " ")
    if parse_mode == "MarkdownV2":
        return _MARKDOWN_ESCAPES.sub(r"\1", text)
    return text
