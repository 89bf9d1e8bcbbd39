"""The MarkdownV2 parse mode, case by case."""

from __future__ import annotations

from dataclasses import astuple

import pytest

from tools.dev.fake_telegram.markdown_markup import parse
from tools.dev.fake_telegram.markup import ParseError


def spans(text: str) -> tuple[str, list[tuple[object, ...]]]:
    plain, entities = parse(text)
    return plain, [tuple(part for part in astuple(entity) if part is not None) for entity in entities]


@pytest.mark.parametrize(
    ("markup", "plain", "expected"),
    [
        ("plain", "plain", []),
        ("*bold*", "bold", [("bold", 0, 4)]),
        ("_it_", "it", [("italic", 0, 2)]),
        ("__un__", "un", [("underline", 0, 2)]),
        ("~st~", "st", [("strikethrough", 0, 2)]),
        ("||sp||", "sp", [("spoiler", 0, 2)]),
        ("`co`", "co", [("code", 0, 2)]),
        ("```\ncode\n```", "code\n", [("pre", 0, 5)]),
        ("```code```", "code", [("pre", 0, 4)]),
        ("```python\ncode```", "code", [("pre", 0, 4, "python")]),
        ("`a*b_c.d`", "a*b_c.d", [("code", 0, 7)]),
        (r"`a\`b\\`", "a`b\\", [("code", 0, 4)]),
        (r"1\. a\-b\!", "1. a-b!", []),
        ("\\é", "\\é", []),
        ("*one _two_*", "one two", [("bold", 0, 7), ("italic", 4, 3)]),
        ("_italic __both___", "italic both", [("italic", 0, 11), ("underline", 7, 4)]),
        ("**", "", []),
        ("😀 *é😀*", "😀 é😀", [("bold", 3, 3)]),
        ("[x](https://example.com/a_b)", "x", [("text_link", 0, 1, "https://example.com/a_b")]),
        (r"[x](https://example.com/\(a\))", "x", [("text_link", 0, 1, "https://example.com/(a)")]),
        ("[*x*](https://example.com)", "x", [("text_link", 0, 1, "https://example.com/"), ("bold", 0, 1)]),
        (r"[example\.com]", "example.com", [("text_link", 0, 11, "http://example.com/")]),
        ("[x](nowhere)", "x", []),
        ("[x](tg://user?id=123)", "x", [("text_mention", 0, 1, 123)]),
        ("![👍](tg://emoji?id=5368324170671202286)", "👍", [("custom_emoji", 0, 2, "5368324170671202286")]),
        ("![now](tg://time?unix=1647531900&format=r)", "now", [("date_time", 0, 3, 1647531900, "r")]),
        ("![now](tg://time?unix=1647531900)", "now", [("date_time", 0, 3, 1647531900, "")]),
        (">a\n>b", "a\nb", [("blockquote", 0, 3)]),
        (">a\nb", "a\nb", [("blockquote", 0, 2)]),
        ("x\n>a\n>b||", "x\na\nb", [("expandable_blockquote", 2, 3)]),
        (">a\n>b||\nc", "a\nb\nc", [("expandable_blockquote", 0, 4)]),
        (">*a*", "a", [("blockquote", 0, 1), ("bold", 0, 1)]),
        ("**>a", "a", [("blockquote", 0, 1)]),
        (">a\n>q||e||w||\nb", "a\nqew\nb", [("expandable_blockquote", 0, 6), ("spoiler", 3, 1)]),
        (">a\r\n>q||e||w||", "a\r\nqew", [("expandable_blockquote", 0, 6), ("spoiler", 4, 1)]),
        (">||", "", []),
        ("![👍](TG://EMoJI/?test=1&id=25#id=32)a", "👍a", [("custom_emoji", 0, 2, "25")]),
    ],
)
def test_markup_becomes_words_and_entities(markup: str, plain: str, expected: list[tuple[object, ...]]) -> None:
    assert spans(markup) == (plain, expected)


@pytest.mark.parametrize("character", list("].()#+-=|{}!"))
def test_a_reserved_character_must_be_escaped(character: str) -> None:
    with pytest.raises(ParseError) as refused:
        parse(f"a {character} b")
    assert refused.value.description == (
        f"Character '{character}' is reserved and must be escaped with the preceding '\\'"
    )


@pytest.mark.parametrize(
    ("markup", "description"),
    [
        ("a > b", "Character '>' is reserved and must be escaped with the preceding '\\'"),
        ("*open", "Can't find end of Bold entity at byte offset 0"),
        ("é _open", "Can't find end of Italic entity at byte offset 3"),
        ("__open", "Can't find end of Underline entity at byte offset 0"),
        ("~open", "Can't find end of Strikethrough entity at byte offset 0"),
        ("||open", "Can't find end of Spoiler entity at byte offset 0"),
        ("`open", "Can't find end of Code entity at byte offset 0"),
        ("```open", "Can't find end of Pre entity at byte offset 0"),
        ("```py\nopen", "Can't find end of PreCode entity at byte offset 0"),
        ("[open", "Can't find end of TextUrl entity at byte offset 0"),
        ("[x](open", "Can't find end of a URL at byte offset 4"),
        ("*a _b*", "Can't find end of Bold entity at byte offset 5"),
        (">a\n>q||ew\n||b", "Can't find end of Spoiler entity at byte offset 5"),
        (">a\n>q||e||w__\n||b", "Can't find end of Underline entity at byte offset 11"),
        (">*a\nb*", "Can't find end of Bold entity at byte offset 1"),
        ("![x]", "The entity must contain a tg://emoji or tg://time URL"),
        ("![x](tg://time?unix=now)", "Invalid tg://emoji or tg://time URL specified"),
        ("![x](tg://time?unix=1&format=week)", "Invalid tg://emoji or tg://time URL specified"),
        ("![x](https://example.com)", "Invalid tg://emoji or tg://time URL specified"),
    ],
)
def test_broken_markup_is_refused_in_telegrams_words(markup: str, description: str) -> None:
    with pytest.raises(ParseError) as refused:
        parse(markup)
    assert refused.value.description == description
