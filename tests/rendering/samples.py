"""Random marked-up texts: well-formed ones grown from a tree, and garbage made of the same pieces."""

from __future__ import annotations

import html

from hypothesis import strategies as st

WORDS = st.sampled_from(
    [
        "word",
        "two words",
        " ",
        "  ",
        "\n",
        "\n\n",
        "a & b < c",
        "*_~`|>#.!\\-=",
        "é",
        "e\u0301",
        "👍🏽",
        "👨‍👩‍👧",
        "🇫🇷",
        "שלום",
    ]
)
CODE = st.sampled_from(["if x:\n    y\n", "  indented\n\n  more", "word", "a < b & c", "`\\", "\n\n z"])

_HTML_TAGS = {
    "bold": ("<b>", "</b>"),
    "italic": ("<em>", "</em>"),
    "underline": ("<u>", "</u>"),
    "strike": ("<del>", "</del>"),
    "spoiler": ('<span class="tg-spoiler">', "</span>"),
    "link": ('<a href="https://example.com/?a=1&amp;b=2">', "</a>"),
    "code": ("<code>", "</code>"),
    "pre": ('<pre><code class="language-python">', "</code></pre>"),
    "quote": ("<blockquote>", "</blockquote>"),
    "expandable": ("<blockquote expandable>", "</blockquote>"),
}
_MARKDOWN_MARKS = {
    "bold": ("*", "*"),
    "italic": ("_", "_"),
    "underline": ("__", "__"),
    "strike": ("~", "~"),
    "spoiler": ("||", "||"),
    "link": ("[", "](https://example.com/a\\)b)"),
    "code": ("`", "`"),
    "pre": ("```python\n", "```"),
    "quote": ("\n>", "\n"),
    "expandable": ("\n>", "||\n"),
}
_RESERVED = "_*[]()~`>#+-=|{}.!\\"


@st.composite
def html_texts(draw: st.DrawFn, around: frozenset[str] = frozenset()) -> str:
    """HTML that Telegram takes."""
    result = []
    for kind in draw(st.lists(st.sampled_from(["text", "text", "emoji", "time", *_HTML_TAGS]), min_size=1, max_size=4)):
        if kind == "emoji":
            result.append('<tg-emoji emoji-id="5368324170671202286">👍</tg-emoji>')
        elif kind == "time":
            result.append('<tg-time unix="1647531900" format="wDT">6:00</tg-time>')
        elif kind == "text" or kind in around or len(around) > 3:
            result.append(html.escape(draw(WORDS), quote=False))
        elif kind in ("code", "pre"):
            result.append(html.escape(draw(CODE)).join(_HTML_TAGS[kind]))
        else:
            result.append(draw(html_texts(around | {kind})).join(_HTML_TAGS[kind]))
    return "".join(result)


@st.composite
def markdown_texts(draw: st.DrawFn, around: frozenset[str] = frozenset()) -> str:
    """MarkdownV2, nearly all of which Telegram takes."""
    result = []
    for kind in draw(
        st.lists(st.sampled_from(["text", "text", "emoji", "time", *_MARKDOWN_MARKS]), min_size=1, max_size=4)
    ):
        is_quote = kind in ("quote", "expandable")
        if kind == "emoji":
            result.append("![👍](tg://emoji?id=5368324170671202286)")
        elif kind == "time":
            result.append("![6:00](tg://time?unix=1647531900&format=wDT)")
        elif kind == "text" or kind in around or len(around) > 3 or (is_quote and around):
            result.append(_escaped(draw(WORDS), _RESERVED))
        elif kind in ("code", "pre"):
            result.append(_escaped(draw(CODE), "`\\").join(_MARKDOWN_MARKS[kind]))
        else:
            inside = draw(markdown_texts(around | {kind}))
            # Between "_" and "__" an empty bold entity tells which is which.
            apart = "**" if kind in ("italic", "underline") and "bold" not in around else ""
            text = (apart + inside + apart).join(_MARKDOWN_MARKS[kind])
            result.append("\n>" + text[2:-1].replace("\n", "\n>") + "\n" if is_quote else text)
    return "".join(result)


_HTML_PIECES = """<b> </b> <i> </i> <code> </code> <pre> </pre> <a> </a> </> < > & &lt &ltx &amp; &#128512; &#xd800;
    <br> <b <b/> <blockquote> </blockquote> <span> </span> <tg-emoji> href='https://example.com'> word " ' = 👍🏽"""
_MARKDOWN_PIECES = (
    r"""* _ __ ~ || | ` ``` ```py [ ] ]( ](https://example.com) ![ ) > ** **> \ \_ \é word . ! *a* _b_ 👍🏽"""
)
_SPACES = (" ", "\n", "\n\n", "\n>", "||\n")

HTML_GARBAGE = st.lists(st.sampled_from([*_HTML_PIECES.split(), *_SPACES]), max_size=25).map("".join)
MARKDOWN_GARBAGE = st.lists(st.sampled_from([*_MARKDOWN_PIECES.split(), *_SPACES]), max_size=25).map("".join)


def _escaped(text: str, reserved: str) -> str:
    return "".join("\\" + character if character in reserved else character for character in text)
