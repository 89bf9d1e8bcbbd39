"""The table of states: what the page prints is what the code does, and no row can make the relay stumble."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chalicelib.contract.message import Message
from chalicelib.outbox import states
from chalicelib.outbox.row import MAX_ANSWER_BYTES, MAX_RAW_BYTES, Key, Row
from chalicelib.outbox.states import ATTRIBUTES, EVENTS, Change, Content, Event, Lease
from chalicelib.outbox.table import NotApplied
from chalicelib.telegram.delivery import Progress
from tests.outbox.memory_table import MemoryTable

PAGE = Path(__file__).resolve().parents[2] / "docs" / "outbox.md"
CONTENT = ("Chat", "Message", "BodyHash", "AcceptedTs", "TurnTs", "Sequence")
PROGRESS = ("TelegramMessageId", "Answer", "Mended", "PlainFrom")
WORDS = ("Chat", "Message", "BodyHash", "AcceptedTs", "TurnTs", "Mended", "PlainFrom")
TROUBLE = ("LastError", "Ambiguous", "Failures", "FailingSince")
KEY = Key.of_id("k")
NOW = 1_800_000_000.0
LEASE, OTHER = Lease("ours", NOW + 120), Lease("another's", NOW + 120)
DAY = 86_400
MAX_ROW_BYTES = 400 * 1024


def _names(attributes: tuple[str, ...]) -> str:
    text = ", ".join(attributes)
    for name, members in (("content", CONTENT), ("progress", PROGRESS), ("words", WORDS), ("trouble", TROUBLE)):
        text = text.replace(", ".join(members), name)
    return text


def _removes(event: Event) -> str:
    left = [name for name in ATTRIBUTES if name not in ("Status", *event.sets, *event.removes)]
    if len(left) > 1:
        return _names(event.removes)
    return "all else" if not left else f"all else but {left[0]}"


def printed() -> str:
    """The table as the page has it."""
    lines = ["| event | from | to | sets | adds to | removes |", "|---|---|---|---|---|---|"]
    for name, event in EVENTS.items():
        sources = "; ".join(event.sources) or "any"
        kept = f"if absent {_names(event.defaults)}" if event.defaults else ""
        sets = "; ".join(filter(None, (_names(event.sets), kept)))
        lines.append(f"| {name} | {sources} | {event.target} | {sets} | {_names(event.adds)} | {_removes(event)} |")
    return "\n".join(lines)


def content(text: str = "Hello", *, sequence: str | None = None, now: float = NOW) -> Content:
    return Content.of(Message(text=text), now, sequence)


def row_in(state: str) -> MemoryTable:
    """A table with one row in a state."""
    table, progress = MemoryTable(), Progress()
    if state == "PENDING":
        table.apply(KEY, states.wait(content()))
    elif state != "none":
        table.apply(KEY, states.claim(content(), LEASE))
    if state == "SENT":
        table.apply(KEY, states.sent(LEASE, progress, now=NOW))
    elif state == "FAILED":
        table.apply(KEY, states.fail(LEASE, progress, now=NOW, error="no"))
    return table


LATER = NOW + 60 * DAY
# From where each event leads, and with which change: at NOW, and long after.
LEADS: dict[str, tuple[Change, set[str]]] = {
    "claim": (states.claim(content(), LEASE), {"none"}),
    "wait": (states.wait(content()), {"none"}),
    "park": (states.park(content(), error="no"), {"none"}),
    "claim, later": (states.claim(content(now=LATER), LEASE), {"none", "SENT", "FAILED"}),
    "wait, later": (states.wait(content(now=LATER)), {"none", "SENT", "FAILED"}),
    "park, later": (states.park(content(now=LATER), error="no"), {"none", "SENT", "FAILED"}),
    "reclaim": (states.reclaim(OTHER, now=NOW, place=None), {"PENDING"}),
    "reclaim, later": (states.reclaim(OTHER, now=LATER, place=None), {"PENDING", "SENDING"}),
    "progress": (states.progress(LEASE, Progress()), {"SENDING"}),
    "later": (states.later(LEASE, Progress(), chat="default", due=NOW), {"SENDING"}),
    "sent": (states.sent(LEASE, Progress(), now=NOW), {"SENDING"}),
    "fail": (states.fail(LEASE, Progress(), now=NOW, error="no"), {"SENDING"}),
    "progress, another's lease": (states.progress(OTHER, Progress()), set()),
    "later, another's lease": (states.later(OTHER, Progress(), chat="default", due=NOW), set()),
    "sent, another's lease": (states.sent(OTHER, Progress(), now=NOW), set()),
    "fail, another's lease": (states.fail(OTHER, Progress(), now=NOW, error="no"), set()),
    "redrive": (states.redrive(Row({}), now=NOW), {"FAILED"}),
    "discard": (states.discard(now=NOW), {"FAILED"}),
}
STATES = ("none", "PENDING", "SENDING", "SENT", "FAILED")


def test_the_page_prints_the_table() -> None:
    assert printed() in PAGE.read_text()


def test_the_page_names_every_attribute() -> None:
    page = PAGE.read_text()
    assert [name for name in ATTRIBUTES if f"    {name}" not in page and f", {name}" not in page] == []


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("change", "sources"), LEADS.values(), ids=LEADS.keys())
def test_an_event_leads_only_from_where_the_table_says(change: Change, sources: set[str], state: str) -> None:
    table = row_in(state)
    before = dict(table.items)
    if state in sources:
        table.apply(KEY, change)
    else:
        with pytest.raises(NotApplied):
            table.apply(KEY, change)
        assert table.items == before


@pytest.mark.parametrize(
    ("message", "arrived", "mended", "plain_from"),
    [
        pytest.param({"parse_mode": "HTML", "photo": "https://a.example"}, (), ("text",), None, id="none"),
        pytest.param({"text": "a"}, (), ("text", "photo", "parse_mode"), None, id="what is left out was read"),
        pytest.param({"text": "a", "parse_mode": "HTML"}, (7,), ("text", "photo", "parse_mode"), 1, id="a part"),
        pytest.param({"no": "message"}, (), ("text", "photo", "parse_mode"), 1, id="nothing, and unreadable"),
    ],
)
def test_a_redrive_tries_anew_what_telegram_wanted_mended_unless_a_part_has_arrived(
    message: dict[str, object], arrived: tuple[int, ...], mended: tuple[str, ...], plain_from: int | None
) -> None:
    table = row_in("SENDING")
    answer = {"message_id": 7} if arrived else None
    progress = Progress(message_ids=arrived, answer=answer, mended=("text", "photo", "parse_mode"), plain_from=1)
    table.apply(KEY, states.fail(LEASE, progress, now=NOW, error="403"))
    parked = Row({**table.items[KEY], "Message": {"S": json.dumps(message)}})
    row = table.apply(KEY, states.redrive(parked, now=NOW))
    assert (row.progress.message_ids, row.progress.mended) == (arrived, mended)
    assert row.progress.plain_from == plain_from


@pytest.mark.parametrize("change", [change for change, _ in LEADS.values()], ids=LEADS.keys())
def test_what_owes_a_delivery_does_not_expire_and_is_in_the_index_and_what_is_done_is_not(change: Change) -> None:
    for state in STATES:
        table = row_in(state)
        try:
            row = table.apply(KEY, change)
        except NotApplied:
            continue
        assert ("ExpirationTs" in row.item) != row.owes
        assert ("DueTs" in row.item) == row.owes


def test_a_message_that_takes_the_row_of_one_whose_time_is_over_has_nothing_of_it() -> None:
    table, mended = row_in("none"), Progress(mended=("photo",), plain_from=1)
    table.apply(KEY, states.claim(content("old", sequence="7"), LEASE))
    table.apply(KEY, states.later(LEASE, mended, chat="default", due=NOW, error="x", is_failure=True))
    table.apply(KEY, states.reclaim(LEASE, now=NOW, place="7"))
    table.apply(KEY, states.fail(LEASE, Progress(message_ids=(1, 2), answer={}), now=NOW, error="no"))
    row = table.apply(KEY, states.claim(content("new", now=LATER), LEASE))
    assert set(row.item) - {"PK", "SK"} == {
        *("Status", "Chat", "Message", "BodyHash", "AcceptedTs", "TurnTs", "LeaseId", "DueTs", "Attempts")
    }
    assert json.loads(row.body or "") == {"text": "new"}
    assert row.attempts == 1


def test_a_row_has_room_for_the_largest_message_and_the_longest_answer() -> None:
    largest = Content("x" * 64, "é" * (MAX_RAW_BYTES // 2), "0" * 64, NOW, NOW, "9" * 40)
    table = MemoryTable()
    table.apply(KEY, states.claim(largest, LEASE))
    answer = {"message_id": 1, "date": 2, "text": "é" * MAX_ANSWER_BYTES}
    progress = Progress(message_ids=tuple(range(10**15, 10**15 + 10)), answer=answer, mended=("parse_mode",) * 9)
    row = table.apply(KEY, states.later(LEASE, progress, chat="default", due=NOW, error="x" * 100_000))
    assert len(json.dumps(row.item, ensure_ascii=False).encode()) < MAX_ROW_BYTES
    parked = MemoryTable().apply(KEY, states.park(content(), error="x" * 100_000, raw="é" * MAX_ROW_BYTES))
    assert len(json.dumps(parked.item, ensure_ascii=False).encode()) < MAX_ROW_BYTES


@pytest.mark.parametrize("seen", ["earlier", "", None])
def test_a_group_that_was_touched_since_it_was_seen_stays_in_its_lane(seen: str | None) -> None:
    table, key = MemoryTable(), Key.of_group("GROUP#g")
    table.apply(key, states.touch_group("default", due=NOW, nonce="now"))
    with pytest.raises(NotApplied):
        table.apply(key, states.close_group(seen, now=NOW))
    assert [row.key for row in table.due("default", NOW)] == [key]
    table.apply(key, states.close_group("now", now=NOW))
    assert not list(table.due("default", NOW))


def test_a_group_that_waits_already_stays_where_it_is_when_it_is_touched_and_goes_when_it_is_moved() -> None:
    table, key = MemoryTable(), Key.of_group("GROUP#g")
    table.apply(key, states.touch_group("default", due=NOW, nonce="1"))
    row = table.apply(key, states.touch_group("ops", due=NOW - 1, nonce="2", is_failure=True))
    assert (row.chat, row.due_ts, row.touched, row.failures) == ("default", NOW, "2", 1)
    row = table.apply(key, states.move_group("ops", due=NOW + 1, nonce="3"))
    assert (row.chat, row.due_ts, row.touched, row.failures) == ("ops", NOW + 1, "3", 1)


def test_a_lane_waits_for_the_longest_of_what_it_was_told() -> None:
    table, key = MemoryTable(), Key.of_lane("default")
    table.apply(key, states.hold_lane(until=NOW + 60))
    with pytest.raises(NotApplied):
        table.apply(key, states.hold_lane(until=NOW + 30))
    assert table.apply(key, states.hold_lane(until=NOW + 90)).not_before_ts == NOW + 90


def test_of_an_answer_that_is_too_long_what_names_the_message_stays() -> None:
    answer = {"message_id": 1, "date": 2, "text": "x" * 2 * MAX_ANSWER_BYTES}
    table = row_in("SENDING")
    row = table.apply(KEY, states.sent(LEASE, Progress(message_ids=(1,), answer=answer), now=NOW))
    assert row.progress.result == {"message_id": 1, "date": 2}
    row.is_over(NOW)
    json.dumps(row.progress.result)


def test_the_count_of_what_is_parked_has_the_first_reason_since_the_owner_was_told() -> None:
    table, key = MemoryTable(), Key.of_parkings()
    table.apply(key, states.count_parked(1, reason="first", now=NOW))
    row = table.apply(key, states.count_parked(2, reason="second", now=NOW + 1))
    assert (row.chat, row.due_ts, row.parked, row.told, row.last_error) == ("default", NOW, 3, 0, "first")
    table.apply(key, states.take_parkings(now=NOW, until=NOW + 120))
    row = table.apply(key, states.note_told(3, taken_until=NOW + 120, due=NOW + 3600))
    assert (row.due_ts, row.parked, row.told, row.last_error) == (NOW + 3600, 3, 3, None)
    row = table.apply(key, states.count_parked(1, reason="third", now=NOW + 2))
    assert (row.due_ts, row.parked, row.told, row.last_error) == (NOW + 3600, 4, 3, "third")


def test_one_process_alone_tells_of_what_is_parked_until_its_time_is_over() -> None:
    table, key = MemoryTable(), Key.of_parkings()
    table.apply(key, states.count_parked(1, reason="no", now=NOW))
    table.apply(key, states.take_parkings(now=NOW, until=NOW + 120))
    with pytest.raises(NotApplied):
        table.apply(key, states.take_parkings(now=NOW + 119, until=NOW + 239))
    table.apply(key, states.take_parkings(now=NOW + 120, until=NOW + 240))
    with pytest.raises(NotApplied):
        table.apply(key, states.note_told(1, taken_until=NOW + 120, due=NOW + 3600))


def test_the_count_of_what_is_parked_leaves_the_index_only_if_none_was_parked_since() -> None:
    table, key = MemoryTable(), Key.of_parkings()
    table.apply(key, states.count_parked(2, reason="no", now=NOW))
    with pytest.raises(NotApplied):
        table.apply(key, states.close_parkings(1))
    table.apply(key, states.close_parkings(2))
    assert not list(table.due("default", NOW))
