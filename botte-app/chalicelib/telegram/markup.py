"""Formatted text as a row of pieces, so that it can be cut and each half still parses.

The rules are those of https://core.telegram.org/bots/api#formatting-options, read as TDLib's ``parse_html`` and
``parse_markdown_v2`` read them (td/telegram/MessageEntity.cpp). Only markup that Telegram would take is taken here:
what is doubtful raises, because a wrong guess would lose words at a cut.
"""

from __future__ import annotations

import re

MAX_DEPTH = 32

_CHARACTER, _OPEN, _CLOSE = 0, 1, -1


class MarkupError(ValueError):
    """The markup cannot be understood, or cannot be cut."""


class Span:
    """An entity from its start to its end, and what closes and opens it again around a cut.

    address: of a link, where its text is not the address. close_units: how much ``close`` adds to the text that is
    shown, in UTF-16 units.
    splittable: Telegram keeps it as several entities where others of this sort start inside it.
    """

    __slots__ = ("address", "close", "close_units", "is_atomic", "is_code", "is_link", "name", "reopen", "splittable")

    def __init__(self, name: str, reopen: str, close: str = "") -> None:
        self.name = name
        self.reopen = reopen
        self.close = close
        self.address = ""
        self.close_units = 0
        self.is_atomic = name in ("emoji", "time")
        self.is_code = name in ("code", "pre")
        self.is_link = name == "link"
        self.splittable = name in ("bold", "italic", "underline", "strike", "spoiler")


class Source:
    """A text as pieces in parallel lists: joined, ``raw`` is the text as written and ``shown`` what a reader sees.

    A piece is a character (``steps`` 0; a short run where a cut inside it would change its meaning), or the start
    (1) or end (-1) of a span. Pieces that show nothing and are neither are glued to what is around them.
    """

    def __init__(self, *, is_markdown: bool = False) -> None:
        self.raw: list[str] = []
        self.shown: list[str] = []
        self.steps: list[int] = []
        self.spans: dict[int, Span] = {}
        self.stack: list[Span] = []
        self.is_markdown = is_markdown

    def add_run(self, run: str) -> None:
        self.raw.extend(run)
        self.shown.extend(run)
        self.steps.extend([_CHARACTER] * len(run))

    def add(self, raw: str, shown: str) -> None:
        self.raw.append(raw)
        self.shown.append(shown)
        self.steps.append(_CHARACTER)

    def open(self, raw: str, span: Span) -> None:
        if len(self.stack) == MAX_DEPTH:
            raise MarkupError("nested too deeply")
        self.spans[len(self.raw)] = span
        self.stack.append(span)
        self.raw.append(raw)
        self.shown.append("")
        self.steps.append(_OPEN)

    @property
    def words(self) -> str:
        """What a reader sees, with the address behind the text of each link."""
        if not self.spans:
            return "".join(self.shown)
        result: list[str] = []
        stack: list[Span] = []
        for i, step in enumerate(self.steps):
            result.append(self.shown[i])
            if step == _OPEN:
                stack.append(self.spans[i])
            elif step == _CLOSE and (address := stack.pop().address):
                result.append(f" ({address})")
        return "".join(result)

    def close(self, raw: str, shown: str = "") -> None:
        self.stack.pop()
        self.raw.append(raw)
        self.shown.append(shown)
        self.steps.append(_CLOSE)


def plain_source(text: str) -> Source:
    source = Source()
    source.add_run(text)
    return source


def parse(text: str, parse_mode: str | None) -> Source:
    """The pieces of a text. Raises MarkupError where Telegram would refuse it, or where that is not certain."""
    if parse_mode == "HTML":
        return _html_source(text)
    if parse_mode == "MarkdownV2":
        return _MarkdownReader(text).read()
    return plain_source(text)


_HTML_NAMES = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strike",
    "strike": "strike",
    "del": "strike",
    "span": "spoiler",
    "tg-spoiler": "spoiler",
    "a": "link",
    "code": "code",
    "pre": "pre",
    "blockquote": "quote",
    "tg-emoji": "emoji",
    "tg-time": "time",
}
_HTML_RUN = re.compile(r"[^<&]+")
_HTML_REFERENCE = re.compile(r"&(?:#x([0-9a-fA-F]+)|#([0-9]+)|(lt|gt|amp|quot)(?![a-zA-Z]));?")
_HTML_TAG_NAME = re.compile(r"<(/?)([a-zA-Z-]*)")
_HTML_ATTRIBUTE = re.compile(r"""[ \t\n]*([^ \t\n=>/"']+)(?:[ \t\n]*=[ \t\n]*("[^"]*"|'[^']*'|[a-zA-Z0-9.-]+))?""")
_HTML_TAG_END = re.compile(r"[ \t\n]*>")


def _html_source(text: str) -> Source:
    source = Source()
    position = 0
    while position < len(text):
        start = position
        if run := _HTML_RUN.match(text, position):
            source.add_run(run[0])
            position = run.end()
        elif tag := _HTML_TAG_NAME.match(text, position):
            name, position = tag[2].lower(), tag.end()
            if tag[1]:
                end = _HTML_TAG_END.match(text, position)
                if end is None or not source.stack or (name and source.stack[-1].close != f"</{name}>"):
                    raise MarkupError(f"unexpected end tag {name}")
                position = end.end()
                source.close(text[start:position])
            else:
                attributes, position = _html_attributes(text, position)
                span = _html_span(name, text[start:position], attributes)
                source.open(text[start:position], span)
        else:
            raw, shown = _html_reference(text, position)
            source.add(raw, shown)
            position += len(raw)
    if source.stack:
        raise MarkupError(f"unclosed {source.stack[-1].name}")
    return source


def _html_reference(text: str, position: int) -> tuple[str, str]:
    if match := _HTML_REFERENCE.match(text, position):
        hexadecimal, decimal, name = match.groups()
        if name:
            return match[0], {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}[name]
        digits = hexadecimal or decimal
        code = int(digits, 16 if hexadecimal else 10) if len(digits) < 9 else 0
        if 0xD800 <= code <= 0xDFFF:
            raise MarkupError("half of a surrogate pair")
        if 0 < code < 0x10FFFF and len(match[0].rstrip(";")) < 10:
            return match[0], chr(code)
    # A reference that is none is shown as it stands. It is kept whole: cut short, "&ltd" would turn into "<".
    end = position + 1
    while end < position + 11 and (text[end : end + 1] == "#" or text[end : end + 1].isalnum()):
        end += 1
    return text[position:end], text[position:end]


def _html_attributes(text: str, position: int) -> tuple[dict[str, str], int]:
    attributes: dict[str, str] = {}
    if text[position : position + 1] not in (" ", "\t", "\n", ">"):
        raise MarkupError("not a tag")
    while not (end := _HTML_TAG_END.match(text, position)):
        attribute = _HTML_ATTRIBUTE.match(text, position)
        if attribute is None:
            raise MarkupError("not an attribute")
        name, value = attribute.groups()
        if value is not None and value[0] in "\"'":
            value = value[1:-1]
        elif value is not None:
            value = value.lower()
            if text[attribute.end() : attribute.end() + 1] not in (" ", "\t", "\n", ">"):
                raise MarkupError("unexpected end of an attribute")
        attributes[name] = value or ""
        position = attribute.end()
    return attributes, end.end()


def _html_span(tag: str, raw: str, attributes: dict[str, str]) -> Span:
    if tag not in _HTML_NAMES:
        raise MarkupError(f"unsupported tag {tag}")
    span = Span(_HTML_NAMES[tag], raw, f"</{tag}>")
    if tag == "span" and attributes.get("class") != "tg-spoiler":
        raise MarkupError("a span is a spoiler or nothing")
    if tag == "tg-emoji" and not _is_number(attributes.get("emoji-id", "")):
        raise MarkupError("not a custom emoji")
    if tag == "tg-time" and not _is_number(attributes.get("unix", "")):
        raise MarkupError("not a time")
    if tag == "a":
        span.address = _HTML_REFERENCE.sub(lambda match: _html_reference(match[0], 0)[1], attributes.get("href", ""))
        span.is_atomic = not span.address  # the text is the address
    return span


def _is_number(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) < 20 and 0 < int(value) < 2**63


_MARKDOWN_RUN = re.compile(r"[^_*\[\]()~`>#+\-=|{}.!\n\\]+")
_MARKDOWN_CODE_RUN = re.compile(r"[^`\\]+")
_MARKDOWN_LANGUAGE = re.compile(r"[^ \t\n`]+(?=[ \t\n])")
_MARKDOWN_ADDRESS = re.compile(r"\]\((?:[^)\\]|\\.)*\)", re.DOTALL)
_MARKDOWN_ESCAPE = re.compile(r"\\([\x01-\x7e])")
_MARKDOWN_NAMES = {"_": "italic", "__": "underline", "*": "bold", "~": "strike", "||": "spoiler", "`": "code"}
_MARKDOWN_EMOJI = re.compile(r"tg://emoji\?id=[0-9]{1,19}")
_MARKDOWN_TIME = re.compile(r"tg://time\?unix=[0-9]{1,10}(?:&format=[a-zA-Z]*)?")


class _MarkdownReader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.source = Source(is_markdown=True)
        self.quote: Span | None = None
        self.at_line_start = True

    def read(self) -> Source:
        text, source = self.text, self.source
        position = 0
        while position < len(text):
            in_code = bool(source.stack) and source.stack[-1].is_code
            if run := (_MARKDOWN_CODE_RUN if in_code else _MARKDOWN_RUN).match(text, position):
                source.add_run(run[0])
                self.at_line_start = False
                position = run.end()
            elif text[position] == "\\":
                # Before anything but ASCII a backslash is itself; it stays with what follows, as closing markup
                # written right behind it would be escaped by it.
                raw = text[position : position + 2]
                shown = raw[1:] if _MARKDOWN_ESCAPE.match(raw) else raw
                source.add(raw, shown)
                self.at_line_start = shown == "\n"
                position += 2
            elif in_code:
                position += self._end_code(position)
            elif text[position] == "\n":
                position += self._line_end(position)
            elif text[position] == ">":
                position += self._quote_mark()
            else:
                position += self._delimiter(position)
        if self.quote and not self._end_quote(self.quote, ""):
            raise MarkupError("unclosed markup in a quote")
        if source.stack:
            raise MarkupError(f"unclosed {source.stack[-1].name}")
        return source

    def _end_code(self, position: int) -> int:
        mark = self.source.stack[-1].close
        if not self.text.startswith(mark, position):
            raise MarkupError("a grave accent in code must be escaped")
        self.source.close(mark)
        return len(mark)

    def _line_end(self, position: int) -> int:
        self.at_line_start = True
        if self.quote and not self.text.startswith(">", position + 1):
            if not self._end_quote(self.quote, "\n"):
                raise MarkupError("unclosed markup in a quote")
        else:
            self.source.add("\n", "\n")
        return 1

    def _quote_mark(self) -> int:
        if not self.at_line_start:
            raise MarkupError("> in a line must be escaped")
        if self.quote:
            self.source.raw[-1] += ">"  # it belongs to the line end before it, and goes where that goes
        else:
            self.quote = Span("quote", ">")
            if self.source.stack:
                # At the end of a text a quote ends by itself, but not before other markup is closed.
                self.quote.close, self.quote.close_units = "\n", 1
            self.source.open(">", self.quote)
        return 1

    def _end_quote(self, quote: Span, line_end: str) -> bool:
        source = self.source
        last = len(source.raw) - 1
        if source.steps[last] == _OPEN and source.raw[last] == "||":
            # A spoiler that starts at the end of a quote is the mark of an expandable one.
            source.stack.pop()
            del source.spans[last]
            source.steps[last] = _CHARACTER
            quote.close = "||" + quote.close
        if source.stack[-1] is not quote:
            return False
        source.close(line_end, line_end)
        self.quote = None
        return True

    def _delimiter(self, position: int) -> int:
        text, source = self.text, self.source
        top = source.stack[-1] if source.stack else None
        if text.startswith("]", position) and top and top.close == "]":
            return self._end_link(position, top)
        if text.startswith("```", position):
            return self._open_pre(position)
        mark = text[position : position + 2]
        if mark not in ("__", "||"):
            mark = text[position]
        if top and top.close == mark:
            source.close(mark)
        elif mark in _MARKDOWN_NAMES:
            source.open(mark, Span(_MARKDOWN_NAMES[mark], mark, mark))
        elif mark == "[":
            source.open("[", Span("link", "[", "]"))
        elif text.startswith("![", position):
            source.open("![", Span("emoji", "![", "]"))
            return 2
        else:
            raise MarkupError(f"{mark} must be escaped")
        return len(mark)

    def _open_pre(self, position: int) -> int:
        language = _MARKDOWN_LANGUAGE.match(self.text, position + 3)
        opening = "```" + (language[0] if language else "")
        line_end = "\n" if self.text.startswith("\n", position + len(opening)) else ""
        self.source.open(opening + line_end, Span("pre", opening + "\n", "```"))
        return len(opening + line_end)

    def _end_link(self, position: int, span: Span) -> int:
        address = _MARKDOWN_ADDRESS.match(self.text, position)
        if address is None and (span.is_atomic or self.text.startswith("](", position)):
            raise MarkupError("a link without an address")
        if address is None:
            span.is_atomic = True  # the text is the address
            self.source.close("]")
            return 1
        url = _MARKDOWN_ESCAPE.sub(r"\1", address[0][2:-1])
        if not span.is_atomic:
            span.address = url
        elif not _MARKDOWN_EMOJI.fullmatch(url) and not _MARKDOWN_TIME.fullmatch(url):
            raise MarkupError("neither a custom emoji nor a time")
        span.close = address[0]
        self.source.close(address[0])
        return len(address[0])
