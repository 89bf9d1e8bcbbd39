"""The markup of other chats, as plain words. Each pattern takes time in proportion to the text's length."""

from __future__ import annotations

import re

from ..contract.escaping import unescaped

# A label may have brackets of its own: [[JIRA-1] Fix it](https://...)
_LINK = re.compile(r'!?\[((?:[^\[\]\n]|\[[^\[\]\n]*\])*)\]\(<?(https?://[^\s()<>]+)>?(?: "[^"\n]*")?\)')
_CODE = re.compile(r"```(?:[A-Za-z0-9_+-]*\n)?(.*?)\n?```|(?<!`)`([^`\n]+)`(?!`)", re.DOTALL)
_LITERAL = re.compile(r"<?(https?://[^\s<>*\x00]+)>?|\\([*_~`|])")
_HEADING = re.compile(r"^(?:#{1,6}|-#)[ \t]+", re.MULTILINE)
_STARS = re.compile(r"(?<![\w*])(\*{1,3})(?=\S)([^*\n]+)(?<=\S)\1(?![\w*])")
_UNDERSCORES = re.compile(r"(?<!\w)_(?=\S)([^_\n]+)(?<=\S)_(?!\w)")
_SHORT_CODE = re.compile(r":([a-z_]+):")
_EMOJI = {
    **{"rotating_light": "🚨", "fire": "🔥", "x": "❌", "no_entry": "⛔", "skull": "💀", "boom": "💥", "bug": "🐛"},
    **{"warning": "⚠️", "construction": "🚧", "question": "❓", "exclamation": "❗", "bell": "🔔", "eyes": "👀"},
    **{"white_check_mark": "✅", "heavy_check_mark": "✔️", "tada": "🎉", "rocket": "🚀", "information_source": "ℹ️"},
    **{"red_circle": "🔴", "large_yellow_circle": "🟡", "large_green_circle": "🟢"},
}
_HTML_LINK = re.compile(
    r"""<a\s[^<>]{0,200}?href=["'](https?://[^"'\s<>()]+)["'][^<>]{0,200}>([^<>]*)</a>""", re.IGNORECASE
)
_HTML_BREAK = re.compile(r"<br\s{0,9}/?>\n?|</(?:p|div|li|tr|h[1-6])>\n?", re.IGNORECASE)
_HTML_TAG = re.compile(r"</?[A-Za-z][^<>]*>")


def links_in(text: str) -> list[tuple[str, str]]:
    """The labels and addresses of the links in Markdown."""
    return [(from_markdown(label), url) for label, url in _LINK.findall(_CODE.sub("", text)) if label.strip()]


def from_markdown(text: str, *, with_addresses: bool = True) -> str:
    """The words of Markdown, as chats write it. with_addresses: a link is ``label (address)``, and else its label."""
    literals: list[str] = []

    def keep(literal: str) -> str:
        literals.append(literal)
        return f"\x00{len(literals) - 1}\x00"

    text = _CODE.sub(lambda found: keep(found[1] if found[1] is not None else found[2]), text.replace("\x00", ""))
    text = _LINK.sub(lambda found: _written(found[1], found[2], with_addresses), text)
    text = _LITERAL.sub(lambda found: keep(found[1] or found[2]), text)
    text = _UNDERSCORES.sub(r"\1", _STARS.sub(r"\2", _HEADING.sub("", text)))
    text = _SHORT_CODE.sub(lambda found: _EMOJI.get(found[1], found[0]), text)
    return re.sub("\x00([0-9]+)\x00", lambda found: literals[int(found[1])], text)


def to_markdown(html: str) -> str:
    """Markdown of HTML: its words, line breaks and links."""
    html = _HTML_BREAK.sub("\n", _HTML_LINK.sub(r"[\2](\1)", html))
    return unescaped(_HTML_TAG.sub("", html))


def _written(label: str, url: str, with_address: bool) -> str:
    if label.strip() in ("", url):
        return url
    return f"{label} ({url})" if with_address else label
