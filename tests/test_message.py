"""The contract of a message: what each field takes, and what it does not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chalicelib.contract.message import FIELDS, HEARTBEAT_FIELDS, InvalidMessage, Message, clean, has_words, parse_json

NOW = 1_800_000_000.0
THIRTY_DAYS = 30 * 86_400
KIB_256 = 256 * 1024
URL = "https://example.com/a.png"


def keyboard(*buttons: object) -> dict[str, object]:
    return {"inline_keyboard": [list(buttons)]}


BUTTON = {"text": "Look", "url": "https://example.com/"}
LIVE = {"text": "a", "collapse_key": "disk-db1"}
BEAT = {"heartbeat": "nightly", "every": 93_600}


def read(fields: object, **options: Any) -> Message:
    return Message.from_fields(fields, now=NOW, **options)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"text": "a"}, id="text"),
        pytest.param({"text": "x" * KIB_256}, id="text_256_KiB"),
        pytest.param({"text": "\U0001f600" * (KIB_256 // 4)}, id="text_256_KiB_emoji"),
        pytest.param({"text": " a\n\tb "}, id="text_with_blanks"),
        pytest.param({"text": "0"}, id="text_zero"),
        pytest.param({"text": "a", "sender_app": "cron job 1"}, id="sender_app"),
        pytest.param({"text": "a", "sender_app": "s" * 64}, id="sender_app_64"),
        pytest.param({"text": "a", "id": "!"}, id="id_1"),
        pytest.param({"text": "a", "id": "~" * 255}, id="id_255"),
        pytest.param({"text": "a", "chat": "ops"}, id="chat"),
        pytest.param({"text": "a", "chat": "Família 👪"}, id="chat_not_ascii"),
        pytest.param({"text": "a", "chat": "c" * 64}, id="chat_64"),
        pytest.param({"text": "a", "parse_mode": "HTML"}, id="parse_mode_html"),
        pytest.param({"text": "a", "parse_mode": "MarkdownV2"}, id="parse_mode_markdown"),
        pytest.param({"text": "a", "disable_notification": False}, id="disable_notification"),
        pytest.param({"text": "a", "protect_content": True}, id="protect_content"),
        pytest.param({"text": "a", "message_thread_id": 1}, id="thread_1"),
        pytest.param({"text": "a", "message_thread_id": 2**53 - 1}, id="thread_most"),
        pytest.param({"text": "a", "link_preview_options": {}}, id="preview_empty"),
        pytest.param({"text": "a", "link_preview_options": {"is_disabled": True}}, id="preview_off"),
        pytest.param(
            {
                "text": "a",
                "link_preview_options": {
                    "url": "http://example.com",
                    "prefer_small_media": False,
                    "prefer_large_media": True,
                    "show_above_text": True,
                },
            },
            id="preview_all",
        ),
        pytest.param({"text": "a", "reply_markup": keyboard(BUTTON)}, id="button"),
        pytest.param({"text": "a", "reply_markup": keyboard(*[BUTTON] * 100)}, id="button_100"),
        pytest.param({"text": "a", "reply_markup": keyboard({**BUTTON, "text": "x" * 256})}, id="button_text_256"),
        pytest.param({"photo": URL}, id="photo_alone"),
        pytest.param({"document": URL}, id="document_alone"),
        pytest.param({"photo": URL, "text": "a"}, id="photo_with_text"),
        pytest.param({"photo": "https://example.com/" + "a" * 2028}, id="photo_2048"),
        pytest.param({"photo": "https://example.com:8443/a?b=c#d"}, id="photo_port_and_query"),
        pytest.param({"photo": "https://93.184.216.34/a"}, id="photo_public_ip"),
        pytest.param({"photo": "https://[2606:2800:220:1::1]/a"}, id="photo_public_ipv6"),
        pytest.param({"photo": "https://bücher.example/ä"}, id="photo_idn"),
        pytest.param({"text": "a", "deliver_at": 0}, id="deliver_at_long_ago"),
        pytest.param({"text": "a", "deliver_at": int(NOW) + THIRTY_DAYS}, id="deliver_at_30_days"),
        pytest.param({"text": "a", "collapse_key": "!"}, id="collapse_key_1"),
        pytest.param({"text": "a", "collapse_key": "~" * 255}, id="collapse_key_255"),
        pytest.param({"photo": URL, "collapse_key": "k"}, id="collapse_key_of_a_photo"),
        pytest.param({**LIVE, "renotify": True, "disable_notification": False}, id="renotify"),
        pytest.param({"text": "a", "renotify": False, "ack": False, "urgent": False}, id="flags_that_ask_for_nothing"),
        pytest.param({**LIVE, "disable_notification": True, "renotify": False}, id="renotify_not_and_no_sound"),
        pytest.param({**LIVE, "ack": True}, id="ack"),
        pytest.param({**LIVE, "ack": True, "escalate_after": 1}, id="escalate_after_1"),
        pytest.param({**LIVE, "ack": True, "escalate_after": 86_400}, id="escalate_after_a_day"),
        pytest.param({"text": "a", "urgent": True}, id="urgent"),
        pytest.param({"heartbeat": "!", "every": 1}, id="heartbeat_least"),
        pytest.param({"heartbeat": "~" * 64, "every": 366 * 86_400}, id="heartbeat_most"),
        pytest.param({**BEAT, "chat": "ops", "sender_app": "cron"}, id="heartbeat_with_all"),
    ],
)
def test_what_the_contract_takes_stays_as_it_is(fields: dict[str, object]) -> None:
    assert read(fields).to_fields() == fields


def test_only_the_default_chat_is_filled_in() -> None:
    message = read({"text": "a"})
    assert message.chat == "default"
    assert (message.id, message.parse_mode, message.disable_notification, message.deliver_at) == (None,) * 4
    assert read({"text": "a", "chat": "default"}).to_fields() == {"text": "a"}


def test_what_is_null_is_left_out() -> None:
    """Null says the same as nothing: of the words, too, where a photo stands for them."""
    assert read({"text": "a", **dict.fromkeys(set(FIELDS) - {"text"}), "chat_id": None}) == Message(text="a")
    assert read({"text": None, "photo": URL}) == Message(photo=URL)
    with pytest.raises(InvalidMessage, match="text: is required"):
        read({"text": None})


@pytest.mark.parametrize(
    ("given_mode", "mode"),
    [("html", "HTML"), ("Html", "HTML"), ("markdownv2", "MarkdownV2"), ("MARKDOWNV2", "MarkdownV2")],
)
def test_a_parse_mode_is_taken_in_any_case(given_mode: str, mode: str) -> None:
    """Telegram reads it so, and senders write it so."""
    assert read({"text": "a", "parse_mode": given_mode}).parse_mode == mode


WRONG_TYPES: dict[str, list[object]] = {
    "text": [5, 1.5, True, ["a"], {"a": 1}],
    "id": [5, 1.5, True, ["a"], {"a": 1}],
    "chat": [2137200685, True, ["a"], {"a": 1}],
    "parse_mode": [1, True, ["HTML"], {"HTML": 1}],
    "disable_notification": [0, 1, "true", "", [], {}],
    "protect_content": [0, 1, "false", [], {}],
    "message_thread_id": [True, False, 7.0, "7", [7], {}],
    "link_preview_options": [True, 1, "{}", [], [{}]],
    "reply_markup": [True, 1, "{}", [], [BUTTON]],
    "photo": [5, True, [URL], {"url": URL}],
    "document": [5, True, [URL], {"url": URL}],
    "deliver_at": [True, False, 1.8e9, "1800000000", [1], {}],
    "collapse_key": [5, 1.5, True, ["a"], {"a": 1}],
    "renotify": [0, 1, "true", [], {}],
    "ack": [0, 1, "true", [], {}],
    "escalate_after": [True, False, 60.0, "60", "1m", [60], {}],
    "urgent": [0, 1, "true", [], {}],
    "heartbeat": [5, 1.5, True, ["a"], {"a": 1}],
    "every": [True, False, 60.0, [60], {}],
}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param(field, value, id=f"{field}_{json.dumps(value)[:20]}")
        for field, values in WRONG_TYPES.items()
        for value in values
    ],
)
def test_a_value_of_the_wrong_type_is_refused_by_the_name_of_the_field(field: str, value: object) -> None:
    for options in ({}, {"ignore_unknown": True}):
        with pytest.raises(InvalidMessage) as caught:
            read({"text": "a", field: value}, **options)
        assert caught.value.field == field
        assert str(caught.value) == f"{field}: {caught.value.reason}"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        pytest.param({}, "text", id="nothing"),
        pytest.param({"sender_app": "a"}, "text", id="no_text"),
        pytest.param({"text": ""}, "text", id="text_empty"),
        pytest.param({"text": "", "photo": URL}, "text", id="text_empty_with_photo"),
        pytest.param({"text": " \t\r\n\u3000\xa0"}, "text", id="text_blank"),
        pytest.param({"text": "\u200b\u200d\ufeff\u2060"}, "text", id="text_zero_width"),
        pytest.param({"text": "\x00\x1b"}, "text", id="text_controls"),
        pytest.param({"text": "\ud800\udfff"}, "text", id="text_surrogates"),
        pytest.param({"text": "x" * (KIB_256 + 1)}, "text", id="text_256_KiB_and_1"),
        pytest.param({"text": "é" * (KIB_256 // 2 + 1)}, "text", id="text_256_KiB_in_bytes_and_2"),
        pytest.param({"text": "a" + '"' * (KIB_256 - 1)}, "body", id="text_too_large_for_a_row"),
        pytest.param({"text": "a", "id": ""}, "id", id="id_empty"),
        pytest.param({"text": "a", "id": "k" * 256}, "id", id="id_256"),
        pytest.param({"text": "a", "id": "a b"}, "id", id="id_space"),
        pytest.param({"text": "a", "id": "a\n"}, "id", id="id_newline"),
        pytest.param({"text": "a", "id": "\x7f"}, "id", id="id_del"),
        pytest.param({"text": "a", "id": "é"}, "id", id="id_not_ascii"),
        pytest.param({"text": "a", "chat": ""}, "chat", id="chat_empty"),
        pytest.param({"text": "a", "chat": "c" * 65}, "chat", id="chat_65"),
        pytest.param({"text": "a", "chat": "a\n"}, "chat", id="chat_newline"),
        pytest.param({"text": "a", "parse_mode": ""}, "parse_mode", id="parse_mode_empty"),
        pytest.param({"text": "a", "parse_mode": "Markdown"}, "parse_mode", id="parse_mode_legacy"),
        pytest.param({"text": "a", "parse_mode": "MarkdownV3"}, "parse_mode", id="parse_mode_unknown"),
        pytest.param({"text": "a", "message_thread_id": 0}, "message_thread_id", id="thread_0"),
        pytest.param({"text": "a", "message_thread_id": -1}, "message_thread_id", id="thread_negative"),
        pytest.param({"text": "a", "message_thread_id": 2**53}, "message_thread_id", id="thread_2e53"),
        pytest.param({"text": "a", "deliver_at": -1}, "deliver_at", id="deliver_at_negative"),
        pytest.param({"text": "a", "deliver_at": int(NOW) + THIRTY_DAYS + 1}, "deliver_at", id="deliver_at_31_days"),
        pytest.param({"text": "a", "deliver_at": 10**400}, "deliver_at", id="deliver_at_huge"),
        pytest.param({"photo": URL, "document": URL}, "document", id="photo_and_document"),
        pytest.param({"text": "a", "chat_id": 5}, "chat_id", id="chat_id"),
        pytest.param({"text": "a", "chat_id": ""}, "chat_id", id="chat_id_empty"),
        pytest.param(
            {"text": "a", "link_preview_options": {"x": 1}}, "link_preview_options.x", id="preview_unknown_option"
        ),
        pytest.param(
            {"text": "a", "link_preview_options": {"is_disabled": 1}},
            "link_preview_options.is_disabled",
            id="preview_wrong_type",
        ),
        pytest.param(
            {"text": "a", "link_preview_options": {"url": "javascript:1"}},
            "link_preview_options.url",
            id="preview_url",
        ),
        pytest.param({"text": "a", "reply_markup": {}}, "reply_markup.inline_keyboard", id="keyboard_missing"),
        pytest.param({"text": "a", "reply_markup": {"keyboard": []}}, "reply_markup.keyboard", id="reply_keyboard"),
        pytest.param(
            {"text": "a", "reply_markup": {"inline_keyboard": []}}, "reply_markup.inline_keyboard", id="keyboard_empty"
        ),
        pytest.param(
            {"text": "a", "reply_markup": {"inline_keyboard": [BUTTON]}}, "reply_markup.inline_keyboard", id="no_rows"
        ),
        pytest.param(
            {"text": "a", "reply_markup": keyboard(*[BUTTON] * 101)}, "reply_markup.inline_keyboard", id="button_101"
        ),
        pytest.param(
            {"text": "a", "reply_markup": keyboard(BUTTON, {"text": "x"})},
            "reply_markup.inline_keyboard[0][1].url",
            id="button_without_url",
        ),
        pytest.param(
            {"text": "a", "reply_markup": keyboard({**BUTTON, "callback_data": "x"})},
            "reply_markup.inline_keyboard[0][0].callback_data",
            id="button_with_callback_data",
        ),
        pytest.param(
            {"text": "a", "reply_markup": keyboard({**BUTTON, "text": " "})},
            "reply_markup.inline_keyboard[0][0].text",
            id="button_text_blank",
        ),
        pytest.param(
            {"text": "a", "reply_markup": keyboard({**BUTTON, "text": "x" * 257})},
            "reply_markup.inline_keyboard[0][0].text",
            id="button_text_257",
        ),
        pytest.param(
            {"text": "a", "reply_markup": keyboard({**BUTTON, "url": "tg://user?id=1"})},
            "reply_markup.inline_keyboard[0][0].url",
            id="button_url_scheme",
        ),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_the_name_of_the_field(fields: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidMessage) as caught:
        read(fields)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param({**LIVE, "collapse_key": "a b"}, "collapse_key: must be 1 to 255 visible ASCII", id="key_space"),
        pytest.param({**LIVE, "collapse_key": ""}, "collapse_key: must be 1 to 255 visible ASCII", id="key_empty"),
        pytest.param({**LIVE, "collapse_key": "k" * 256}, "collapse_key: must be 1 to 255 visible", id="key_256"),
        pytest.param(
            {"text": "a", "renotify": True}, "renotify: makes sense only with collapse_key: ", id="renotify_alone"
        ),
        pytest.param({"text": "a", "ack": True}, "ack: makes sense only with collapse_key: ", id="ack_alone"),
        pytest.param(
            {**LIVE, "escalate_after": 60}, "escalate_after: makes sense only with ack: ", id="escalation_without_ack"
        ),
        pytest.param(
            {**LIVE, "ack": False, "escalate_after": 60},
            "escalate_after: makes sense only with ack: ",
            id="escalation_with_ack_not",
        ),
        pytest.param(
            {**LIVE, "ack": True, "escalate_after": 0}, "escalate_after: must be from 1 to 86400", id="escalation_0"
        ),
        pytest.param(
            {**LIVE, "ack": True, "escalate_after": 86_401},
            "escalate_after: must be from 1 to 86400",
            id="escalation_over_a_day",
        ),
        pytest.param(
            {**LIVE, "renotify": True, "disable_notification": True},
            "renotify: contradicts disable_notification",
            id="renotify_without_a_sound",
        ),
        pytest.param(
            {"text": "a", "urgent": True, "disable_notification": True},
            "urgent: contradicts disable_notification",
            id="urgent_without_a_sound",
        ),
        pytest.param({"heartbeat": "nightly"}, "every: is required with a heartbeat", id="heartbeat_without_every"),
        pytest.param({"text": "a", "every": 60}, "every: makes sense only with heartbeat: ", id="every_alone"),
        pytest.param({"every": 60}, "every: makes sense only with heartbeat: ", id="every_and_nothing"),
        pytest.param({**BEAT, "heartbeat": ""}, "heartbeat: must be 1 to 64 visible ASCII", id="heartbeat_empty"),
        pytest.param({**BEAT, "heartbeat": "h" * 65}, "heartbeat: must be 1 to 64 visible ASCII", id="heartbeat_65"),
        pytest.param({**BEAT, "heartbeat": "a b"}, "heartbeat: must be 1 to 64 visible ASCII", id="heartbeat_space"),
        pytest.param({**BEAT, "heartbeat": "é"}, "heartbeat: must be 1 to 64 visible ASCII", id="heartbeat_letter"),
        pytest.param({**BEAT, "every": 0}, "every: must be from 1 to 31622400", id="every_0"),
        pytest.param({**BEAT, "every": "0h"}, "every: must be from 1 to 31622400", id="every_0_hours"),
        pytest.param({**BEAT, "every": "367d"}, "every: must be from 1 to 31622400", id="every_367_days"),
        pytest.param({**BEAT, "every": "9" * 400}, "every: must be a number of seconds, or a text", id="every_huge"),
        pytest.param({**BEAT, "every": "1w"}, "every: must be a number of seconds, or a text", id="every_week"),
        pytest.param({**BEAT, "every": "1h30m"}, "every: must be a number of seconds, or a text", id="every_of_two"),
        pytest.param({**BEAT, "every": "-5"}, "every: must be a number of seconds, or a text", id="every_negative"),
        pytest.param({**BEAT, "every": "\u0665h"}, "every: must be a number of seconds, or a text", id="every_arabic"),
    ],
)
def test_a_new_kind_of_message_is_refused_with_the_reason(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(InvalidMessage) as caught:
        read(fields)
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in HEARTBEAT_FIELDS])
def test_a_heartbeat_stands_beside_nothing_that_a_message_has(name: str) -> None:
    """Not even beside what would ask for nothing."""
    fitting: dict[str, object] = {"text": "a", "photo": URL, "document": URL, "id": "k", "collapse_key": "k"}
    fitting |= {"parse_mode": "HTML", "reply_markup": keyboard(BUTTON), "link_preview_options": {}}
    fitting |= {"message_thread_id": 1, "deliver_at": 0, "escalate_after": 1}
    with pytest.raises(InvalidMessage) as caught:
        read({**BEAT, name: fitting.get(name, False)})
    assert str(caught.value) == f"{name}: a heartbeat has no {name}; it takes every, chat, sender_app"


@pytest.mark.parametrize(
    ("every", "seconds"),
    [(1, 1), ("1", 1), ("45s", 45), ("90m", 5400), ("26h", 93_600), ("2D", 172_800), (" 26 h ", 93_600)],
)
def test_every_is_seconds_or_a_text_with_a_unit(every: object, seconds: int) -> None:
    message = read({"heartbeat": "nightly", "every": every})
    assert (message.every, message.to_fields()["every"]) == (seconds, seconds)


@pytest.mark.parametrize(
    ("given_value", "kind"),
    [(None, "null"), (True, "a boolean"), (5, "a number"), (1.5, "a number"), ("x", "a string"), ([], "a list")],
)
def test_anything_but_an_object_is_refused(given_value: object, kind: str) -> None:
    with pytest.raises(InvalidMessage, match=f"body: must be a JSON object, not {kind}"):
        read(given_value)


def test_an_unknown_field_is_refused_by_name_or_ignored() -> None:
    with pytest.raises(InvalidMessage, match="txet: unknown field; the fields are text, sender_app, id") as caught:
        read({"text": "a", "txet": 1})
    assert caught.value.field == "txet"
    assert read({"text": "a", "txet": 1}, ignore_unknown=True) == Message(text="a")


def test_a_raw_chat_id_is_not_ignored_as_an_unknown_field() -> None:
    with pytest.raises(InvalidMessage, match="chat_id: "):
        read({"text": "a", "chat_id": 5}, ignore_unknown=True)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        pytest.param("a\x00b", "ab", id="nul"),
        pytest.param("".join(map(chr, range(0x0B))) + "a", "\t\na", id="controls"),
        pytest.param("".join(map(chr, range(0x0E, 0x1B))) + "".join(map(chr, range(0x1C, 0x20))), "", id="controls_2"),
        pytest.param("a\r\nb", "a\nb", id="crlf"),
        pytest.param("10%\r20%\r100% done\r\n", "10%\n20%\n100% done\n", id="carriage_returns"),
        pytest.param("page1\x0cpage2\x0bcell", "page1\npage2\ncell", id="form_feed_and_vertical_tab"),
        pytest.param("\x1b[31mERROR\x1b[0m disk \x1b[1;38;5;9mfull\x1b[m", "ERROR disk full", id="colours"),
        pytest.param("\x1b[2K\x1b[1A\x1b[?25lstill", "still", id="cursor"),
        pytest.param("\x1b]0;a title\x07a\x1b]8;;https://a.b/\x1b\\link\x1b]8;;\x1b\\", "alink", id="titles_and_links"),
        pytest.param("\x1b(Ba\x1b7\x1b=b", "ab", id="other_sequences"),
        pytest.param("a\x1b", "a", id="escape_at_the_end"),
        pytest.param("\x1b]0;no end", "]0;no end", id="sequence_without_an_end"),
        pytest.param("\ufeffa\ufeffb", "ab", id="byte_order_marks"),
        pytest.param("a\ud800b\udfff", "a\ufffdb\ufffd", id="lone_surrogates"),
        pytest.param("\U0001f600", "\U0001f600", id="emoji"),
        pytest.param("a\uffff\ufdd0\U0001fffe", "a\ufffd\ufffd\ufffd", id="noncharacters"),
        pytest.param("\u202eabc\u200d", "\u202eabc\u200d", id="format_characters"),
        pytest.param("\x7f\x80\x85\u2028", "\x7f\x80\x85\u2028", id="other_controls"),
    ],
)
def test_a_text_is_made_fit_to_be_shown_and_nothing_else_is_changed(text: str, cleaned: str) -> None:
    """Line breaks of all kinds are one kind; what a terminal would not show goes; broken characters stay visible."""
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        pytest.param("\x1b[31m", "[31m", id="escape_sequence"),
        pytest.param("\uffff\ufdd0", "\ufffd\ufffd", id="noncharacters"),
        pytest.param("\ufffd", "\ufffd", id="replacement_character"),
        pytest.param("\u0301", "\u0301", id="accent"),
    ],
)
def test_a_text_of_nothing_but_oddities_is_a_text(text: str, cleaned: str) -> None:
    """As long as there is something to show, it is shown."""
    assert has_words(text)
    assert read({"text": text}).text == cleaned


@pytest.mark.parametrize(
    ("given_app", "label"),
    [
        pytest.param("s" * 65, "s" * 64, id="65_characters"),
        pytest.param("s" * 10_240, "s" * 64, id="10_KB"),
        pytest.param("é" * 63 + "  end", "é" * 63, id="blank_at_the_cut"),
        pytest.param("a\nERROR fake", "a ERROR fake", id="line_break"),
        pytest.param(" a\u2028b ", "a b", id="line_separator"),
        pytest.param("\x1b[31mred\x1b[0m", "red", id="colours"),
        pytest.param("\u202ea", "a", id="direction"),
        pytest.param(7, "7", id="int"),
        pytest.param(1.5, "1.5", id="float"),
        pytest.param(True, "True", id="boolean"),
        pytest.param(["cron", 1], "['cron', 1]", id="list"),
        pytest.param({"name": "x" * 100}, "{'name': '" + "x" * 54, id="object"),
        pytest.param(" ", None, id="blank"),
        pytest.param("", None, id="empty"),
        pytest.param("\ud800", "\ufffd", id="lone_surrogate"),
    ],
)
def test_a_sender_app_is_never_refused_and_is_one_short_line(given_app: object, label: str | None) -> None:
    """It is a label for the logs, whatever it is."""
    assert read({"text": "a", "sender_app": given_app}).sender_app == label


def test_a_message_cannot_be_made_or_changed_into_an_invalid_one() -> None:
    with pytest.raises(InvalidMessage):
        Message(text="")
    with pytest.raises(InvalidMessage):
        Message(text="a", id="a b")
    with pytest.raises(AttributeError):
        Message(text="a").text = ""  # type: ignore[misc]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from([*FIELDS, "chat_id", "url", "inline_keyboard", "is_disabled"]) | st.text(max_size=3)
ANY_STRING = st.text(st.characters(codec=None), max_size=30)  # lone surrogates too
URLS = st.builds("https://{}/{}".format, st.sampled_from(["example.com", "[::1]", "1.2.3.4", "a..b"]), ANY_STRING)


@settings(max_examples=200, deadline=None)
@given(JSON | st.dictionaries(NAMES, JSON | ANY_STRING | URLS, max_size=6), st.booleans())
@example({"text": "a", "photo": "https://[v1.a]/"}, False)
@example({"text": "a", "photo": "https://example.com\u2100/"}, False)
@example({"text": "a", "deliver_at": float("inf")}, False)
@example({"\ud800": 1, "text": "\ud800"}, False)
def test_reading_anything_gives_a_message_or_invalid_message(value: object, ignore_unknown: bool) -> None:
    try:
        message = read(value, ignore_unknown=ignore_unknown)
    except InvalidMessage as error:
        str(error).encode()  # fit to be sent: no lone surrogate of the caller's
        return
    json.dumps(message.to_fields(), ensure_ascii=False).encode()


PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20)
VISIBLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=255)
BUTTONS = st.fixed_dictionaries({"text": PRINTABLE.filter(str.strip), "url": st.just("https://example.com/")})
MESSAGES = st.fixed_dictionaries(
    {"text": st.text(max_size=200).map("a{}".format)},
    optional={
        "sender_app": PRINTABLE,
        "id": VISIBLE,
        "chat": PRINTABLE,
        "parse_mode": st.sampled_from(["HTML", "MarkdownV2"]),
        "disable_notification": st.booleans(),
        "protect_content": st.booleans(),
        "message_thread_id": st.integers(1, 2**53 - 1),
        "link_preview_options": st.fixed_dictionaries({}, optional={"is_disabled": st.booleans()}),
        "reply_markup": st.fixed_dictionaries(
            {"inline_keyboard": st.lists(st.lists(BUTTONS, min_size=1, max_size=3), min_size=1, max_size=3)}
        ),
        "photo": st.just(URL),
        "deliver_at": st.integers(0, int(NOW) + THIRTY_DAYS),
        "collapse_key": VISIBLE,
    },
)


BEATS = st.fixed_dictionaries(
    {"heartbeat": VISIBLE.map(lambda name: name[:64]), "every": st.integers(1, 366 * 86_400)},
    optional={"chat": PRINTABLE, "sender_app": PRINTABLE},
)


@settings(max_examples=100, deadline=None)
@given(MESSAGES | BEATS)
def test_a_message_comes_back_from_its_fields_as_it_was(fields: dict[str, object]) -> None:
    message = read(fields)
    assert read(message.to_fields()) == message
    assert read(parse_json(json.dumps(message.to_fields()))) == message
