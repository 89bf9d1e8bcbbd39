"""Which calls of the Bot API deliver a message."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.contract.message import Message
from chalicelib.telegram.rendering import Part, render
from tests.rendering.reading import fields, mode, read
from tools.dev.fake_telegram.markup import utf16_length

PHOTO = "https://example.com/photo.jpg"
BUTTONS = {"inline_keyboard": [[{"text": "Open", "url": "https://example.com"}]]}


def texts(message: Message, *, plain_from: int | None = None) -> list[str]:
    return [fields(part, "text") for part in render(message, plain_from=plain_from)]


# One part


def test_a_short_text_is_one_message_exactly_as_given() -> None:
    assert render(Message(text="  Hello\n")) == (Part(method="sendMessage", fields={"text": "  Hello\n"}),)


def test_the_parse_mode_goes_along() -> None:
    assert render(Message(text="<b>x</b>", parse_mode="HTML")) == (
        Part(method="sendMessage", fields={"text": "<b>x</b>", "parse_mode": "HTML"}),
    )


def test_only_what_telegram_knows_is_sent() -> None:
    message = Message(text="x", sender_app="app", id="1", chat="ops", deliver_at=1, disable_notification=False)
    assert render(message) == (Part(method="sendMessage", fields={"text": "x", "disable_notification": False}),)


@pytest.mark.parametrize("text", ["x" * 4096, "👍" * 2048, "<b>" + "x" * 4096 + "</b>", "&lt;" * 2700])
def test_4096_utf16_units_as_shown_are_one_message(text: str) -> None:
    assert texts(Message(text=text, parse_mode="HTML")) == [text]


@pytest.mark.parametrize("text", ["x" * 4097, "👍" * 2049, "&lt;" * 4097])
def test_one_unit_more_is_two_messages(text: str) -> None:
    assert len(render(Message(text=text, parse_mode="HTML"))) == 2


@pytest.mark.parametrize(
    ("parse_mode", "text"),
    [("HTML", "a < b <b>c"), ("HTML", "<b>" * 1300), ("MarkdownV2", "1. a_b*" * 500), ("MarkdownV2", "*" * 4095 + "x")],
)
def test_broken_markup_that_fits_goes_out_as_it_is_for_telegram_to_judge(parse_mode: str, text: str) -> None:
    part = Part(method="sendMessage", fields={"text": text, "parse_mode": parse_mode})
    assert render(Message(text=text, parse_mode=parse_mode)) == (part,)


@pytest.mark.parametrize(
    ("parse_mode", "broken"),
    [
        ("HTML", "<b>"),
        ("HTML", "</b>"),
        ("HTML", "<i><b></i></b>"),
        ("HTML", "<span>x</span>"),
        ("HTML", '<tg-emoji emoji-id="x">y</tg-emoji>'),
        ("HTML", "<a href=https://example.com>x</a>"),
        ("MarkdownV2", "*"),
        ("MarkdownV2", "a-b"),
        ("MarkdownV2", "a > b"),
        ("MarkdownV2", "[x](https://example.com"),
        ("MarkdownV2", "![x](https://example.com)"),
        ("MarkdownV2", "*a _b* c_"),
    ],
)
def test_broken_markup_that_has_to_be_cut_goes_out_as_plain_text_without_parse_mode(
    parse_mode: str, broken: str
) -> None:
    parts = render(Message(text=broken + " word" * 1000, parse_mode=parse_mode))
    assert [mode(part) for part in parts] == [None, None]
    assert fields(parts[0], "text").startswith(broken + " word")


@pytest.mark.parametrize(
    ("parse_mode", "text", "shown"),
    [
        ("HTML", "<b>Done</b><br>2&nbsp;files &amp; 1 &lt;dir&gt;", "<b>Done</b>\n2 files & 1 <dir>"),
        ("HTML", "a<BR/>\nb<br />c &#xd800; &quot;d&quot; &hellip;", 'a\nb\nc \N{REPLACEMENT CHARACTER} "d" …'),
        ("HTML", "a&#13;&#8;b", "a\nb"),
        ("HTML", "<b>a &#" + "9" * 5000 + ";", "<b>a \N{REPLACEMENT CHARACTER}"),
        ("HTML", "<br>&nbsp;", "<br>&nbsp;"),
        ("MarkdownV2", r"1\.5 GB \(of 2\) \- C:\new *", r"1.5 GB (of 2) - C:\new *"),
        (None, r"<br>&nbsp; 1\.5", r"<br>&nbsp; 1\.5"),
    ],
)
def test_what_goes_out_as_plain_text_is_fit_for_people(parse_mode: str | None, text: str, shown: str) -> None:
    (part,) = render(Message(text=text, parse_mode=parse_mode), plain_from=0)
    assert part.fields == {"text": shown}


# Where it is cut


def test_a_paragraph_is_the_first_choice() -> None:
    assert texts(Message(text="a" * 2500 + "\n\n" + "b" * 1000 + "\n" + "c d " * 300)) == [
        "a" * 2500,
        "b" * 1000 + "\n" + "c d " * 299 + "c d",
    ]


def test_a_line_is_the_second_choice() -> None:
    assert texts(Message(text="a" * 3000 + "\n" + "b c" * 1000)) == ["a" * 3000, "b c" * 1000]


def test_a_word_is_the_third_choice() -> None:
    assert texts(Message(text="a" * 3000 + " " + "b" * 3000)) == ["a" * 3000, "b" * 3000]


def test_a_heading_does_not_become_a_message_of_its_own() -> None:
    first, *_ = texts(Message(text="Heading\n\n" + "a line of words\n" * 500))
    assert utf16_length(first) > 4000


def test_a_word_longer_than_a_message_is_cut_anywhere() -> None:
    assert texts(Message(text="a" * 5000)) == ["a" * 4096, "a" * 904]


@pytest.mark.parametrize("space", ["\u00a0", "\u2007", "\u202f"])
def test_a_non_breaking_space_holds_words_together(space: str) -> None:
    assert texts(Message(text="a" * 4000 + " b" + space + "c" * 200)) == ["a" * 4000, "b" + space + "c" * 200]


@pytest.mark.parametrize(
    "cluster",
    ["e\u0301", "👩🏽", "👨‍👩‍👧‍👦", "🇫🇷", "❤\ufe0f", "🏴\U000e0067\U000e0062\U000e007f", "\u1112\u1161\u11ab", "कि"],
    ids=["accent", "skin tone", "family", "flag", "variation selector", "tag sequence", "Hangul", "vowel sign"],
)
def test_what_a_reader_sees_as_one_character_stays_whole(cluster: str) -> None:
    for before in range(4096 - utf16_length(cluster), 4096):
        first, second = texts(Message(text="x" * before + cluster * 2))
        assert first.lstrip("x") in ("", cluster)
        assert second in (cluster, cluster * 2)


def test_flags_stay_whole_in_a_long_row_of_them() -> None:
    first, *others = texts(Message(text="x" + "🇫🇷" * 3000))
    assert first.startswith("x🇫🇷")
    assert all(text.startswith("🇫🇷") for text in others)


def test_a_joiner_on_the_edge_stays_with_its_emoji() -> None:
    assert all(text.startswith("👩") for text in texts(Message(text="👩\u200d🚀" * 2000)))


def test_right_to_left_text_is_cut_between_its_words() -> None:
    text = "שלום עולם " * 800
    parts = texts(Message(text=text))
    assert " ".join(parts).split() == text.split()


@pytest.mark.parametrize("blank", [" ", "\n", "\u200b", "\u2800", "\u00a0", "\u2060"])
def test_no_part_is_blank(blank: str) -> None:
    assert texts(Message(text="a" + blank * 9000 + "b"))[-1].strip(blank) == "b"
    assert len(texts(Message(text="a" * 4096 + blank * 9000))) == 1


def test_a_long_text_that_shows_nothing_is_left_for_telegram_to_refuse() -> None:
    (text,) = texts(Message(text="\u2800" * 9000))
    assert utf16_length(text) <= 4096


def test_markup_around_no_words_goes_out_as_it_was_written() -> None:
    parts = render(Message(text="<b>&#160;</b>" * 400, parse_mode="HTML"))
    assert "".join(fields(part, "text") for part in parts) == "<b> </b>" * 400
    assert {mode(part) for part in parts} == {None}


# Markup around a cut


def test_html_open_at_a_cut_is_closed_and_opened_again() -> None:
    text = "<b>bold <i>" + "word " * 1000 + "</i></b>"
    first, second = texts(Message(text=text, parse_mode="HTML"))
    assert first.startswith("<b>bold <i>word")
    assert first.endswith("word</i></b>")
    assert second.startswith("<b><i>word")


def test_markdown_open_at_a_cut_is_closed_and_opened_again() -> None:
    text = "*bold __under _" + "word " * 1000 + "end_ __*"
    first, second = texts(Message(text=text, parse_mode="MarkdownV2"))
    # An empty bold entity keeps "_" and "__" apart, as Telegram's documentation advises.
    assert first.endswith("word_**__*")
    assert second.startswith("*__**_word")


def test_code_keeps_its_language_and_its_indentation() -> None:
    text = '<pre><code class="language-python">' + "if x:\n    y = 1\n    z = 2\n" * 300 + "</code></pre>"
    first, second = texts(Message(text=text, parse_mode="HTML"))
    assert first.endswith("if x:</code></pre>")
    assert second.startswith('<pre><code class="language-python">    y = 1\n    z = 2\nif x:')


def test_a_quote_stays_expandable_in_each_part() -> None:
    text = ">" + "\n>".join(["a line of words"] * 400) + "||\nafter"
    parts = texts(Message(text=text, parse_mode="MarkdownV2"))
    assert parts[0].endswith("a line of words||")
    for part in parts:
        assert read(part, "MarkdownV2")[1][0].type == "expandable_blockquote"


def test_a_link_is_cut_only_where_it_is_longer_than_a_message() -> None:
    link = '<a href="https://example.com">' + "link " * 600 + "</a>"
    first, second = texts(Message(text="word " * 300 + link, parse_mode="HTML"))
    assert first == ("word " * 300).rstrip()
    assert second == link


def test_a_link_longer_than_a_message_is_a_link_in_each_part() -> None:
    for part in texts(Message(text='<a href="https://example.com">' + "link " * 1000 + "</a>", parse_mode="HTML")):
        words, (link,) = read(part, "HTML")
        assert (link.url, link.length) == ("https://example.com/", len(words))


@pytest.mark.parametrize(("parse_mode", "start", "end"), [("HTML", "<a>", "</a>"), ("MarkdownV2", "[", "]")])
def test_a_link_that_is_its_own_address_is_never_cut(parse_mode: str, start: str, end: str) -> None:
    link = start + "https://example" + "x" * 200 + end
    assert texts(Message(text="y" * 4000 + link, parse_mode=parse_mode)) == ["y" * 4000, link]
    too_long = start + "https://example" + "x" * 5000 + end
    assert {mode(part) for part in render(Message(text=too_long, parse_mode=parse_mode))} == {None}


def test_a_custom_emoji_is_never_cut() -> None:
    emoji = '<tg-emoji emoji-id="5368324170671202286">a b c</tg-emoji>'
    for before in range(4092, 4096):
        assert texts(Message(text="y" * before + emoji, parse_mode="HTML")) == ["y" * before, emoji]


def test_dense_markup_is_cut_before_telegram_would_ignore_it() -> None:
    words = [f"<b>word{number}</b>" for number in range(300)]
    parts = texts(Message(text=" ".join(words), parse_mode="HTML"))
    assert [len(read(part, "HTML")[1]) for part in parts] == [100, 100, 100]
    assert " ".join(parts) == " ".join(words)
    assert len(texts(Message(text=" ".join([*words[:101], "end"]), parse_mode="HTML"))) == 2


def test_a_style_counts_again_for_each_other_style_that_starts_in_it() -> None:
    text = "<b>" + " ".join(["bold <i>both</i>"] * 60) + "</b>"
    assert len(texts(Message(text=text, parse_mode="HTML"))) == 2


def test_rather_dense_markup_is_one_message_exactly_as_given() -> None:
    assert texts(Message(text=" *x* " * 90, parse_mode="MarkdownV2")) == [" *x* " * 90]


def test_dense_markup_in_a_short_text_is_cut_too() -> None:
    parts = texts(Message(text="*x* " * 150, parse_mode="MarkdownV2"))
    assert [len(read(part, "MarkdownV2")[1]) for part in parts] == [100, 50]


def test_long_addresses_do_not_make_a_request_that_telegram_refuses() -> None:
    link = f'<a href="https://example.com/{"ü" * 1900}">x</a>\n'
    parts = texts(Message(text=link * 16, parse_mode="HTML"))
    assert len(parts) > 1
    assert all(len(part.encode()) <= 32_768 for part in parts)
    assert "\n".join(parts) == (link * 16).strip()


@pytest.mark.parametrize("words", ["x" * 5000, "word " * 1000])
def test_a_long_address_leaves_less_room_for_the_words_of_its_link(words: str) -> None:
    text = f"[{words}](https://example.com/{'y' * 8000})"
    parts = texts(Message(text=text, parse_mode="MarkdownV2"))
    assert all(utf16_length(part) <= 32_768 // 3 for part in parts)
    assert "".join(read(part, "MarkdownV2")[0] for part in parts).replace(" ", "") == words.replace(" ", "")


def test_markup_that_cannot_be_cut_goes_out_as_plain_text() -> None:
    parts = render(Message(text=f'<a href="https://example.com/{"x" * 12_000}">y</a>', parse_mode="HTML"))
    assert {mode(part) for part in parts} == {None}


# Plain text from a part on


def test_the_refused_part_and_those_after_it_are_sent_as_they_were_written() -> None:
    message = Message(text="<b>" + "word " * 1500 + "</b> <i>end</i>", parse_mode="HTML")
    first, second = texts(message, plain_from=1)
    assert first == texts(message)[0]
    assert second.startswith("word word")
    assert second.endswith("word </b> <i>end</i>")
    assert [mode(part) for part in render(message, plain_from=1)] == ["HTML", None]


def test_from_the_first_part_on_all_of_it_is_sent_as_it_was_written() -> None:
    message = Message(text="<b>x", parse_mode="HTML")
    assert render(message, plain_from=0) == render(Message(text="<b>x"))


def test_plain_text_from_a_part_that_does_not_exist_changes_nothing() -> None:
    message = Message(text="<b>x</b>", parse_mode="HTML", photo=PHOTO)
    assert render(message, plain_from=1) == render(message)


def test_a_refused_caption_is_sent_as_it_was_written() -> None:
    (part,) = render(Message(text="<b>x</b>", parse_mode="HTML", photo=PHOTO), plain_from=0)
    assert part.fields == {"photo": PHOTO, "caption": "<b>x</b>"}


def test_the_text_after_a_photo_turns_plain_and_the_photo_stays() -> None:
    message = Message(text="<b>" + "word " * 300 + "</b>", parse_mode="HTML", photo=PHOTO)
    photo, text = render(message, plain_from=1)
    assert photo.fields == {"photo": PHOTO}
    assert text.fields == {"text": message.text}


def test_what_no_longer_fits_into_ten_parts_as_written_becomes_a_file() -> None:
    link = f'<a href="https://example.com/{"a" * 1200}">x</a> '
    message = Message(text="<b>x</b>y " * 800 + link * 8 + "z", parse_mode="HTML")
    formatted = render(message)
    assert len(formatted) == 9
    parts = render(message, plain_from=8)
    assert parts[:8] == formatted[:8]
    assert len(parts) <= 10
    assert parts[-1].file is not None
    assert message.text is not None
    assert message.text.endswith(parts[-1].file[1].decode())


# More than ten parts


def test_a_text_longer_than_ten_messages_becomes_a_file_with_its_first_lines() -> None:
    text = "👍 line\n" * 4000
    (part,) = render(Message(text="<b>" + text + "</b>", parse_mode="HTML"))[:1]
    assert part.method == "sendMessage"
    (part,) = render(Message(text="<b>👍</b> line\n" * 2000, parse_mode="HTML"))
    assert part.method == "sendDocument"
    assert part.file == ("message.txt", ("👍 line\n" * 2000).encode())
    assert list(part.fields) == ["caption"]
    caption = fields(part, "caption")
    assert caption.startswith("👍 line\n👍 line\n")
    assert caption.endswith("👍 line\n…")
    assert 900 < utf16_length(caption) <= 1024


def test_a_caption_of_one_endless_line_ends_within_it() -> None:
    (part,) = render(Message(text="👍" * 32_000))
    assert fields(part, "caption") == "👍" * 511 + "…"


@pytest.mark.parametrize(
    ("parse_mode", "link"),
    [
        ("HTML", '<a href="https://example.com/?a=1&amp;copy=2">the <b>link</b></a>'),
        ("MarkdownV2", r"[the *link*](https://example.com/?a=1&copy=2)"),
    ],
)
def test_a_file_shows_the_addresses_of_links(parse_mode: str, link: str) -> None:
    (part,) = render(Message(text=link + " 👍" * 16_000 + link, parse_mode=parse_mode))
    assert part.file is not None
    shown = "the link (https://example.com/?a=1&copy=2)"
    assert part.file[1].decode() == shown + " 👍" * 16_000 + shown
    assert fields(part, "caption").startswith(shown + " 👍")


@pytest.mark.parametrize(("parse_mode", "link"), [("HTML", "<a>example.com</a>"), ("MarkdownV2", "[example\\.com]")])
def test_a_link_that_is_its_own_address_is_in_a_file_once(parse_mode: str, link: str) -> None:
    (part,) = render(Message(text=link + "👍" * 32_000, parse_mode=parse_mode))
    assert part.file is not None
    assert part.file[1].decode() == "example.com" + "👍" * 32_000


def test_broken_markup_longer_than_ten_messages_is_in_the_file_as_written() -> None:
    (part,) = render(Message(text="<b>" + "👍" * 32_000, parse_mode="HTML"))
    assert part.file == ("message.txt", ("<b>" + "👍" * 32_000).encode())


def test_ten_parts_are_not_too_many() -> None:
    lines = ["x" * 3000] * 10
    assert texts(Message(text="\n".join(lines))) == lines
    assert [part.method for part in render(Message(text="\n".join([*lines, "x" * 2000])))] == ["sendDocument"]


# Photos and documents


def test_a_photo_takes_the_text_as_its_caption() -> None:
    (part,) = render(Message(text="<b>x</b>", parse_mode="HTML", photo=PHOTO))
    assert part == Part(method="sendPhoto", fields={"photo": PHOTO, "caption": "<b>x</b>", "parse_mode": "HTML"})


def test_a_document_without_a_text_goes_alone() -> None:
    url = "https://example.com/report.pdf"
    assert render(Message(document=url)) == (Part(method="sendDocument", fields={"document": url}),)


@pytest.mark.parametrize("text", ["x" * 1024, "👍" * 512, "<b>" + "x" * 1024 + "</b>", "&amp;" * 1024])
def test_a_caption_has_up_to_1024_units_as_shown(text: str) -> None:
    (part,) = render(Message(text=text, parse_mode="HTML", photo=PHOTO))
    assert part.fields["caption"] == text


@pytest.mark.parametrize("text", ["x" * 1025, "👍" * 513, "&amp;" * 1025, "<b>" + "x" * 1022])
def test_a_longer_text_follows_its_photo(text: str) -> None:
    photo, message = render(Message(text=text, parse_mode="HTML", photo=PHOTO))
    assert photo.fields == {"photo": PHOTO}
    assert message.fields == {"text": text, "parse_mode": "HTML"}


def test_a_photo_and_its_text_are_ten_parts_at_most() -> None:
    lines = ["x" * 3000] * 10
    assert len(render(Message(text="\n".join(lines[1:]), photo=PHOTO))) == 10
    photo, file = render(Message(text="\n".join(lines), photo=PHOTO))
    assert (photo.method, file.method) == ("sendPhoto", "sendDocument")


LINKED = "https://example.com/a_b.jpg?c=1&d=2"


@pytest.mark.parametrize(
    ("parse_mode", "link"),
    [
        (None, LINKED),
        ("HTML", "https://example.com/a_b.jpg?c=1&amp;d=2"),
        ("MarkdownV2", r"https://example\.com/a\_b\.jpg?c\=1&d\=2"),
    ],
)
def test_a_photo_that_telegram_cannot_fetch_becomes_a_link_below_the_text(parse_mode: str | None, link: str) -> None:
    message = Message(text="x", parse_mode=parse_mode, photo=LINKED)
    (part,) = render(message, media_as_link=True)
    assert (part.method, fields(part, "text"), mode(part)) == ("sendMessage", "x\n\n" + link, parse_mode)
    assert read(fields(part, "text"), parse_mode)[0] == "x\n\n" + LINKED


def test_a_document_without_a_text_becomes_a_link() -> None:
    assert render(Message(document=LINKED), media_as_link=True) == (
        Part(method="sendMessage", fields={"text": LINKED}),
    )


@pytest.mark.parametrize("plain_from", [None, 0, 1])
def test_the_link_leads_somewhere_as_plain_text_too(plain_from: int | None) -> None:
    text = ("*bold*" if plain_from else "*") + " word" * 1500
    message = Message(text=text, parse_mode="MarkdownV2", photo=LINKED)
    last = render(message, plain_from=plain_from, media_as_link=True)[-1]
    assert mode(last) is None
    assert fields(last, "text").endswith("word\n\n" + LINKED)


def test_the_link_leads_somewhere_in_a_file_too() -> None:
    for text in ("*" + "👍" * 32_000, "*👍*" + "👍" * 32_000):
        (part,) = render(Message(text=text, parse_mode="MarkdownV2", photo=LINKED), media_as_link=True)
        assert part.file is not None
        assert part.file[1].decode().endswith("👍\n\n" + LINKED)


# Options


def test_each_part_carries_the_options_and_the_last_one_the_buttons() -> None:
    options = {"disable_notification": True, "protect_content": True, "message_thread_id": 7}
    message = Message(
        text="word " * 1500,
        photo=PHOTO,
        disable_notification=True,
        protect_content=True,
        message_thread_id=7,
        link_preview_options={"is_disabled": True},
        reply_markup=BUTTONS,
    )
    photo, first, last = (dict(part.fields) for part in render(message))
    assert photo == {"photo": PHOTO, **options}
    assert first == {"text": first["text"], "link_preview_options": {"is_disabled": True}, **options}
    assert last == {
        "text": last["text"],
        "link_preview_options": {"is_disabled": True},
        "reply_markup": BUTTONS,
        **options,
    }


def test_a_file_carries_the_options_but_no_link_preview() -> None:
    message = Message(text="👍" * 32_000, link_preview_options={"is_disabled": True}, reply_markup=BUTTONS)
    (part,) = render(message)
    assert list(part.fields) == ["caption", "reply_markup"]


# Buttons as links


@pytest.mark.parametrize(
    ("fields", "last"),
    [
        ({"text": "low"}, {"text": "low\n\nA & B: http://g/?a&b"}),
        (
            {"text": "<b>low</b>", "parse_mode": "HTML"},
            {"text": "<b>low</b>\n\nA &amp; B: http://g/?a&amp;b", "parse_mode": "HTML"},
        ),
        (
            {"text": "*low*", "parse_mode": "MarkdownV2"},
            {"text": "*low*\n\nA & B: http://g/?a&b", "parse_mode": "MarkdownV2"},
        ),
        ({"photo": PHOTO}, {"photo": PHOTO, "caption": "A & B: http://g/?a&b"}),
        ({"photo": PHOTO, "text": "x" * 1002}, {"photo": PHOTO, "caption": "x" * 1002 + "\n\nA & B: http://g/?a&b"}),
        ({"photo": PHOTO, "text": "x" * 1003}, {"text": "A & B: http://g/?a&b"}),
        ({"text": "x" * 4074}, {"text": "x" * 4074 + "\n\nA & B: http://g/?a&b"}),
        ({"text": "x" * 4075}, {"text": "A & B: http://g/?a&b"}),
        ({"text": "👍" * 2038}, {"text": "A & B: http://g/?a&b"}),
        ({"text": "x" * 50_000}, {"text": "A & B: http://g/?a&b"}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_addresses_of_buttons_stand_below_the_last_words_or_after_them(
    fields: dict[str, Any], last: dict[str, object]
) -> None:
    """The parts before stay as they are, so that a delivery goes on at the number of the one that was refused."""
    keyboard = {"inline_keyboard": [[{"text": "A & B", "url": "http://g/?a&b"}]]}
    message = Message(**fields, reply_markup=keyboard, disable_notification=True)
    with_links, before = render(message, buttons_as_links=True), render(message)
    assert with_links[-1].fields == {**last, "disable_notification": True}
    assert with_links[: len(before) - 1] == before[:-1]
    assert not any("reply_markup" in part.fields for part in with_links)
    if len(with_links) > len(before):
        assert {**with_links[-2].fields, "reply_markup": keyboard} == before[-1].fields
        assert with_links[-2].file == before[-1].file


def test_a_message_without_buttons_has_none_to_show() -> None:
    assert render(Message(text="a"), buttons_as_links=True) == render(Message(text="a"))


# Time


@pytest.mark.parametrize(
    ("parse_mode", "text"),
    [
        ("HTML", "<" * 30_000),
        ("HTML", "<b>" * 10_000),
        ("HTML", "<b>" * 4000 + "x" + "</b>" * 4000),
        ("HTML", "<b></b>" * 4600 + "x"),
        ("HTML", "<a " + "x " * 16_000),
        ("HTML", "<a x=" + '"' * 30_000),
        ("HTML", "<a" + " " * 32_000),
        ("HTML", "&" * 32_000),
        ("HTML", "&#x" + "f" * 32_000),
        ("MarkdownV2", "*" * 8_000),
        ("MarkdownV2", "_" * 32_000),
        ("MarkdownV2", "[a](" * 8_000),
        ("MarkdownV2", "[a](\\" + "x\\" * 16_000),
        ("MarkdownV2", "`" * 32_000),
        ("MarkdownV2", ">" * 32_000),
        ("MarkdownV2", ">\n" * 16_000 + ">x"),
        (None, "x" + "\u0301" * 32_767),
        (None, "🇫🇷" * 16_000),
        (None, "x" + "\u200d" * 32_767),
        (None, "x" + " " * 32_766 + "y"),
        (None, "a\n" * 131_072),
        (None, "\x1b[0;" * 65_000),
        ("HTML", "&lt;" * 65_000),
    ],
)
@pytest.mark.timeout(20)
def test_the_nastiest_text_is_cut_at_once(parse_mode: str | None, text: str) -> None:
    """Nothing looks again and again at the same characters: that would take minutes."""
    assert 1 <= len(render(Message(text=text, parse_mode=parse_mode))) <= 10
