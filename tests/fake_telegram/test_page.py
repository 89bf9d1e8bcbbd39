"""The inbox page in a real browser: what people see, at a desk and on a phone, and what a screen reader is told."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect, sync_playwright

from tests.fake_telegram.conftest import GROUP_ID
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SIZES: dict[str, ViewportSize] = {"desk": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
LAST = "The last message"
PRE = '<pre><code class="language-python">print("a line that is far too long for the width of any phone")</code></pre>'
ACKNOWLEDGE = {
    "inline_keyboard": [
        [{"text": "Acknowledge", "callback_data": "ack:1"}, {"text": "Snooze 1 h", "callback_data": "snooze:1"}]
    ]
}
KEYBOARD = {"inline_keyboard": [[{"text": "Open", "url": "https://example.com/"}, {"text": "Other", "url": "tg://x"}]]}


@dataclass
class Chat:
    """A fake Telegram, what its bot sends, and how many messages wait or were given up."""

    fake: FakeTelegram
    counts: dict[str, int] = field(default_factory=lambda: {"pending": 0, "failed": 0})
    offset: int = 0  # of getUpdates

    def send(self, text: str, method: str = "sendMessage", **parameters: Any) -> int:
        """The id of the message; 0 where its answer was lost."""
        fields = {"chat_id": TWIN_CHAT_ID, "caption" if method != "sendMessage" else "text": text, **parameters}
        with suppress(requests.RequestException):
            answer = requests.post(f"{self.fake.url}/bot{TWIN_BOT_TOKEN}/{method}", json=fields, timeout=5)
            return int(answer.json()["result"]["message_id"])
        return 0

    def call(self, method: str, **parameters: Any) -> None:
        url = f"{self.fake.url}/bot{TWIN_BOT_TOKEN}/{method}"
        requests.post(url, json={"chat_id": TWIN_CHAT_ID, **parameters}, timeout=5).raise_for_status()

    def edit(self, message_id: int, text: str, **parameters: Any) -> None:
        self.call("editMessageText", message_id=message_id, text=text, **parameters)

    def answer(self, text: str = "", **parameters: Any) -> str:
        """Answers the press that waits; its callback_data."""
        url = f"{self.fake.url}/bot{TWIN_BOT_TOKEN}/getUpdates"
        updates: list[Any] = []
        while not updates:
            updates = requests.get(url, {"offset": self.offset, "timeout": 5}, timeout=10).json()["result"]
        self.offset = updates[0]["update_id"] + 1
        query = updates[0]["callback_query"]
        self.call("answerCallbackQuery", callback_query_id=query["id"], text=text, **parameters)
        return str(query["data"])

    def send_one_of_each_kind(self) -> None:
        self.send("Hello World, see https://example.com/")
        quote = "<blockquote expandable>1\n2\n3\n4\n5</blockquote>"
        self.send(f"🔴 <b>orders: ALARM</b>\n{quote}", parse_mode="HTML", reply_markup=KEYBOARD)
        self.send(f"<tg-spoiler>secret</tg-spoiler> <code>x</code>\n{PRE}", parse_mode="HTML", protect_content=True)
        self.fake.receive("/status")
        self.send("Latency", "sendPhoto", photo="https://example.com/latency.png", message_thread_id=7)
        self.send("In a group", chat_id=GROUP_ID, disable_notification=True)
        self.send_twice("An answer that was lost")
        alarm = self.send("🔴 disk full on db1", reply_markup=ACKNOWLEDGE)
        self.edit(alarm, "🔴 disk full on db1\n×17, last at 10:02 UTC", reply_markup=ACKNOWLEDGE)
        self.send("🔴 still not acknowledged", reply_parameters={"message_id": alarm})
        self.fake.mark_mended([self.send("Price <5 EUR")], ["parse_mode", "photo"])
        self.send(LAST)

    def send_twice(self, text: str) -> None:
        self.fake.set_fault({"kind": "cut_after_accept", "count": 1})
        self.send(text)
        self.send(text)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. Skips these tests where there is none; CI, which installs it, has them fail instead."""
    chromium = shutil.which("chromium")
    if chromium is None:
        required = os.environ.keys() & {"CI", "REQUIRE_CHROMIUM"}  # as hosted CIs, and .ci/run, set them
        (pytest.fail if required else pytest.skip)("chromium is not installed (apt install chromium)")
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=chromium) as running:
        yield running


@pytest.fixture
def chat() -> Iterator[Chat]:
    counts = {"pending": 0, "failed": 0}
    with FakeTelegram(
        chats={TWIN_CHAT_ID: "Ada", GROUP_ID: "Operations"}, pace=None, status_source=lambda: dict(counts)
    ) as fake:
        yield Chat(fake, counts)


@pytest.fixture(params=SIZES)
def size(request: pytest.FixtureRequest) -> ViewportSize:
    return SIZES[request.param]


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, chat: Chat) -> Iterator[OpenPage]:
    """Opens the page, and waits until it is live. In the end it has had no error."""
    errors: list[str] = []

    def open(size: ViewportSize = SIZES["desk"]) -> Page:
        page = browser.new_page(viewport=size)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda told: errors.append(told.text) if told.type == "error" else None)
        page.goto(chat.fake.url)
        messages = page.locator("#messages .row")
        expect(messages).to_have_count(len(chat.fake.messages) + len(written(chat)))
        expect(page.locator("#status")).to_be_visible()
        return page

    yield open
    for context in browser.contexts:
        context.close()
    assert errors == []


def written(chat: Chat) -> list[Any]:
    """What was written to the bot."""
    found: list[Any] = requests.get(f"{chat.fake.url}/inbox/updates", timeout=5).json()
    return found


def colour(element: Locator) -> str:
    return str(element.evaluate("element => getComputedStyle(element).color"))


def row(page: Page, text: str) -> Locator:
    """The newest message with this text."""
    return page.locator("#messages .row", has_text=text).last


def is_in_full_view(element: Locator) -> bool:
    """Whether all of it is within the chat, and nothing lies over it."""
    return bool(
        element.evaluate(
            """element => {
                const box = element.getBoundingClientRect();
                const chat = document.querySelector("main").getBoundingClientRect();
                const top = document.elementFromPoint(box.x + box.width / 2, box.bottom - 2);
                return box.top >= chat.top && box.bottom <= chat.bottom && element.contains(top);
            }"""
        )
    )


@pytest.mark.parametrize("state", ["empty", "messages", "fault"])
def test_a_screen_reader_can_read_all_of_it(chat: Chat, open_page: OpenPage, size: ViewportSize, state: str) -> None:
    if state != "empty":
        chat.send_one_of_each_kind()
    if state == "fault":
        chat.counts.update(pending=3, failed=1)
        chat.fake.set_fault({"kind": "rate_limit", "count": 12})
    page = open_page(size)
    expect(page.locator("#banner p")).to_be_visible(visible=state == "fault")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


def test_a_screen_reader_is_told_whose_message_each_is_and_what_the_buttons_do(chat: Chat, open_page: OpenPage) -> None:
    chat.send("one")
    chat.send("two")
    chat.fake.receive("three")
    page = open_page()
    buttons = [f'- button "{name}"' for name in ("Telegram down", "Rate limit", "Server error", "Answers lost")]
    expect(page.get_by_role("region", name="Let it fail")).to_match_aria_snapshot(
        "\n".join([*buttons, '- button "Back to normal" [pressed]', "- status"])
    )
    expect(page.get_by_role("log", name="Chat with Botte")).to_match_aria_snapshot(
        """
        - list:
          - listitem
          - listitem:
            - text: Botte one
            - time
          - listitem:
            - text: Botte two
            - time
          - listitem:
            - text: Ada three
            - time
        """
    )


def test_zero_has_no_colour_and_what_waits_or_failed_has(chat: Chat, open_page: OpenPage) -> None:
    page = open_page()
    sent, pending, failed = (page.locator(f"#status .{name} dd") for name in ("sent", "pending", "failed"))
    expect(failed).to_have_text("0")
    quiet = colour(page.locator("body"))
    assert [colour(each) for each in (sent, pending, failed)] == [quiet] * 3
    chat.counts.update(pending=3, failed=1)
    chat.send("one")
    expect(failed).to_have_text("1")
    assert colour(sent) == quiet
    assert len({quiet, colour(pending), colour(failed)}) == 3


def test_the_last_message_stays_in_view(chat: Chat, open_page: OpenPage, size: ViewportSize) -> None:
    chat.send_one_of_each_kind()
    page = open_page(size)
    assert is_in_full_view(row(page, LAST))
    page.get_by_role("button", name="Server error").click()
    expect(page.get_by_role("status")).to_contain_text("every call gets a 5xx error")
    assert is_in_full_view(row(page, LAST))
    page.get_by_role("button", name="Back to normal").click()
    expect(page.get_by_role("status")).to_have_text("")
    chat.send("Another one")
    expect(row(page, "Another one")).to_be_visible()
    assert is_in_full_view(row(page, "Another one"))


def test_who_reads_further_up_stays_there_until_they_write(chat: Chat, open_page: OpenPage) -> None:
    chat.send_one_of_each_kind()
    page = open_page()
    first = page.locator("#messages .row").first
    first.scroll_into_view_if_needed()
    chat.send("Another one")
    expect(page.locator("#messages")).to_contain_text("Another one")
    assert is_in_full_view(first)
    page.get_by_label("Write to the bot").fill("/echo typed")
    page.get_by_role("button", name="Send").click()
    expect(row(page, "/echo typed")).to_be_visible()
    assert is_in_full_view(row(page, "/echo typed"))


def test_every_label_is_there_and_whole(chat: Chat, open_page: OpenPage, size: ViewportSize) -> None:
    chat.counts.update(pending=1200, failed=340)
    chat.fake.set_fault({"kind": "down"})
    page = open_page(size)
    for text in ("Botte", "A fake Telegram on this machine", "sent", "pending", "failed", "Let it fail:"):
        expect(page.get_by_text(text, exact=True).first).to_be_visible()
    labels = [
        "Clear chat",
        "Telegram down",
        "Rate limit",
        "Server error",
        "Answers lost",
        "Back to normal",
        "Copy",
        "Send",
    ]
    assert page.get_by_role("button").all_inner_texts() == labels
    clipped = """element => {
        const box = element.getBoundingClientRect();
        const chat = document.querySelector("main");
        const floor = chat.contains(element) ? innerHeight : chat.getBoundingClientRect().top;
        const isAbove = element.closest("footer") || box.bottom <= floor;
        return element.scrollWidth > element.clientWidth || box.left < 0 || box.right > innerWidth || !isAbove;
    }"""
    assert [each.inner_text() for each in page.get_by_role("button").all() if each.evaluate(clipped)] == []
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]


def test_a_doubled_message_is_marked(chat: Chat, open_page: OpenPage) -> None:
    chat.send_twice("Invoice paid")
    chat.send("Invoice paid")  # by somebody who was answered
    page = open_page()
    notes = [each.locator(".note").all_inner_texts() for each in page.locator("#messages .row").all()]
    assert notes == [[], ["Doubled: the same call came before, and its answer was lost"], []]


def test_a_mended_message_is_marked_when_it_comes_and_when_the_page_is_loaded_again(
    chat: Chat, open_page: OpenPage
) -> None:
    message_id = chat.send("Price <5 EUR")
    page = open_page()
    expect(page.locator(".note")).to_have_count(0)
    chat.fake.mark_mended([message_id], ["parse_mode", "photo"])
    note = row(page, "Price <5 EUR").locator(".note")
    expect(note).to_have_text("Mended: parse_mode, sent as plain text; photo")
    page.reload()
    expect(note).to_have_text("Mended: parse_mode, sent as plain text; photo")


def test_what_looks_like_html_is_shown_as_it_is_and_no_link_runs_a_script(chat: Chat, open_page: OpenPage) -> None:
    """That no script ran, nor was kept from it, the fixture looks at."""
    hostile = '"><img src=x onerror=alert(1)><script>alert(1)</script>'
    button = {"text": hostile, "url": "https://example.com/?<script>"}
    chat.send(hostile, reply_markup={"inline_keyboard": [[button]]})
    chat.send(hostile, "sendPhoto", photo="https://example.com/<img src=x onerror=alert(1)>.png")
    chat.send('<a href="javascript:alert(1)">press</a>', parse_mode="HTML")
    chat.fake.receive(hostile)
    page = open_page()
    assert [each.inner_text() for each in page.locator(".words, .key").all()][:3] == [hostile] * 3
    assert page.locator("#messages :is(img, script, [onerror])").count() == 0
    links = page.locator("#messages a").evaluate_all("links => links.map(link => new URL(link.href).protocol)")
    assert set(links) <= {"https:"}


def test_the_command_of_an_empty_chat_can_be_copied(chat: Chat, open_page: OpenPage) -> None:
    page = open_page()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#command").inner_text()
    chat.send("one")
    expect(page.locator("#empty")).to_be_hidden()
    page.get_by_role("button", name="Clear chat").click()
    expect(page.locator("#empty")).to_be_visible()


def test_an_edited_message_changes_where_it_stands_and_says_so(chat: Chat, open_page: OpenPage) -> None:
    first = chat.send("🔴 disk full", reply_markup=ACKNOWLEDGE)
    chat.send("Another one")
    page = open_page()
    rows = page.locator("#messages .row")
    expect(rows.first.locator(".edited")).to_have_count(0)
    chat.edit(first, "✅ <b>resolved</b>", parse_mode="HTML")
    expect(rows.first.locator(".words")).to_have_text("✅ resolved")
    for _ in ("live", "loaded again"):
        expect(rows).to_have_count(2)
        expect(rows.first.locator("strong")).to_have_text("resolved")
        expect(rows.first.locator(".edited")).to_have_text("edited")
        expect(rows.first.locator(".edited")).to_have_attribute("title", re.compile("^Edited: .*20"))
        expect(rows.first.locator(".key")).to_have_count(0)
        expect(rows.last.locator(".edited")).to_have_count(0)
        page.reload()


def test_a_deleted_message_goes_and_the_next_one_is_named(chat: Chat, open_page: OpenPage) -> None:
    first, second = chat.send("one"), chat.send("two")
    page = open_page()
    expect(row(page, "two").locator(".who")).to_have_class("who unseen")
    chat.call("deleteMessage", message_id=first)
    expect(page.locator("#messages .row")).to_have_count(1)
    expect(row(page, "two").locator(".who")).to_have_class("who")
    chat.call("deleteMessage", message_id=second)
    expect(page.locator("#empty")).to_be_visible()
    expect(page.locator("#messages li")).to_have_count(0)
    chat.send("three")
    expect(page.locator("#messages li")).to_have_count(2)  # the day and the message


def test_a_button_waits_for_its_answer_and_a_link_stays_one(chat: Chat, open_page: OpenPage) -> None:
    message_id = chat.send("🔴 disk full", reply_markup=ACKNOWLEDGE)
    chat.send("Open it", reply_markup=KEYBOARD)
    page = open_page()
    key = page.get_by_role("button", name="Acknowledge")
    key.press("Enter")
    expect(key).to_have_attribute("aria-busy", "true")
    expect(page.get_by_role("button", name="Snooze 1 h")).to_have_attribute("aria-busy", "false")
    chat.edit(message_id, "🔴 disk full, seen", reply_markup=ACKNOWLEDGE)
    expect(row(page, "seen").locator(".key").first).to_be_focused()
    expect(key).to_have_attribute("aria-busy", "true")
    key.press("Enter")  # a second time, which is no press
    assert chat.answer("Acknowledged by <b>You</b>") == "ack:1"
    expect(key).to_have_attribute("aria-busy", "false")
    toast = page.locator("#toast")
    expect(toast).to_have_text("Acknowledged by <b>You</b>")
    assert [answer["data"] for answer in chat.fake.callback_answers] == ["ack:1"]
    expect(page.get_by_role("link", name="Open", exact=True)).to_have_attribute("href", "https://example.com/")
    expect(toast).to_have_text("", timeout=8000)


def test_an_answer_without_words_shows_nothing(chat: Chat, open_page: OpenPage) -> None:
    chat.send("🔴 disk full", chat_id=GROUP_ID, reply_markup=ACKNOWLEDGE)
    page = open_page()
    key = page.get_by_role("button", name="Snooze 1 h")
    key.click()
    assert chat.answer() == "snooze:1"
    expect(key).to_have_attribute("aria-busy", "false")
    expect(page.locator("#toast")).to_be_empty()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_an_alert_stays_until_it_is_read(chat: Chat, open_page: OpenPage, size: ViewportSize) -> None:
    chat.send("🔴 disk full", reply_markup=ACKNOWLEDGE)
    page = open_page(size)
    page.get_by_role("button", name="Acknowledge").click()
    chat.answer("<i>This button is too old", show_alert=True)
    alert = page.get_by_role("dialog", name="<i>This button is too old")
    expect(alert).to_be_visible()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    page.keyboard.press("Enter")
    expect(alert).to_be_hidden()
    expect(page.get_by_role("button", name="Acknowledge")).to_be_focused()


def test_what_waits_and_what_was_answered_can_be_read_by_all(
    chat: Chat, open_page: OpenPage, size: ViewportSize
) -> None:
    chat.send("🔴 disk full", reply_markup=ACKNOWLEDGE)
    page = open_page(size)
    page.get_by_role("button", name="Acknowledge").click()
    chat.answer("Acknowledged")
    page.get_by_role("button", name="Snooze 1 h").click()
    expect(page.locator("#toast")).to_have_text("Acknowledged")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


def test_a_reply_leads_to_what_it_replies_to(chat: Chat, open_page: OpenPage) -> None:
    first = chat.send("🔴 <disk> full")
    for number in range(40):
        chat.send(f"Message {number}")
    chat.send("🔴 still full", reply_parameters={"message_id": first})
    page = open_page()
    target = page.locator("#messages .row").first
    expect(target).not_to_be_in_viewport()
    quote = page.get_by_role("button", name="🔴 <disk> full")
    quote.press("Enter")
    expect(target).to_be_in_viewport()
    expect(target).to_be_focused()
    chat.edit(first, "✅ resolved")
    expect(row(page, "still full").locator(".reply")).to_have_text("✅ resolved")
    chat.call("deleteMessage", message_id=first)
    expect(row(page, "still full").locator(".reply")).to_have_text("Deleted message")
    expect(row(page, "still full").locator(".reply")).to_be_disabled()


def test_a_message_of_a_topic_names_it(chat: Chat, open_page: OpenPage, size: ViewportSize) -> None:
    chat.fake.make_forum(GROUP_ID)
    chat.call("createForumTopic", chat_id=GROUP_ID, name="<b>" + "backup" * 20)
    chat.send("Done", chat_id=GROUP_ID, message_thread_id=2)
    page = open_page(size)
    expect(row(page, "Done").locator(".meta")).to_contain_text("topic <b>backupbackup")
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
    chat.call("deleteForumTopic", chat_id=GROUP_ID, message_thread_id=2)
    expect(page.locator("#messages .row")).to_have_count(0)
