"""What a history tells of each message, of each invocation and of each group: put in order for the auditor."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tests.simulation.history import Event, History
from tests.simulation.live import LiveMessage
from tests.simulation.submission import WORDS

NOTE_SECONDS = 10.0  # a note that was tried until so long before the deadline was tried until the deadline
DEATHS = ("killed", "timed out", "stalled")  # to all others, who stands still is dead
NOTICE = "notice."  # begins what the owner is told of parked messages, and then comes how many
NOTICES, COUNT = "PARKINGS|notice ", "PARKINGS|count"  # what their rows' keys begin with, and the key of the count
CALL_DOORS = ("http", "sync", "async")
_TAG = re.compile(r"\bm\d+(?:r\d+)?(?=[.\" ])")


@dataclass(eq=False)
class Message:
    """One message, by its tag. parked: the reasons. keeps_order: whether its group's order binds it.

    live: the live message of its key. writes: those by which the outbox took it.
    """

    tag: str
    door: str
    fate: str
    chat: str
    parts: int
    submitted_at: float
    group: str | None = None
    id: str | None = None
    deliver_at: float | None = None
    accepted_at: float | None = None
    is_ordered: bool = True
    calls: list[Event] = field(default_factory=list)
    arrivals: dict[str, list[Event]] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    parked: list[str] = field(default_factory=list)
    handed_to: list[str] = field(default_factory=list)
    live: LiveMessage | None = None
    words: str = ""
    renotify: bool = False
    ack: bool = False
    escalate_after: int | None = None
    writes: list[Event] = field(default_factory=list)
    joined: bool = False
    settled_at: float | None = None

    @property
    def turn_from(self) -> float:
        """It was its turn no sooner than that."""
        return max(self.submitted_at, self.deliver_at or 0.0)

    @property
    def accepted_by(self) -> float:
        """It was its turn by then, as the outbox had it; infinite if it never did."""
        firsts: dict[str, float] = {}
        for event in self.writes:
            firsts.setdefault(event.facts["key"], event.at)
        return max((*firsts.values(), self.deliver_at or 0.0)) if firsts else float("inf")

    def is_before(self, other: Message) -> bool:
        """Whether it was accepted before the other was handed in."""
        return self.accepted_by < other.turn_from

    @property
    def completed_at(self) -> float | None:
        """When all its parts had arrived, or another took its place; None if they have not."""
        if self.live is not None:
            return self.settled_at
        if len(self.arrivals) < max(1, self.parts):
            return None
        return max(calls[0].at for calls in self.arrivals.values())

    @property
    def keeps_order(self) -> bool:
        return self.is_ordered and self.deliver_at is None and self.fate == "good" and self.live is None


class Evidence:
    """A history, by message and by invocation."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.messages: dict[str, Message] = {}
        self.groups: defaultdict[str, list[Message]] = defaultdict(list)
        self.tags_by_id: defaultdict[str, set[str]] = defaultdict(set)
        self.lives: dict[tuple[str, str], LiveMessage] = {}
        self.joins: set[int] = set()  # the writes by which messages joined live ones
        self.notices: list[Event] = []
        self._by_words: dict[str, tuple[str, str]] = {}
        self.lost_answers = 0
        self._by_what: defaultdict[str, list[Event]] = defaultdict(list)
        self._by_who: defaultdict[str, list[Event]] = defaultdict(list)
        for event in history.events:
            self._by_what[event.what].append(event)
            if event.who:
                self._by_who[event.who].append(event)
            self._read(event)
        for row in history.rows:
            self._read_row(row)
        for message in self.messages.values():
            if message.live is not None:
                message.keys |= {event.facts["key"] for event in message.writes} | {message.live.row}
                message.settled_at = message.live.completed_at(message, self)

    def of(self, *whats: str) -> list[Event]:
        """The events of some kinds."""
        return [event for what in whats for event in self._by_what[what]]

    def by(self, who: str) -> list[Event]:
        """The events of an invocation."""
        return self._by_who[who]

    def tags_of(self, row: Mapping[str, Any]) -> set[str]:
        """The messages that a row speaks of."""
        words = " ".join(row[name]["S"][:400] for name in ("Message", "RawBody") if name in row)
        return set(_TAG.findall(words)) & self.messages.keys()

    def table_failed_in(self, who: str) -> bool:
        return any(event.what == "table fails" for event in self.by(who))

    def troubled(self, who: str) -> bool:
        """Whether an invocation died, or its table failed."""
        return any(event.what == "table fails" or event.what in DEATHS for event in self.by(who))

    def attempts_before(self, event: Event) -> int:
        """How often a row had been claimed before it was written."""
        return self._attempts_before.get(id(event), 0)

    def may_be_repeated(self, message: Message, call: Event, keys: Set[str] = frozenset()) -> bool:
        """Whether nobody could know of an arrival: Telegram's answer was lost, or the note of it could not be made.

        keys: of the rows in which it is noted; the message's own by default.
        """
        keys = keys or message.keys
        if call.facts["outcome"] in ("lost", "hang") or self.stood_still_before(call):
            return True
        for event in self.by(call.who):
            if event.at < call.at:
                continue
            if event.what in DEATHS:
                return True
            is_about_it = event.facts.get("key") in keys
            if event.what == "row" and is_about_it and event.at > call.at:
                return False  # noted
            if event.what == "table fails" and is_about_it and event.facts["kind"] == "lost":
                return True
        return self._tried_to_note_until_the_end(message, call)

    def stood_still_before(self, call: Event) -> bool:
        """Whether a call was made by a process that others took for dead."""
        return any(event.what == "stalled" and event.at <= call.at for event in self.by(call.who))

    def may_be_uncounted(self, parking: Event) -> bool:
        """Whether a process died after it had parked a message, or could not count it."""
        return any(
            (event.what in DEATHS and event.at >= parking.at)
            or (event.what == "table fails" and event.facts["key"] == COUNT)
            for event in self.by(parking.who)
        )

    def calls_cut_off(self, message: Message) -> int:
        """How many calls for a message without id died, or lost the table's answer: their caller had to repeat them."""
        if message.door != "async" or message.id is not None:
            return 0
        cut_off = [
            who
            for who in message.handed_to
            if any(
                event.what in DEATHS or (event.what == "table fails" and event.facts["kind"] == "lost")
                for event in self.by(who)
            )
        ]
        return len(cut_off)

    def _tried_to_note_until_the_end(self, message: Message, call: Event) -> bool:
        events = self.by(call.who)
        begun = next(event.at for event in events)
        deadline = begun + (27.0 if call.who.startswith("http") else events[-1].facts["timeout"])
        failed = [event.at for event in events if event.what == "table fails" and event.facts["key"] in message.keys]
        return bool(failed) and failed[-1] >= deadline - NOTE_SECONDS

    def _read(self, event: Event) -> None:
        facts = event.facts
        match event.what:
            case "submitted":
                self._read_submission(event)
            case "answered" if facts["answer"] in (200, 202):
                message = self.messages[facts["tag"]]
                message.accepted_at = event.at if message.accepted_at is None else message.accepted_at
            case "record lost":
                self.messages[facts["tag"]].is_ordered = False
            case "handed":
                for tag in facts["tags"]:
                    self.messages[tag].handed_to.append(event.who)
            case "telegram" if facts.get("chat"):
                self.lost_answers += facts["outcome"] in ("lost", "hang")
                if facts["label"].startswith(NOTICE):
                    self.notices.append(event)
                    return
                if facts["label"].startswith(WORDS):
                    self.lives[self._by_words[facts["label"].partition(".")[0]]].calls.append(event)
                    return
                message = self.messages[facts["label"].partition(".")[0]]
                message.calls.append(event)
                if facts["taken"]:
                    message.arrivals.setdefault(facts["label"], []).append(event)
            case "row" if facts.get("tag"):
                self._read_write(event)
            case "table fails":
                self.lost_answers += facts["kind"] == "lost"

    def _read_submission(self, event: Event) -> None:
        facts = event.facts
        known = self.messages.get(facts["tag"])
        if known is None:
            known = Message(
                facts["tag"],
                facts["door"],
                facts["fate"],
                facts["chat"],
                facts["parts"],
                event.at,
                facts.get("group"),
                facts.get("id"),
                facts.get("deliver_at") if facts["fate"] == "good" else None,
            )
            self.messages[known.tag] = known
            if "key" in facts:
                self._read_key(known, facts)
        elif (facts["door"], facts.get("group")) != (known.door, known.group):
            known.is_ordered = False
        if "group" in facts and known not in self.groups[facts["group"]]:
            self.groups[facts["group"]].append(known)
        if facts["door"] not in CALL_DOORS and known.accepted_at is None:
            known.accepted_at = event.at
        if "id" in facts:
            known.id = facts["id"]
            self.tags_by_id[facts["id"]].add(known.tag)
            if len(self.tags_by_id[facts["id"]]) > 1:
                for tag in self.tags_by_id[facts["id"]]:
                    self.messages[tag].is_ordered = False

    def _read_key(self, message: Message, facts: Mapping[str, Any]) -> None:
        place = message.chat, facts["key"]
        live = self.lives.setdefault(place, LiveMessage(*place))
        live.members.append(message)
        message.live, message.calls, message.words = live, live.calls, facts["words"]
        message.renotify, message.ack = bool(facts.get("renotify")), bool(facts.get("ack"))
        message.escalate_after = facts.get("escalate_after")
        self._by_words.setdefault(message.words, place)

    def _read_write(self, event: Event) -> None:
        message = self.messages[event.facts["tag"]]
        if message.live is not None and "version" in event.facts:
            if message.live.read_row(event, message):
                message.joined = True
                self.joins.add(id(event))
        elif event.facts.get("status") in ("PENDING", "SENDING"):
            message.writes.append(event)

    def _read_row(self, row: Mapping[str, Any]) -> None:
        if row["PK"]["S"] == "LIVE" and row.get("Status", {}).get("S") == "FAILED":
            for live in self.lives.values():
                if live.row == f"LIVE|{row['SK']['S']}":
                    for message in live.members:
                        if message.joined and live.completed_at(message, self) is None:
                            message.parked.append(row.get("LastError", {}).get("S", ""))
            return
        for tag in self.tags_of(row):
            self.messages[tag].keys.add(f"{row['PK']['S']}|{row['SK']['S']}")
            if row.get("Status", {}).get("S") == "FAILED":
                self.messages[tag].parked.append(row.get("LastError", {}).get("S", ""))

    @cached_property
    def _attempts_before(self) -> Mapping[int, int]:
        attempts: dict[str, int] = {}
        before: dict[int, int] = {}
        for event in self.of("row"):
            key = event.facts["key"]
            before[id(event)] = attempts.get(key, 0)
            attempts[key] = event.facts.get("attempts", 0)
        return before

    @cached_property
    def parkings(self) -> Sequence[Event]:
        """The writes by which a message was parked; not those of what the owner is told."""
        parked: dict[str, bool] = {}
        parkings = []
        for event in self.of("row"):
            key, is_parked = event.facts["key"], event.facts.get("status") == "FAILED"
            if is_parked and not parked.get(key) and not key.startswith(NOTICES):
                parkings.append(event)
            parked[key] = is_parked
        return parkings

    @cached_property
    def parked_at(self) -> Mapping[str, float]:
        """When each row was parked, by its key."""
        return {event.facts["key"]: event.at for event in self.of("row") if event.facts.get("status") == "FAILED"}
