"""What the edits of a live message make of the chat: parts, captions, keyboards, markup, and what is gone."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from chalicelib.doors.stream import Tasks
from chalicelib.settings import Parameters
from chalicelib.telegram.bot_api import Telegram
from tests.conftest import NewRelay
from tests.doors import Clock, RelayDoors
from tests.live import Watched
from tools.dev.fake_telegram import FakeTelegram

pytestmark = pytest.mark.outbox("memory")

KEY = "disk-db1"
PHOTO, OTHER_PHOTO = "https://example.com/a.png", "https://example.com/b.png"
ONE, TWO, THREE, FOUR = (letter * 4000 for letter in "abcd")
BUTTON = {"inline_keyboard": [[{"text": "Runbook", "url": "https://example.com/runbook"}]]}
OTHER_BUTTON = {"inline_keyboard": [[{"text": "Graph", "url": "https://example.com/graph"}]]}


class Chat:
    """A chat in which each message has the same key."""

    def __init__(self, doors: RelayDoors, watched: Watched, telegram: FakeTelegram, clock: Clock) -> None:
        self._doors = doors
        self._watched = watched
        self._telegram = telegram
        self._clock = clock

    def show(self, **fields: Any) -> dict[str, Any]:
        """Sends a message, and gives what its sender is told."""
        answer = self._doors.post(json.dumps({"collapse_key": KEY, **fields}))
        assert answer.status_code == 200, answer.body
        assert isinstance(answer.body, dict)
        return answer.body

    def calls(self) -> list[str]:
        return self._watched.take()

    @property
    def messages(self) -> list[dict[str, Any]]:
        return self._telegram.messages

    @property
    def texts(self) -> list[str]:
        return [message.get("text") or message.get("caption") or "" for message in self.messages]

    @property
    def repeated(self) -> str:
        return f"×2, last at {datetime.fromtimestamp(self._clock(), timezone.utc):%H:%M} UTC"


@pytest.fixture
def watched(telegram: FakeTelegram, parameters: Parameters) -> Watched:
    return Watched(Telegram(telegram.url, parameters.bot_token))


@pytest.fixture
def doors(new_relay: NewRelay, watched: Watched, tasks: Tasks, parameters: Parameters, clock: Clock) -> RelayDoors:
    return RelayDoors(new_relay(sender=watched), tasks, parameters, clock)


@pytest.fixture
def chat(doors: RelayDoors, watched: Watched, telegram: FakeTelegram, clock: Clock) -> Chat:
    clock.now -= clock.now % 60  # a test that waits a few seconds is over in the same minute
    return Chat(doors, watched, telegram, clock)


@pytest.mark.parametrize(
    ("first", "second", "calls"),
    [
        pytest.param([ONE, TWO], [ONE, THREE], ["editMessageText"], id="the last one changes"),
        pytest.param([ONE, TWO], [THREE, TWO], ["editMessageText"], id="the first one changes"),
        pytest.param([ONE], [ONE, TWO, THREE], ["sendMessage", "sendMessage"], id="more"),
        pytest.param([ONE, TWO, THREE], [ONE], ["deleteMessage", "deleteMessage"], id="fewer"),
        pytest.param([ONE, TWO, THREE], [FOUR, TWO], ["editMessageText", "deleteMessage"], id="fewer, and another"),
    ],
)
def test_only_the_parts_of_a_split_text_that_differ_are_changed(
    chat: Chat, first: list[str], second: list[str], calls: list[str]
) -> None:
    shown = chat.show(text="\n".join(first))
    chat.calls()
    told = chat.show(text="\n".join(second))
    assert chat.texts == second
    assert chat.calls() == calls
    assert told["message_id"] == shown["message_id"]
    assert told.get("message_ids", [told["message_id"]]) == [message["message_id"] for message in chat.messages]


@pytest.mark.parametrize("kind", ["photo", "document"])
def test_the_caption_of_a_photo_or_document_is_edited(chat: Chat, kind: str) -> None:
    chat.show(text="one", **{kind: PHOTO})
    chat.show(text="two", **{kind: PHOTO})
    chat.show(**{kind: PHOTO})
    assert chat.texts == [""]
    assert chat.calls()[1:] == ["editMessageCaption", "editMessageCaption"]


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        pytest.param({"photo": PHOTO, "text": "one"}, {"text": "two"}, "text", id="photo to text"),
        pytest.param({"text": "one"}, {"photo": PHOTO, "text": "two"}, "photo", id="text to photo"),
        pytest.param({"photo": PHOTO, "text": "one"}, {"photo": OTHER_PHOTO, "text": "two"}, "photo", id="another one"),
        pytest.param({"photo": PHOTO, "text": "one"}, {"document": PHOTO, "text": "two"}, "document", id="to document"),
    ],
)
def test_what_no_edit_can_make_is_sent_anew_and_the_old_one_deleted(
    chat: Chat, first: dict[str, Any], second: dict[str, Any], kind: str
) -> None:
    old = chat.show(**first)
    new = chat.show(**second)
    (message,) = chat.messages
    assert (message["message_id"], chat.texts) == (new["message_id"], ["two"])
    assert new["message_id"] != old["message_id"]
    assert kind in new
    assert chat.calls()[2:] == ["deleteMessage"]


def test_a_text_of_more_than_ten_parts_is_one_file_whose_caption_counts(chat: Chat) -> None:
    text = "\n".join("x" * 4000 for _ in range(11))
    first = chat.show(text=text)
    second = chat.show(text=text)
    assert first["message_id"] == second["message_id"]
    (message,) = chat.messages
    assert message["caption"].endswith(f"…\n{chat.repeated}")
    assert chat.calls() == ["sendDocument", "editMessageCaption"]


def test_another_file_is_sent_anew(chat: Chat) -> None:
    chat.show(text="\n".join("x" * 4000 for _ in range(11)))
    chat.show(text="\n".join("y" * 4000 for _ in range(11)))
    (message,) = chat.messages
    assert message["caption"].startswith("y")


def test_a_keyboard_is_added_changed_and_removed(chat: Chat) -> None:
    for keyboard in (None, BUTTON, OTHER_BUTTON, None):
        chat.show(text="one", **({"reply_markup": keyboard} if keyboard else {}))
        (message,) = chat.messages
        assert message.get("reply_markup") == keyboard


def test_the_keyboard_moves_to_a_new_last_part(chat: Chat) -> None:
    chat.show(text=ONE, reply_markup=BUTTON)
    chat.show(text=f"{ONE}\n{TWO}", reply_markup=BUTTON)
    assert [message.get("reply_markup") for message in chat.messages] == [None, BUTTON]


@pytest.mark.parametrize(
    ("text", "parse_mode", "shown"),
    [
        pytest.param("a < b & c", None, "a < b & c", id="plain"),
        pytest.param("<b>full</b>", "HTML", "full", id="HTML"),
        pytest.param("<pre>full</pre>", "HTML", "full", id="HTML, a code block"),
        pytest.param("<blockquote expandable>full</blockquote>", "HTML", "full", id="HTML, a quote"),
        pytest.param("*full*", "MarkdownV2", "full", id="MarkdownV2"),
        pytest.param("```\nfull\n```", "MarkdownV2", "full", id="MarkdownV2, a code block"),
        pytest.param(">full\n>disk", "MarkdownV2", "full\ndisk", id="MarkdownV2, a quote"),
        pytest.param("**>full\n>disk||", "MarkdownV2", "full\ndisk", id="MarkdownV2, an expandable quote"),
        pytest.param("<b>full", "HTML", "<b>full", id="HTML that is refused"),
        pytest.param("full.", "MarkdownV2", "full.", id="MarkdownV2 that is refused"),
    ],
)
@pytest.mark.parametrize("media", [{}, {"photo": PHOTO}], ids=["text", "caption"])
def test_the_count_stands_below_the_words_and_is_none_of_their_markup(
    chat: Chat, text: str, parse_mode: str | None, shown: str, media: dict[str, str]
) -> None:
    fields = {"text": text, **({"parse_mode": parse_mode} if parse_mode else {}), **media}
    chat.show(**fields)
    first = chat.messages[0]
    chat.show(**fields)
    (message,) = chat.messages
    assert [line for line in chat.texts[0].splitlines() if line] == [*shown.splitlines(), chat.repeated]
    name = "caption_entities" if media else "entities"
    end = len(chat.texts[0]) - len(chat.repeated)
    assert [each["type"] for each in message.get(name, ())] == [each["type"] for each in first.get(name, ())]
    assert all(each["offset"] + each["length"] <= end for each in message.get(name, ()))


def test_markup_that_is_refused_in_an_edit_goes_as_plain_text_and_is_told(chat: Chat) -> None:
    chat.show(text="<b>full</b>", parse_mode="HTML")
    told = chat.show(text="<b>fuller", parse_mode="HTML")
    assert chat.texts == ["<b>fuller"]
    assert told["botte"] == {"mended": ["parse_mode"]}
    assert "botte" not in chat.show(text="<b>full</b>", parse_mode="HTML")


def test_a_message_that_was_deleted_in_the_chat_is_sent_anew(chat: Chat, telegram: FakeTelegram) -> None:
    chat.show(text=f"{ONE}\n{TWO}")
    telegram.clear()
    chat.show(text=f"{ONE}\n{THREE}")
    assert chat.texts == [ONE, THREE]


@pytest.mark.parametrize(
    "said",
    [
        "Bad Request: message can't be edited",
        "Bad Request: MESSAGE_ID_INVALID",
        "Bad Request: MESSAGE_EDIT_TIME_EXPIRED",
        "Bad Request: message to edit not found",
    ],
)
def test_a_message_that_cannot_be_edited_is_sent_anew_and_deleted_where_that_goes(
    chat: Chat, telegram: FakeTelegram, said: str
) -> None:
    chat.show(text="one")
    telegram.set_fault({"kind": "refuse", "description": said, "method": "editMessageText"})
    chat.show(text="two")
    assert chat.texts == ["two"]
    assert chat.calls() == ["sendMessage", "editMessageText", "sendMessage", "deleteMessage"]


def test_an_old_message_that_cannot_be_deleted_stays(chat: Chat, telegram: FakeTelegram) -> None:
    chat.show(text="one")
    telegram.set_fault({"kind": "refuse", "description": "message can't be deleted", "method": "deleteMessage"})
    chat.show(photo=PHOTO)
    chat.show(photo=PHOTO, text="two")
    assert chat.texts == ["one", "two"]
    assert chat.calls().count("deleteMessage") == 1


def test_a_refusal_of_a_new_message_in_the_words_of_an_edit_is_its_end(
    chat: Chat, telegram: FakeTelegram, doors: RelayDoors
) -> None:
    telegram.set_fault({"kind": "refuse", "description": "Bad Request: MESSAGE_ID_INVALID", "method": "sendMessage"})
    answer = doors.post(json.dumps({"text": "one", "collapse_key": KEY}))
    assert answer.status_code == 502
    assert chat.calls() == ["sendMessage"]


def test_an_edit_that_changes_nothing_is_done(chat: Chat, telegram: FakeTelegram) -> None:
    chat.show(text="one")
    telegram.set_fault({"kind": "refuse", "description": "Bad Request: message is not modified", "count": 1})
    assert chat.show(text="two")["message_id"]


def test_a_photo_that_telegram_cannot_fetch_stays_a_link_when_the_same_comes_again(
    chat: Chat, telegram: FakeTelegram
) -> None:
    telegram.set_fault({"kind": "bad_url"})
    first = chat.show(text="disk full", photo=PHOTO)
    assert chat.show(text="disk full", photo=PHOTO)["message_id"] == first["message_id"]
    assert chat.texts == [f"disk full\n\n{PHOTO}\n{chat.repeated}"]


def test_a_part_that_an_edit_adds_has_no_sound(chat: Chat) -> None:
    chat.show(text="a" * 4096)
    chat.show(text="a" * 4096)
    assert chat.texts == ["a" * 4096, chat.repeated]
    assert [message["disable_notification"] for message in chat.messages] == [False, True]
