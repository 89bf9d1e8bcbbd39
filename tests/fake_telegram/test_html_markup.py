"""The HTML parse mode, case by case."""

from __future__ import annotations

from dataclasses import astuple

import pytest

from tools.dev.fake_telegram.html_markup import parse
from tools.dev.fake_telegram.markup import ParseError


def spans(text: str) -> tuple[str, list[tuple[object, ...]]]:
    plain, entities = parse(text)
    return plain, [tuple(part for part in astuple(entity) if part is not None) for entity in entities]


@pytest.mark.parametrize(
    ("markup", "plain", "expected"),
    [
        ("plain", "plain", []),
        ("<b>a</b><strong>b</strong>", "ab", [("bold", 0, 1), ("bold", 1, 1)]),
        ("<i>a</i><em>b</em>", "ab", [("italic", 0, 1), ("italic", 1, 1)]),
        ("<u>a</u><ins>b</ins>", "ab", [("underline", 0, 1), ("underline", 1, 1)]),
        (
            "<s>a</s><strike>b</strike><del>c</del>",
            "abc",
            [("strikethrough", 0, 1), ("strikethrough", 1, 1), ("strikethrough", 2, 1)],
        ),
        (
            '<span class="tg-spoiler">a</span><tg-spoiler>b</tg-spoiler>',
            "ab",
            [("spoiler", 0, 1), ("spoiler", 1, 1)],
        ),
        ("<B>Case</B>", "Case", [("bold", 0, 4)]),
        ("<b>one <i>two</i></b>", "one two", [("bold", 0, 7), ("italic", 4, 3)]),
        ("<i><b>same</b></i>", "same", [("bold", 0, 4), ("italic", 0, 4)]),
        ("<b></b>empty", "empty", []),
        ("<b>short</>", "short", [("bold", 0, 5)]),
        ("😀<b>é😀</b>", "😀é😀", [("bold", 2, 3)]),
        ("&lt;b&gt; &amp; &quot;", '<b> & "', []),
        ("&#65;&#x1F600;&#x41", "A😀A", []),
        ("&nbsp; & &#0; &#xFFFFFFFFF;", "&nbsp; & &#0; &#xFFFFFFFFF;", []),
        ("&#" + "9" * 5000, "&#" + "9" * 5000, []),
        ("<a href='http://[::1]/x'>x</a>", "x", [("text_link", 0, 1, "http://[::1]/x")]),
        ("<a href='http://[::'>x</a>", "x", []),
        ("&ltb", "&ltb", []),
        ("&lt b", "< b", []),
        (
            '<a href="https://example.com/?a=1&amp;b=2">x</a>',
            "x",
            [("text_link", 0, 1, "https://example.com/?a=1&b=2")],
        ),
        ("<a href='https://example.com/a b '>x</a>", "x", [("text_link", 0, 1, "https://example.com/a%20b")]),
        ("<a href='example.com'>x</a>", "x", [("text_link", 0, 1, "http://example.com/")]),
        ("<a>example.com</a>", "example.com", [("text_link", 0, 11, "http://example.com/")]),
        ('<a href="ftp://example.com">x</a>', "x", []),
        ('<a href="https://localhost">x</a>', "x", []),
        ('<a href="tg://user?id=123">x</a>', "x", [("text_mention", 0, 1, 123)]),
        ('<tg-time unix="1647531900" format="wDT">now</tg-time>', "now", [("date_time", 0, 3, 1647531900, "wDT")]),
        ("<tg-time unix=1647531900>now</tg-time>", "now", [("date_time", 0, 3, 1647531900, "")]),
        ("<code>a</code>", "a", [("code", 0, 1)]),
        ('<code class="language-python">a</code>', "a", [("code", 0, 1)]),
        ("<pre>a</pre>", "a", [("pre", 0, 1)]),
        ('<pre><code class="language-python">a</code></pre>', "a", [("pre", 0, 1, "python")]),
        ('<code class="language-python"><pre>a</pre></code>', "a", [("pre", 0, 1, "python")]),
        ("<blockquote>a</blockquote>", "a", [("blockquote", 0, 1)]),
        ("<blockquote expandable>a</blockquote>", "a", [("expandable_blockquote", 0, 1)]),
        ('<tg-emoji emoji-id="536832417067">👍</tg-emoji>', "👍", [("custom_emoji", 0, 2, "536832417067")]),
        ("a > b", "a > b", []),
        ("<i  x  =  '&lt;'>a</>", "a", [("italic", 0, 1)]),
        ("<pre>  <code class='language-a'>b</code></pre>", "  b", [("pre", 0, 3), ("code", 2, 1)]),
    ],
)
def test_markup_becomes_words_and_entities(markup: str, plain: str, expected: list[tuple[object, ...]]) -> None:
    assert spans(markup) == (plain, expected)


@pytest.mark.parametrize(
    ("markup", "description"),
    [
        ("<b>open", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<b><i>x</i>", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<foo>x</foo>", 'Unsupported start tag "foo" at byte offset 0'),
        ("é <br/>", 'Unsupported start tag "br/" at byte offset 3'),
        ("1 < 2 > 1", 'Unsupported start tag "" at byte offset 2'),
        ("a <b", "Unclosed start tag at byte offset 2"),
        ("<a href", 'Unclosed start tag "a" at byte offset 0'),
        ("<a href=", 'Unclosed start tag "a" at byte offset 0'),
        ('<a href="x', "Unclosed start tag at byte offset 0"),
        ("<a href=a/b>x</a>", "Unexpected end of name token at byte offset 8"),
        ('<a ="x">x</a>', 'Empty attribute name in the tag "a" at byte offset 0'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("<b>x</b", "Unclosed end tag at byte offset 4"),
        ("<b>x</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("<b><i>x</b></i>", 'Unmatched end tag at byte offset 7, expected "</i>", found "</b>"'),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("<tg-emoji>x</tg-emoji>", "Invalid custom emoji identifier specified"),
        ("<tg-time>x</tg-time>", "Invalid date and time specified"),
        ("<tg-time unix=1 format=week>x</tg-time>", "Invalid date and time specified"),
        (
            "&#xd800;",
            "Text contains invalid Unicode characters after decoding HTML entities, check for unmatched "
            "surrogate code units",
        ),
    ],
)
def test_broken_markup_is_refused_in_telegrams_words(markup: str, description: str) -> None:
    with pytest.raises(ParseError) as refused:
        parse(markup)
    assert refused.value.description == description
