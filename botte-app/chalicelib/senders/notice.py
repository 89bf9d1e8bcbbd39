"""What a sender tells, in plain words, and the message that shows it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ..contract.escaping import escaped
from ..contract.message import MAX_TEXT_BYTES, InvalidMessage, check_url, clean, has_words, is_id

MAX_TITLE_CHARACTERS = 200
MAX_LINE_CHARACTERS = 500
MAX_LINES = 20
MAX_ADDRESS_CHARACTERS = 100
MAX_LABEL_CHARACTERS = 40
MAX_FACTS = 4  # of a payload that are lines; of more, all are details
MAX_FACT_CHARACTERS = 100
MAX_FORMATTED_CHARACTERS = 30_000  # more than this is shown plainly, as a file

Fields = dict[str, Any]


class Notice(NamedTuple):
    """Plain words: nothing in them becomes markup. What is empty is left out.

    mark: stands before the title, such as 🔴. title: the first line, in bold; cut at 200 characters.
    lines: facts below the title, one a line; cut at 500 characters, and after 20 lines.
    body: what somebody wrote, whole and with its line breaks. details: the same, in a quote that opens on a tap.
    links: labels and addresses, as buttons; one that Telegram would not take stands below the lines, a long one in the
    details.
    collapse_key: names what the notice is about: the next one with the same key tells how it went on.
    is_quiet: it only says that all is well, so it comes without a sound.
    """

    title: str
    mark: str = ""
    lines: Sequence[str] = ()
    body: str = ""
    details: str = ""
    links: Sequence[tuple[str, str]] = ()
    collapse_key: str | None = None
    is_quiet: bool = False

    def to_fields(self) -> Fields:
        """The fields of the message."""
        title = _shortened(" ".join(self.title.split()), MAX_TITLE_CHARACTERS)
        lines = [_shortened(" ".join(line.split()), MAX_LINE_CHARACTERS) for line in self.lines if line.strip()]
        if len(lines) > MAX_LINES:
            lines[MAX_LINES:] = [f"… and {len(lines) - MAX_LINES} more"]
        buttons = [{"text": _label(label), "url": url} for label, url in self.links if _is_button(url)]
        addresses = [(label, url) for label, url in self.links if url and not _is_button(url)]
        lines += [f"{label}: {url}" for label, url in addresses if len(url) <= MAX_ADDRESS_CHARACTERS]
        long_ones = [f"{label}: {url}" for label, url in addresses if len(url) > MAX_ADDRESS_CHARACTERS]
        details = "\n".join(filter(None, (self.details.strip(), *long_ones)))
        fields = self._formatted(title, lines, details)
        if len(fields["text"]) > MAX_FORMATTED_CHARACTERS:
            fields = self._plain(title, lines, details)
        if buttons:
            fields["reply_markup"] = {"inline_keyboard": [[button] for button in buttons]}
        if self.collapse_key:
            fields["collapse_key"] = self.collapse_key
        if self.is_quiet:
            fields["disable_notification"] = True
        return fields

    def _formatted(self, title: str, lines: Sequence[str], details: str) -> Fields:
        head = " ".join(filter(None, (self.mark, title and f"<b>{_escaped(title)}</b>")))
        quote = f"<blockquote expandable>{_escaped(details)}</blockquote>" if details else ""
        text = _laid_out(head, [*map(_escaped, lines)], _escaped(self.body.strip()), quote)
        # A preview would be of whatever address the words have, and larger than they are.
        return {"text": text, "parse_mode": "HTML", "link_preview_options": {"is_disabled": True}}

    def _plain(self, title: str, lines: Sequence[str], details: str) -> Fields:
        text = _laid_out(f"{self.mark} {title}".strip(), lines, self.body.strip(), details)
        encoded = text.encode("utf-8", "replace")
        if len(encoded) > MAX_TEXT_BYTES:
            text = encoded[: MAX_TEXT_BYTES - 3].decode("utf-8", "ignore") + "…"
        return {"text": text}


def _laid_out(head: str, lines: Sequence[str], body: str, details: str) -> str:
    """The words under their title, with an empty line between facts and what somebody wrote."""
    words = "\n\n".join(filter(None, ("\n".join(lines), body, details)))
    return "\n".join(filter(None, (head, words)))


def lines_or_details(facts: Sequence[str]) -> tuple[Sequence[str], str]:
    """Where facts belong: few and short ones are lines of a notice, others its details."""
    is_short = len(facts) <= MAX_FACTS and all(len(fact) <= MAX_FACT_CHARACTERS for fact in facts)
    return (facts, "") if is_short else ((), "\n".join(facts))


def split_title(words: str) -> tuple[str, str]:
    """The first line of words, as a title, and the rest of them; a line that is too long for that is no title."""
    first, _, rest = words.strip().partition("\n")
    return (first, rest) if len(first) <= MAX_TITLE_CHARACTERS else ("", words)


def collapse_key(*names: str) -> str | None:
    """A collapse key made of names, such as the sender's and that of an alarm; a digest stands for odd or long ones.

    None if one of them is empty: what has no name of its own is not to take the place of something else.
    """
    if not all(names):
        return None
    key = ":".join(names)
    return key if is_id(key) else f"{names[0]}:{hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()[:32]}"


def _escaped(text: str) -> str:
    return escaped(clean(text), "HTML")  # cleaned later, an escape sequence could take our own markup with it


def _shortened(text: str, max_characters: int) -> str:
    return text if len(text) <= max_characters else text[: max_characters - 1] + "…"


def _label(label: str) -> str:
    label = _shortened(" ".join(label.split()), MAX_LABEL_CHARACTERS)
    return label if has_words(label) else "Open"


def _is_button(url: str) -> bool:
    """Whether Telegram takes an address in a button: it wants a host with a dot."""
    try:
        check_url("url", url)
    except InvalidMessage:
        return False
    return "." in (urlsplit(url).hostname or "")
