"""What is sent to Telegram for a message: one Bot API call, or several where Telegram's limits are exceeded.

Pure and deterministic: the same message gives the same parts, so a delivery that broke off resumes at a part's number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from ..contract.escaping import escaped, plain
from ..contract.message import Message
from .cutting import BLANKS, Chunk, cut, units

if TYPE_CHECKING:
    from .markup import Source

MAX_PARTS = 10
# In UTF-16 code units, after entities are parsed. https://core.telegram.org/bots/api#sendmessage
MAX_TEXT_UNITS = 4096
MAX_CAPTION_UNITS = 1024
FILE_NAME = "message.txt"

# A text with so few delimiters does not hold more entities than Telegram keeps.
_DELIMITERS = {"HTML": "<", "MarkdownV2": "_*~`|[>"}
_FEW_DELIMITERS = 60
_OPTIONS = ("disable_notification", "protect_content", "message_thread_id")


class Part(NamedTuple):
    """One call of the Bot API.

    method: ``sendMessage``, ``sendPhoto`` or ``sendDocument``.
    fields: the body of the call, without ``chat_id``. It has no ``parse_mode`` where the text goes out as plain text,
        also when the message has one: its markup cannot be cut, or the caller asked for plain text.
    file: name and content, to be uploaded as ``document``; only where the text is too long for ten messages.
    """

    method: str
    fields: Mapping[str, object]
    file: tuple[str, bytes] | None = None


def render(
    message: Message,
    *,
    plain_from: int | None = None,
    media_as_link: bool = False,
    buttons_as_links: bool = False,
    below: str = "",
) -> tuple[Part, ...]:
    """The calls that deliver the message, in order: at least one, at most ten, and one more for buttons as links.

    A text longer than one message is cut at a paragraph, a line, a word, or anywhere, in this order of preference.
    Only whitespace at a cut is dropped, and markup open at a cut is closed before it and opened again after it.
    A text longer than ten messages becomes a file, with its first lines as the caption; links show their addresses.

    plain_from: the number of a part, from 0. The text of this part and of those after it is sent for people to read,
        without ``parse_mode``: for the case that Telegram refuses the markup. The parts before it stay as they are.
    media_as_link: the photo's or document's URL goes below the text: for the case that Telegram cannot fetch it.
    buttons_as_links: the keyboard's addresses go below the last text: for the case that Telegram refuses a button.
    below: lines, not of markup, that stand below all words.
    """
    text, parse_mode = message.text, message.parse_mode
    parts: list[Part] = []
    media = _media(message)
    if media is not None and media_as_link:
        link = escaped(str(message.photo or message.document), parse_mode)
        text = link if text is None else f"{text}\n\n{link}"
    if text is not None and plain_from == 0:
        text, parse_mode = plain(text, parse_mode), None
    words = text
    if below:
        lines = escaped(below, parse_mode)
        text = lines if text is None else f"{text}\n{lines}"
    if media is not None and not media_as_link:
        method, fields = media
        caption = None if text is None else _split(text, parse_mode, MAX_CAPTION_UNITS, 1)
        if caption is not None:
            fields |= _formatted("caption", caption[0])
            text = None
        parts.append(Part(method=method, fields=fields))
    if text is not None:
        room = MAX_PARTS - len(parts)
        chunks = list(_split(text, parse_mode, MAX_TEXT_UNITS, room) or [_document(words or "", parse_mode, below)])
        number = None if plain_from is None else plain_from - len(parts)
        if number is not None and 0 <= number < len(chunks) and chunks[number].parse_mode is not None:
            rest = plain(text[chunks[number].start :], parse_mode)
            chunks[number:] = _split(rest, None, MAX_TEXT_UNITS, room - number) or [_document(rest, None)]
        parts += map(_text_part, chunks)
    if message.reply_markup is not None and buttons_as_links:
        parts[-1:] = _with_links(parts[-1], _links(message.reply_markup))
        message = replace(message, reply_markup=None)
    return _with_options(message, parts)


def _media(message: Message) -> tuple[str, dict[str, object]] | None:
    if message.photo is not None:
        return "sendPhoto", {"photo": message.photo}
    if message.document is not None:
        return "sendDocument", {"document": message.document}
    return None


def _links(keyboard: Mapping[str, Any]) -> str:
    """The buttons of a keyboard, as a line of text each."""
    return "\n".join(f"{button['text']}: {button['url']}" for row in keyboard["inline_keyboard"] for button in row)


def _with_links(part: Part, links: str) -> tuple[Part, ...]:
    """The last part of a message, with links below its text; what has no room there makes a part of its own."""
    name, max_units = ("text", MAX_TEXT_UNITS) if part.method == "sendMessage" else ("caption", MAX_CAPTION_UNITS)
    parse_mode = part.fields.get("parse_mode")
    mode = None if parse_mode is None else str(parse_mode)
    below = escaped(links, mode)
    text = f"{part.fields[name]}\n\n{below}" if name in part.fields else below
    if units(text) <= max_units:
        return (part._replace(fields={**part.fields, name: text}),)
    chunks = _split(below, mode, MAX_TEXT_UNITS, 1) or (_document(links, None),)
    return (part, *map(_text_part, chunks))


def _text_part(chunk: Chunk) -> Part:
    if chunk.file is not None:
        return Part(method="sendDocument", fields={"caption": chunk.text}, file=chunk.file)
    return Part(method="sendMessage", fields=_formatted("text", chunk))


def _formatted(name: str, chunk: Chunk) -> dict[str, object]:
    return {name: chunk.text} if chunk.parse_mode is None else {name: chunk.text, "parse_mode": chunk.parse_mode}


def _with_options(message: Message, parts: list[Part]) -> tuple[Part, ...]:
    fields = message.to_fields()
    options = {name: fields[name] for name in _OPTIONS if name in fields}
    of_text = {name: fields[name] for name in ("link_preview_options",) if name in fields}
    of_last = {name: fields[name] for name in ("reply_markup",) if name in fields}
    return tuple(
        part._replace(
            fields={
                **part.fields,
                **(of_text if part.method == "sendMessage" else {}),
                **options,
                **(of_last if number == len(parts) else {}),
            },
        )
        for number, part in enumerate(parts, 1)
    )


def _split(text: str, parse_mode: str | None, max_units: int, room: int) -> tuple[Chunk, ...] | None:
    """The text in chunks of at most ``max_units``; None where that takes more than ``room`` of them."""
    if units(text) <= max_units and (
        parse_mode is None or sum(map(text.count, _DELIMITERS[parse_mode])) <= _FEW_DELIMITERS
    ):
        return (Chunk(text, parse_mode),)
    if parse_mode is None and units(text) > room * max_units:
        return None
    return _cut(text, parse_mode, max_units, room)


@lru_cache(maxsize=4)  # a message is rendered to see whether it is split, and again to be sent
def _cut(text: str, parse_mode: str | None, max_units: int, room: int) -> tuple[Chunk, ...] | None:
    # Most texts are short: what follows, with its regular expressions, stays out of the cold start.
    from .markup import MarkupError

    try:
        chunks = tuple(islice(cut(_readable(text, parse_mode), parse_mode, max_units), room + 1))
    except MarkupError:
        # Short enough to go out as it is: Telegram judges it. Too long: it could not be cut without breaking it.
        if units(text) <= max_units:
            return (Chunk(text, parse_mode),)
        return _split(plain(text, parse_mode), None, max_units, room)
    if len(chunks) == 1 and units(text) <= max_units:
        return (Chunk(text, parse_mode),)
    return chunks if len(chunks) <= room else None


def _readable(text: str, parse_mode: str | None) -> Source:
    """The pieces of the text. Raises MarkupError where the markup cannot be understood, or holds no words."""
    from .markup import MarkupError, parse

    source = parse(text, parse_mode)
    if parse_mode is not None and BLANKS.issuperset("".join(source.shown)):
        raise MarkupError("nothing to show")
    return source


def _document(text: str, parse_mode: str | None, below: str = "") -> Chunk:
    """The whole text as a file, and its first lines as the caption, with other lines below them."""
    from .markup import MarkupError, parse

    try:
        words = _readable(text, parse_mode).words
    except MarkupError:
        words = plain(text, parse_mode)
    # The beginning is enough to cut the caption from.
    under = f"\n{below}" if below else ""
    room = MAX_CAPTION_UNITS - units(f"\n…{under}")
    head = next(cut(parse(words[: 2 * MAX_CAPTION_UNITS], None), None, room))
    after = words[head.start + len(head.text) :]
    ends_with_line = "\n" in after[: len(after) - len(after.lstrip())]
    caption = head.text + ("\n…" if ends_with_line else "…") + under
    return Chunk(caption, None, file=(FILE_NAME, words.encode()))
