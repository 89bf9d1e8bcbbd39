"""Texts that are cut, read by an independent parser: nothing is lost, nothing doubled, and no look changes."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from chalicelib.contract.escaping import plain
from chalicelib.contract.message import Message
from chalicelib.telegram import cutting, rendering
from tests.rendering.reading import fields, looks, mode, read, visible
from tests.rendering.samples import HTML_GARBAGE, MARKDOWN_GARBAGE, html_texts, markdown_texts
from tools.dev.fake_telegram.markup import ParseError, utf16_length

FAST = settings(deadline=None, derandomize=True, max_examples=40, database=None)

MARKED_UP = [
    (
        "HTML",
        'Dear <b>all <i>of</i> you</b>,\n\n<a href="https://example.com/?a=1&amp;b=2">here</a> &lt;it&gt; is 👍🏽.',
    ),
    ("HTML", '<pre><code class="language-python">def f():\n    if x:\n\n        return "&amp;"\n</code></pre> done'),
    ("HTML", "<blockquote expandable>first line\nsecond <s>line</s>\n\nthird</blockquote>\nand <code>a  b</code>"),
    ("HTML", '<b>a <tg-emoji emoji-id="5368324170671202286">👍</tg-emoji> <tg-spoiler>b</tg-spoiler></b>  <u>c</u>'),
    ("HTML", "<i>Tom&ltdJerry&amp;&#128512;&#12345678&company</i>"),
    ("MarkdownV2", "*bold _italic __all ~three~__ of_ them* and ||a spoiler|| \\- the end\\."),
    (
        "MarkdownV2",
        "__under **_both words_**__ [a *link*](https://example.com/a\\)b) ![👍](tg://emoji?id=5368324170671202286)",
    ),
    ("MarkdownV2", "before\n>quote *with\n>bold* words\nbetween\n>more\n>and ||secret||||\nafter"),
    ("MarkdownV2", "*bold\n>quote in it\n>goes on\n* `code \\` here` \\\\ \\\ntext"),
    ("MarkdownV2", "```python\ndef f():\n    return 1\n\nf()```\n```\nplain  pre``` é\\é _\\__"),
    ("MarkdownV2", ">one\n>two||\n**>three\n>four"),
    ("MarkdownV2", "an escaped line end\\\n>starts a quote too"),
]


def cut(text: str, parse_mode: str | None, max_units: int) -> list[tuple[str, str | None, int]]:
    chunks = rendering._split(text, parse_mode, max_units, 100_000)
    assert chunks is not None
    return [(chunk.text, chunk.parse_mode, chunk.start) for chunk in chunks]


def assert_same(text: str, parse_mode: str | None, chunks: list[tuple[str, str | None, int]], max_units: int) -> None:
    """The chunks are within the limits, and show what the text shows, character by character."""
    words, entities = read(text, parse_mode)
    shown = []
    for chunk, chunk_mode, _ in chunks:
        chunk_words, chunk_entities = read(chunk, chunk_mode)
        assert utf16_length(chunk_words) <= max_units
        assert len(chunk_entities) <= cutting.MAX_ENTITIES
        assert chunk_words.strip()
        shown += visible(looks(chunk_words, chunk_entities))
    if all(chunk_mode == parse_mode for _, chunk_mode, _ in chunks):
        assert shown == visible(looks(words, entities))
    else:
        assert [character for character, _ in shown] == list("".join(plain(text, parse_mode).split()))


@pytest.mark.parametrize(("parse_mode", "text"), MARKED_UP)
def test_markup_keeps_its_look_wherever_it_is_cut(parse_mode: str, text: str) -> None:
    words, _ = read(text, parse_mode)
    for max_units in range(11, utf16_length(words) + 1):
        chunks = cut(text, parse_mode, max_units)
        assert all(chunk_mode == parse_mode for _, chunk_mode, _ in chunks)
        assert_same(text, parse_mode, chunks, max_units)


@pytest.mark.parametrize(("parse_mode", "text"), MARKED_UP)
def test_markup_keeps_its_look_at_the_real_limit(parse_mode: str, text: str) -> None:
    for before in (3990, 4040, 4085):
        padded = "x" * before + "\n" + text
        if utf16_length(read(padded, parse_mode)[0]) > rendering.MAX_TEXT_UNITS:
            chunks = cut(padded, parse_mode, rendering.MAX_TEXT_UNITS)
            assert all(chunk_mode == parse_mode for _, chunk_mode, _ in chunks)
            assert_same(padded, parse_mode, chunks, rendering.MAX_TEXT_UNITS)


@FAST
@given(text=html_texts(), max_units=st.integers(4, 60))
def test_html_keeps_its_look(text: str, max_units: int) -> None:
    assume(read(text, "HTML")[0].strip())
    assert_same(text, "HTML", cut(text, "HTML", max_units), max_units)


@FAST
@given(text=markdown_texts(), max_units=st.integers(4, 60))
def test_markdown_keeps_its_look(text: str, max_units: int) -> None:
    try:
        assume(read(text, "MarkdownV2")[0].strip())
    except ParseError:
        assume(False)
    assert_same(text, "MarkdownV2", cut(text, "MarkdownV2", max_units), max_units)


@FAST
@given(sample=st.one_of(html_texts().map(lambda x: ("HTML", x)), markdown_texts().map(lambda x: ("MarkdownV2", x))))
def test_dense_markup_keeps_its_look_under_small_limits_of_markup(sample: tuple[str, str]) -> None:
    parse_mode, text = sample
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "MAX_ENTITIES", 5)
        patch.setattr(cutting, "MAX_WRITTEN_UNITS", 250)
        try:
            assume(read(text, parse_mode)[0].strip())
        except ParseError:
            assume(False)
        chunks = cut(text, parse_mode, 30)
        assert_same(text, parse_mode, chunks, 30)
        assert len(chunks) == 1 or all(utf16_length(chunk) <= 250 for chunk, _, _ in chunks)


@FAST
@given(text=st.one_of(HTML_GARBAGE, html_texts().map(lambda text: text[1:])), max_units=st.integers(4, 60))
def test_broken_html_goes_out_whole_or_as_plain_text(text: str, max_units: int) -> None:
    assert_tolerated(text, "HTML", max_units)


@FAST
@given(text=st.one_of(MARKDOWN_GARBAGE, markdown_texts().map(lambda text: text[:-1])), max_units=st.integers(4, 60))
@example(text=">a\n>b _c_\nd", max_units=5)
@example(text="_a __b__ c_ d", max_units=4)
def test_broken_markdown_goes_out_whole_or_as_plain_text(text: str, max_units: int) -> None:
    assert_tolerated(text, "MarkdownV2", max_units)


def assert_tolerated(text: str, parse_mode: str, max_units: int) -> None:
    assume(text.strip())
    chunks = cut(text, parse_mode, max_units)
    try:
        words, _ = read(text, parse_mode)
    except ParseError:
        # Never half of it as markup: whole with its parse mode, for Telegram to judge, or plain.
        if utf16_length(text) <= max_units:
            assert [chunk[:2] for chunk in chunks] == [(text, parse_mode)]
        else:
            assert {chunk_mode for _, chunk_mode, _ in chunks} == {None}
            shown = "".join(chunk for chunk, _, _ in chunks)
            assert "".join(shown.split()) == "".join(plain(text, parse_mode).split())
    else:
        if words.strip():
            assert_same(text, parse_mode, chunks, max_units)


@FAST
@given(text=st.text(st.characters(exclude_categories=("Cs", "Cc", "Cf")), min_size=1), max_units=st.integers(4, 40))
def test_plain_text_loses_only_whitespace_at_the_cuts(text: str, max_units: int) -> None:
    assume(any(character.isalnum() for character in text))
    position = 0
    for chunk, _, start in cut(text, None, max_units):
        assert utf16_length(chunk) <= max_units
        assert text.startswith(chunk, start)
        assert re.fullmatch(r"\s*|[^\w]*", text[position:start])
        position = start + len(chunk)
    assert not any(character.isalnum() for character in text[position:])


@FAST
@given(
    text=st.text(st.sampled_from("ab \n👍é\u0301"), min_size=1, max_size=32_768).map(lambda text: text * 40),
    parse_mode=st.sampled_from([None, "HTML", "MarkdownV2"]),
)
def test_long_texts_arrive_in_order_within_the_limits(text: str, parse_mode: str | None) -> None:
    text = text[:32_768]
    assume("a" in text)
    parts = rendering.render(Message(text=text, parse_mode=parse_mode))
    assert parts == rendering.render(Message(text=text, parse_mode=parse_mode))
    assert len(parts) <= rendering.MAX_PARTS
    if parts[0].file is None:
        assert "".join("".join(fields(part, "text") for part in parts).split()) == "".join(text.split())
        assert all(utf16_length(fields(part, "text")) <= 4096 for part in parts)


@pytest.mark.parametrize("plain_from", range(11))
def test_each_word_arrives_once_whichever_part_turns_plain(plain_from: int) -> None:
    random = Random(plain_from)
    for count in (250, 500):
        words = [f"word{number:04}-{'x' * random.randint(0, 40)}" for number in range(count)]
        tags = [random.choice(["", "", "b", "i", "code", "blockquote"]) for _ in words]
        text = " ".join(f"<{tag}>{word}</{tag}>" if tag else word for tag, word in zip(tags, words, strict=True))
        message = Message(text=text, parse_mode="HTML")
        formatted, parts = rendering.render(message), rendering.render(message, plain_from=plain_from)
        assert len(formatted) > 1
        assert parts[:plain_from] == formatted[:plain_from]
        assert all(mode(part) is None for part in parts[plain_from:])
        sent = "".join(part.file[1].decode() if part.file else fields(part, "text") for part in parts)
        assert re.findall(r"word\d{4}", sent) == [word[:8] for word in words]
        rest = "".join(fields(part, "text") for part in parts[plain_from:])
        assert "".join(text.split()).endswith("".join(rest.split()))
