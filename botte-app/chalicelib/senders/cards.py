"""Posts of chats, of which each part has a title, words and a colour of its own, and single messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..contract.message import clean, has_words
from .markup import from_markdown, links_in
from .notice import Notice, split_title

MAX_LINKS_IN_WORDS = 5  # of more than that, each address stands where its label does
MAX_BUTTONS = 8
_MARKS = "🔴🟡🟢❗"  # the gravest first
_SIGNS = (*_MARKS, "🟠", "❌", "✅", "✔", "⚠", "🚨", "⛔")  # a title that begins with one needs no mark


class Card(NamedTuple):
    """A part of a post, in Markdown.

    title: its headline, which leads to ``url``. lines: what is below it. mark: such as 🔴.
    links: labels and addresses, beside those in the words.
    """

    title: str = ""
    url: str = ""
    lines: Sequence[str] = ()
    mark: str = ""
    links: Sequence[tuple[str, str]] = ()


def to_notice(cards: Sequence[Card], author: str = "") -> Notice | None:
    """What a post tells: the first title, or else the first line, is that of the whole. None if there are no words."""
    head = next((card for card in cards if card.title), Card())
    mark = head.mark or min(filter(None, (card.mark for card in cards)), key=_MARKS.find, default="")
    titles = ["" if card is head else _marked("" if card.mark == mark else card.mark, card.title) for card in cards]
    blocks = ["\n".join(filter(None, (title, *card.lines))) for title, card in zip(titles, cards, strict=True)]
    in_words = [link for block in (head.title, *blocks) for link in links_in(block)]
    has_few = len({url for _, url in in_words}) <= MAX_LINKS_IN_WORDS
    title, *blocks = (from_markdown(block, with_addresses=not has_few).strip() for block in (head.title, *blocks))
    body = "\n\n".join(filter(None, blocks))
    if not has_words(clean(title + body)):
        return None
    if not title:
        title, body = split_title(body)
    links = [
        *(link for card in cards for link in card.links),
        *(("Open" if card is head else card.title, card.url) for card in cards),
        *(in_words if has_few else ()),
    ]
    # The first label of an address is the one that was meant to be a button. Files that were sent along are no pages.
    labels = {url: from_markdown(label) for label, url in reversed(links) if url.startswith(("https://", "http://"))}
    buttons = [(label, url) for url, label in reversed(labels.items())]
    more = "\n".join(f"{label}: {url}" for label, url in buttons[MAX_BUTTONS:])
    return Notice(
        mark="" if title.startswith(_SIGNS) else mark,
        title=title,
        lines=[author],
        body="\n\n".join(filter(None, (body, more))),
        links=buttons[:MAX_BUTTONS],
    )


def told(title: str, words: str, *, mark: str = "", is_markdown: bool = False) -> Notice:
    """What a single message tells. The first line of its words is the title, where it has no other."""
    notice = to_notice([Card(title=title, lines=[words], mark=mark)]) if is_markdown else None
    if notice:
        return notice
    title, words = (title, words) if title else split_title(words)
    return Notice(mark=mark, title=title, body=words)


def fact(name: str, value: str) -> str:
    """A line for a value, with its name if that shows anything."""
    if not value or not has_words(name):
        return value
    space = "\n" if "\n" in value else " "
    return f"{name.strip().rstrip(':')}:{space}{value}"


def colour_mark(colour: int) -> str:
    """What a colour says: red, yellow or green. colour: 0xRRGGBB."""
    red, green, blue = (colour >> 16 & 255, colour >> 8 & 255, colour & 255)
    if red > 128 and green < red / 2 and blue < red * 0.6:
        return "🔴"
    if red > 128 and green < red * 1.1 and blue < red / 2:
        return "🟡"
    return "🟢" if green > 96 and red < green * 0.7 and blue < green * 0.8 else ""


def _marked(mark: str, title: str) -> str:
    return title if not title or title.startswith(_SIGNS) else f"{mark} {title}".strip()
