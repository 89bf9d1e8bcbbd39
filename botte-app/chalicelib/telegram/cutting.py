"""Where a long text is cut: at a paragraph, a line, a word, between two characters, or anywhere. Pure."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .markup import Source, Span

# The Bot API server refuses a text of more than 32,768 bytes as written; a UTF-16 unit takes at most three.
MAX_WRITTEN_UNITS = 32_768 // 3
MAX_ENTITIES = 100  # Telegram ignores those beyond

_SPACES = frozenset(" \t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u1680\u2028\u2029\u205f\u3000") | frozenset(
    chr(code) for code in range(0x2000, 0x200B) if code != 0x2007
)
# What Telegram takes for nothing: strip_empty_characters, is_empty_string and clean_input_string in
# https://github.com/tdlib/td/blob/master/td/telegram/misc.cpp
BLANKS = (
    _SPACES
    | frozenset("\xa0\u030a\u0333\u033f\u180e\u2007\u200b\u200c\u200d\u200e\u200f\u202f\u2800\ufeff\ufffc")
    | frozenset(map(chr, (*range(0x2028, 0x202F), *range(0x2060, 0x2065), *range(0xE0000, 0xE0200))))
)
_ZERO_WIDTH_JOINER = "\u200d"

_PARAGRAPH, _LINE, _WORD, _CLUSTER, _ANYWHERE = range(5)


class Chunk(NamedTuple):
    """What one part carries of the text. ``start``: where that begins in the text as written. ``file``: as in Part."""

    text: str
    parse_mode: str | None
    start: int = 0
    file: tuple[str, bytes] | None = None


def units(text: str) -> int:
    """The length of a text as Telegram counts, in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def cut(source: Source, parse_mode: str | None, max_units: int) -> Iterator[Chunk]:
    """The text in chunks. Raises MarkupError where one of its pieces, or markup that must stay whole, fits in none."""
    from .markup import MarkupError

    visible = [i for i, shown in enumerate(source.shown) if shown and shown not in BLANKS]
    if not visible:
        # Telegram refuses such a text in any length; that is for it to say.
        yield Chunk("".join(source.raw)[: max_units // 2], parse_mode)
        return
    start = written = 0
    stack: list[Span] = []
    while start <= visible[-1]:
        target = visible[bisect_left(visible, start)]
        opening = [span.reopen for span in stack]
        window = _Window(source, start, stack, max_units)
        place = window.place()
        if place is None:
            if window.is_visible or start == target:
                raise MarkupError("no place for a cut")
            # A chunk of nothing but blanks would be refused: go on where there is something to see.
            place = _Place(start, target, 0, 0, 0)
        for i in range(start, place.next):
            if source.steps[i] > 0:
                stack.append(source.spans[i])
            elif source.steps[i] < 0:
                stack.pop()
        if window.is_visible:
            closing = [span.close for span in reversed(stack)]
            body = "".join(source.raw[start : place.end])
            yield Chunk(_joined([*opening, body, *closing], source.is_markdown), parse_mode, written)
        written += sum(map(len, source.raw[start : place.next]))
        start = place.next


def _joined(texts: list[str], is_markdown: bool) -> str:
    result = ""
    for text in texts:
        # Telegram reads "___" as "__" and "_". An empty bold entity between them tells otherwise.
        result += "**" + text if is_markdown and result.endswith("_") and text.startswith("_") else text
    return result


class _Place(NamedTuple):
    """Where the text may be cut: before the piece ``end``; the next chunk begins with the piece ``next``.

    units, written, entities: the cost of what is before the cut.
    """

    end: int
    next: int
    units: int
    written: int
    entities: int


class _Window:
    """What fits into one chunk that begins with the piece ``start``, and the best place to end it.

    A place is between two pieces that are neither whitespace nor markup. Of those in between, the whitespace at the
    cut is dropped, and the cut is where the fewest spans are open.
    """

    def __init__(self, source: Source, start: int, stack: list[Span], max_units: int) -> None:
        self.source = source
        self.at = start
        self.max_units = max_units
        self.is_visible = False
        self.units = self.written = self.entities = 0
        self.stack: list[Span] = []
        for span in stack:
            self._open(span)
            self.written += len(span.reopen)
        self.places: dict[tuple[bool, int], _Place] = {}

    def place(self) -> _Place | None:
        """Where the chunk ends: after the last piece if all of it fits. None if there is no place for a cut."""
        raw, shown, steps = self.source.raw, self.source.shown, self.source.steps
        before, flags = "", 0
        spans = _Spans(self.stack)
        while self.at < len(shown):
            char = shown[self.at]
            if steps[self.at] or not char or char in _SPACES:
                level, place, depth = self._pass_gap()
                spans_there, spans = _Spans(self.stack[:depth]), _Spans(self.stack)
                if self.at == len(shown):
                    if self._fits(place, spans_there):
                        return place
                    self._note(level, place, spans_there)
                    return self._best()
                char = shown[self.at]
            else:
                level, spans_there = _CLUSTER, spans
                place = _Place(self.at, self.at, self.units, self.written, self.entities)
            if level == _CLUSTER and before and _belong_together(before, char, flags):
                level = _ANYWHERE
            self._note(level, place, spans_there)
            self.units += 1 + (char > "\uffff") if len(char) == 1 else units(char)
            self.written += units(raw[self.at])
            if self.units > self.max_units or self.written > MAX_WRITTEN_UNITS or self.entities > MAX_ENTITIES:
                return self._best()
            self.is_visible = self.is_visible or char not in BLANKS
            flags = flags + 1 if _is_regional_indicator(char) else 0
            before = char
            self.at += 1
        return _Place(self.at, self.at, self.units, self.written, self.entities)

    def _pass_gap(self) -> tuple[int, _Place, int]:
        """Go on to the next piece that is neither whitespace nor markup.

        Returns how good a cut here is, its place, and how many spans are open there.
        """
        source = self.source
        depth = len(self.stack)
        lines = spaces = 0
        solid = place = _Place(self.at, self.at, self.units, self.written, self.entities)
        while self.at < len(source.shown):
            shown, step = source.shown[self.at], source.steps[self.at]
            is_space = not step and shown in _SPACES
            if not is_space and not step and shown:
                break
            if step > 0:
                self._open(source.spans[self.at])
            elif step < 0:
                self.stack.pop()
            lines += shown == "\n"
            spaces += shown != ""
            self.units += len(shown)
            self.written += units(source.raw[self.at])
            self.at += 1
            if not is_space:
                solid = _Place(self.at, self.at, self.units, self.written, self.entities)
            if len(self.stack) <= depth:
                depth = len(self.stack)
                place = solid._replace(next=self.at)
        level = _PARAGRAPH if lines > 1 else _LINE if lines else _WORD if spaces else _CLUSTER
        return level, place._replace(next=self._after_spaces(place, depth)), depth

    def _after_spaces(self, place: _Place, depth: int) -> int:
        """Where the next chunk begins. In code the indentation of its first line stays."""
        after = place.next
        while after < self.at and not self.source.steps[after] and self.source.shown[after] in _SPACES:
            after += 1
        if any(span.is_code for span in self.stack[:depth]):
            for i in range(after - 1, place.end - 1, -1):
                if self.source.shown[i] == "\n":
                    return i + 1
        return after

    def _open(self, span: Span) -> None:
        # Telegram ends a bold entity where an italic one starts in it, and starts another: that makes three of two.
        self.entities += 1 + (sum(outer.splittable for outer in self.stack) if span.splittable else 0)
        self.stack.append(span)

    def _fits(self, place: _Place, spans: _Spans) -> bool:
        return (
            place.units + spans.units <= self.max_units
            and place.written + spans.written <= MAX_WRITTEN_UNITS
            and place.entities <= MAX_ENTITIES
        )

    def _note(self, level: int, place: _Place, spans: _Spans) -> None:
        if self.is_visible and not spans.is_atomic and self._fits(place, spans):
            self.places[spans.is_link, level] = place

    def _best(self) -> _Place | None:
        """The last place of the best sort, unless it leaves more than half of the chunk empty."""
        places = self.places
        for in_link in (False, True):
            soft = [places[in_link, level] for level in (_PARAGRAPH, _LINE, _WORD) if (in_link, level) in places]
            for place in soft:
                if 2 * place.units >= self.units:
                    return place
            if soft:
                return max(soft, key=lambda place: place.units)
            if (in_link, _CLUSTER) in places:
                return places[in_link, _CLUSTER]
        return places.get((False, _ANYWHERE)) or places.get((True, _ANYWHERE))


class _Spans:
    """What the spans that are open at a place mean for a cut there."""

    __slots__ = ("is_atomic", "is_link", "units", "written")

    def __init__(self, spans: list[Span]) -> None:
        self.units = sum(span.close_units for span in spans)
        # Each may need a separator of two at its end and at its start.
        self.written = sum(len(span.close) + 4 for span in spans)
        self.is_link = any(span.is_link for span in spans)
        self.is_atomic = any(span.is_atomic for span in spans)


def _belong_together(before: str, after: str, flags: int) -> bool:
    """Whether a reader sees one character where these two meet: https://www.unicode.org/reports/tr29/, in essence.

    flags: how many regional indicators there are in a row before; two make a flag.
    """
    char = after[0]
    if char < "\u0300":
        return before[-1] == _ZERO_WIDTH_JOINER and char > "\x7f"
    if _is_regional_indicator(char):
        return flags % 2 == 1
    return (
        before[-1] == _ZERO_WIDTH_JOINER
        or char == _ZERO_WIDTH_JOINER
        or "\u1160" <= char <= "\u11ff"  # the vowel or the end of a Hangul syllable
        or "\U0001f3fb" <= char <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= char <= "\U000e007f"  # tags, as in the flag of Scotland
        or unicodedata.category(char) in ("Mn", "Mc", "Me")
    )


def _is_regional_indicator(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"
