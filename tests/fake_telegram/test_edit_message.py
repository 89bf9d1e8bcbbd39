"""Messages that change where they stand, go, or answer another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.fake_telegram.conftest import GROUP_ID, Clock
from tests.fake_telegram.test_inbox import server_sent_events
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram, Pace

Post = Callable[..., requests.Response]
PHOTO = "https://example.com/a.png"
KEYBOARD = {"inline_keyboard": [[{"text": "Acknowledge", "callback_data": "ack:1"}]]}
NOT_MODIFIED = (
    "Bad Request: message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)


@pytest.fixture
def edit(call: Post) -> Post:
    """Edits a message in the owner's chat unless another is named."""

    def post(message_id: int, method: str = "editMessageText", **parameters: Any) -> requests.Response:
        return call(method, **{"chat_id": TWIN_CHAT_ID, "message_id": message_id, **parameters})

    return post


@pytest.fixture
def paced(clock: Clock) -> Iterator[FakeTelegram]:
    """A fake Telegram whose clock the test sets, and which takes one message a second."""
    with FakeTelegram(chats={TWIN_CHAT_ID: "Ada", GROUP_ID: "Family"}, pace=Pace(private_burst=1), clock=clock) as fake:
        yield fake


def method_of(fake: FakeTelegram, http: requests.Session) -> Post:
    def post(method: str, **parameters: Any) -> requests.Response:
        url = f"{fake.url}/bot{TWIN_BOT_TOKEN}/{method}"
        return http.post(url, json={"chat_id": TWIN_CHAT_ID, **parameters}, timeout=5)

    return post


def sent(answer: requests.Response) -> int:
    """The id of the message that was sent."""
    return int(answer.json()["result"]["message_id"])


def refusal(answer: requests.Response) -> str:
    """Telegram's words of a 400."""
    assert answer.status_code == 400
    return str(answer.json()["description"])


def test_an_edited_message_stays_where_it_stands_and_says_when_it_was_edited(
    fake: FakeTelegram, send: Post, edit: Post
) -> None:
    first = sent(send("🔴 disk full"))
    send("another one")
    before = fake.messages
    message = edit(first, text="✅ <b>resolved</b>", parse_mode="HTML").json()["result"]
    assert (message["text"], message["edit_date"]) == ("✅ resolved", 1_700_000_000)
    assert message["entities"] == [{"type": "bold", "offset": 2, "length": 8}]
    changed = {"text": "✅ resolved", "entities": message["entities"], "parse_mode": "HTML", "edit_date": 1_700_000_000}
    assert fake.messages == [{**before[0], **changed}, before[1]]
    assert "edit_date" not in fake.messages[1]


def test_an_edit_of_a_caption_keeps_the_file(fake: FakeTelegram, call: Post, edit: Post) -> None:
    photo = sent(call("sendPhoto", chat_id=TWIN_CHAT_ID, photo=PHOTO, caption="high"))
    message = edit(photo, "editMessageCaption", caption="*normal*", parse_mode="MarkdownV2").json()["result"]
    assert (message["caption"], message["caption_entities"][0]["type"]) == ("normal", "bold")
    assert message["photo"]
    shown = fake.messages[0]
    assert (shown["text"], shown["caption"], shown["photo"], shown["method"]) == (
        "normal",
        "normal",
        PHOTO,
        "sendPhoto",
    )
    assert "caption" not in edit(photo, "editMessageCaption").json()["result"]
    assert (fake.messages[0]["text"], "caption" in fake.messages[0]) == ("", False)


def test_an_edit_without_a_keyboard_takes_the_keyboard_away(fake: FakeTelegram, send: Post, edit: Post) -> None:
    message_id = sent(send("<b>a</b>", parse_mode="HTML", reply_markup=KEYBOARD))
    assert edit(message_id, text="b", reply_markup=KEYBOARD).json()["result"]["reply_markup"] == KEYBOARD
    assert "reply_markup" not in edit(message_id, text="c").json()["result"]
    assert "reply_markup" not in fake.messages[0]
    edit(message_id, "editMessageReplyMarkup", reply_markup=KEYBOARD)
    assert (fake.messages[0]["text"], fake.messages[0]["reply_markup"]) == ("c", KEYBOARD)
    edit(message_id, "editMessageReplyMarkup")
    assert (fake.messages[0]["text"], "reply_markup" in fake.messages[0]) == ("c", False)


def test_a_message_in_another_chat_is_not_found(send: Post, edit: Post) -> None:
    message_id = sent(send())
    assert refusal(edit(message_id, text="b", chat_id=GROUP_ID)) == "Bad Request: message to edit not found"
    assert refusal(edit(message_id, text="b", chat_id=9)) == "Bad Request: chat not found"


def test_what_was_cleared_is_not_found(fake: FakeTelegram, send: Post, edit: Post) -> None:
    message_id = sent(send())
    fake.clear()
    assert refusal(edit(message_id, text="b")) == "Bad Request: message to edit not found"


@pytest.mark.parametrize(
    ("method", "parameters", "description"),
    [
        ("editMessageText", {"text": "a"}, NOT_MODIFIED),
        ("editMessageText", {"text": "<i></i>a ", "parse_mode": "HTML"}, NOT_MODIFIED),
        ("editMessageReplyMarkup", {}, NOT_MODIFIED),
        ("editMessageText", {"text": " "}, "Bad Request: message text is empty"),
        ("editMessageText", {}, "Bad Request: message text is empty"),
        ("editMessageText", {"text": "x" * 4097}, "Bad Request: MESSAGE_TOO_LONG"),
        ("editMessageText", {"text": "b", "message_id": 0}, "Bad Request: message to edit not found"),
        ("editMessageText", {"text": "b", "message_id": 99}, "Bad Request: message to edit not found"),
        (
            "editMessageText",
            {"text": "b", "message_id": 0, "chat_id": ""},
            "Bad Request: message identifier is not specified",
        ),
        ("editMessageText", {"text": "b", "chat_id": ""}, "Bad Request: chat_id is empty"),
        ("editMessageText", {"text": "b", "message_id": 3}, "Bad Request: message can't be edited"),
        ("editMessageText", {"text": "b", "message_id": 2}, "Bad Request: there is no text in the message to edit"),
        ("editMessageCaption", {"caption": "b"}, "Bad Request: there is no caption in the message to edit"),
        ("editMessageCaption", {"caption": "x" * 1025, "message_id": 2}, "Bad Request: MEDIA_CAPTION_TOO_LONG"),
        ("editMessageCaption", {"caption": "photo", "message_id": 2}, NOT_MODIFIED),
        (
            "editMessageReplyMarkup",
            {"reply_markup": {"inline_keyboard": [[{"text": "a", "callback_data": "x" * 65}]]}},
            "Bad Request: BUTTON_DATA_INVALID",
        ),
    ],
)
def test_an_edit_that_cannot_be_is_refused_in_telegrams_words(
    fake: FakeTelegram, call: Post, send: Post, edit: Post, method: str, parameters: dict[str, Any], description: str
) -> None:
    send("a")
    call("sendPhoto", chat_id=TWIN_CHAT_ID, photo=PHOTO, caption="photo")
    fake.receive("written by a person")
    before = fake.messages
    assert refusal(edit(**{"message_id": 1, "method": method, **parameters})) == description
    assert fake.messages == before


def test_a_text_may_grow_to_the_limit_by_an_edit(send: Post, edit: Post) -> None:
    assert edit(sent(send()), text="x" * 4096).status_code == 200


def test_edits_count_for_the_pace_and_those_that_change_nothing_do_not(
    paced: FakeTelegram, http: requests.Session, clock: Clock
) -> None:
    call = method_of(paced, http)
    message_id = sent(call("sendMessage", text="a"))
    assert refusal(call("editMessageText", message_id=message_id, text="a")) == NOT_MODIFIED
    answer = call("editMessageText", message_id=message_id, text="b")
    assert (answer.status_code, answer.json()["parameters"]) == (429, {"retry_after": 1})
    assert paced.messages[0]["text"] == "a"
    clock.now += 1
    assert call("editMessageText", message_id=message_id, text="b").status_code == 200
    assert call("sendMessage", text="c").status_code == 429


@pytest.mark.parametrize("kind", ["cut_after_accept", "hang_after_accept"])
def test_an_edit_whose_answer_was_lost_has_happened_and_doubles_nothing(
    fake: FakeTelegram, send: Post, edit: Post, kind: str
) -> None:
    message_id = sent(send("a"))
    fake.set_fault({"kind": kind, "count": 1, "seconds": 0})
    with pytest.raises(requests.RequestException):
        edit(message_id, text="b")
    assert [message["text"] for message in fake.messages] == ["b"]
    assert fake.stats["ambiguous"] == 1
    assert refusal(edit(message_id, text="b")) == NOT_MODIFIED
    assert ["doubles" in message for message in fake.messages] == [False]


def test_an_edit_that_was_cut_before_has_not_happened(fake: FakeTelegram, send: Post, edit: Post) -> None:
    message_id = sent(send("a"))
    fake.set_fault({"kind": "cut_before_accept", "count": 1})
    with pytest.raises(requests.ConnectionError):
        edit(message_id, text="b")
    assert fake.messages[0]["text"] == "a"
    assert edit(message_id, text="b").status_code == 200


@pytest.mark.parametrize("kind", ["chat_not_found", "forbidden", "migrate", "refuse", "down", "rate_limit"])
@pytest.mark.parametrize("method", ["editMessageText", "deleteMessage"])
def test_a_fault_of_what_changes_a_chat_concerns_edits(
    fake: FakeTelegram, send: Post, edit: Post, kind: str, method: str
) -> None:
    message_id = sent(send("a", chat_id=GROUP_ID))
    fake.set_fault({"kind": kind, "count": 1})
    assert edit(message_id, method, text="b", chat_id=GROUP_ID).status_code >= 400
    assert fake.messages[0]["text"] == "a"
    assert edit(message_id, method, text="b", chat_id=GROUP_ID).status_code == 200


def test_a_refusal_can_be_that_of_one_method(fake: FakeTelegram, send: Post, edit: Post, call: Post) -> None:
    words = "Bad Request: message can't be edited"
    fake.set_fault({"kind": "refuse", "method": "editMessageText", "description": words})
    message_id = sent(send("a"))
    assert refusal(edit(message_id, text="b")) == words
    fake.set_fault({"kind": "refuse", "method": "setMyCommands", "description": "Bad Request: BOT_COMMAND_INVALID"})
    assert refusal(call("setMyCommands", commands=[])) == "Bad Request: BOT_COMMAND_INVALID"


def test_a_deleted_message_is_gone(fake: FakeTelegram, send: Post, call: Post, edit: Post) -> None:
    first, second = sent(send("a")), sent(send("b"))
    assert call("deleteMessage", chat_id=TWIN_CHAT_ID, message_id=first).json() == {"ok": True, "result": True}
    assert [message["message_id"] for message in fake.messages] == [second]
    assert refusal(edit(first, "deleteMessage")) == "Bad Request: message to delete not found"
    assert refusal(edit(first, text="b")) == "Bad Request: message to edit not found"


def test_what_a_person_wrote_can_be_deleted_in_a_private_chat_only(fake: FakeTelegram, edit: Post) -> None:
    private = fake.receive("a")["message"]["message_id"]
    group = fake.receive("b", GROUP_ID)["message"]["message_id"]
    assert edit(private, "deleteMessage").status_code == 200
    assert refusal(edit(group, "deleteMessage", chat_id=GROUP_ID)) == "Bad Request: message can't be deleted"
    updates = requests.get(f"{fake.url}/inbox/updates", timeout=5).json()
    assert [update["message"]["text"] for update in updates] == ["b"]


@pytest.mark.parametrize(
    ("parameters", "description"),
    [
        ({"chat_id": ""}, "Bad Request: chat identifier is not specified"),
        ({"message_id": ""}, "Bad Request: message identifier is not specified"),
        ({"message_id": 99}, "Bad Request: message to delete not found"),
        ({"chat_id": 9}, "Bad Request: chat not found"),
    ],
)
def test_a_message_that_cannot_be_deleted_is_named(
    call: Post, send: Post, parameters: dict[str, Any], description: str
) -> None:
    send()
    assert refusal(call("deleteMessage", **{"chat_id": TWIN_CHAT_ID, "message_id": 1, **parameters})) == description


@pytest.mark.parametrize(
    ("chat_id", "description"),
    [
        (TWIN_CHAT_ID, "Bad Request: message can't be deleted for everyone"),
        (GROUP_ID, "Bad Request: message can't be deleted"),
    ],
)
def test_a_message_can_be_deleted_for_two_days_and_edited_for_ever(
    paced: FakeTelegram, http: requests.Session, clock: Clock, chat_id: int, description: str
) -> None:
    call = method_of(paced, http)
    first, second = (sent(call("sendMessage", text="a", chat_id=GROUP_ID)) for _ in range(2))
    if chat_id == TWIN_CHAT_ID:
        first = sent(call("sendMessage", text="a"))
    clock.now += 48 * 3600
    assert call("deleteMessage", chat_id=GROUP_ID, message_id=second).status_code == 200
    clock.now += 1
    assert refusal(call("deleteMessage", chat_id=chat_id, message_id=first)) == description
    assert call("editMessageText", chat_id=chat_id, message_id=first, text="b").status_code == 200


def test_events_tell_of_edits_and_deletions_with_the_entry(fake: FakeTelegram, send: Post, edit: Post) -> None:
    message_id = sent(send("a"))
    with requests.get(f"{fake.url}/inbox/events", stream=True, timeout=5) as answer:
        events = server_sent_events(answer)
        edit(message_id, text="b")
        edited = fake.messages[0]
        assert next(events)[1:] == ("edited", edited)
        edit(message_id, "deleteMessage")
        assert next(events)[1:] == ("deleted", edited)


@pytest.mark.parametrize("method", ["sendMessage", "sendPhoto", "sendDocument"])
def test_a_reply_names_what_it_replies_to(fake: FakeTelegram, call: Post, send: Post, method: str) -> None:
    first = send("a").json()["result"]
    fields = {"chat_id": TWIN_CHAT_ID, "text": "b", "photo": PHOTO, "document": PHOTO}
    second = call(method, **fields, reply_parameters={"message_id": first["message_id"]}).json()["result"]
    assert second["reply_to_message"] == first
    assert fake.messages[1]["reply_to_message_id"] == first["message_id"]
    third = send("c", reply_parameters={"message_id": second["message_id"]}).json()["result"]
    assert "reply_to_message" not in third["reply_to_message"]


def test_a_reply_to_what_is_gone_is_sent_only_where_it_may_do_without(fake: FakeTelegram, send: Post) -> None:
    answer = send("a", reply_parameters={"message_id": 9})
    assert refusal(answer) == "Bad Request: message to be replied not found"
    message = send("a", reply_parameters={"message_id": 9, "allow_sending_without_reply": True}).json()["result"]
    assert "reply_to_message" not in message
    assert "reply_to_message_id" not in fake.messages[0]


@pytest.mark.parametrize(
    ("reply", "description"),
    [
        ("{", "Bad Request: can't parse reply parameters JSON object"),
        ([], "Bad Request: object expected as reply parameters"),
        ({"allow_sending_without_reply": True}, 'Bad Request: can\'t find field "message_id"'),
        ({"message_id": []}, 'Bad Request: field "message_id" must be of type Number'),
    ],
)
def test_a_reply_that_cannot_be_read_is_refused(send: Post, reply: object, description: str) -> None:
    assert refusal(send("a", reply_parameters=reply)) == description
