"""What a history tells of each live message: the messages of one key in one chat, and what the chat showed of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.simulation.history import Event

if TYPE_CHECKING:
    from tests.simulation.evidence import Evidence, Message

RING = "🔔"


class Join(NamedTuple):
    """A message became the one that the chat is to show."""

    at: float
    who: str
    message: Message


class Shown(NamedTuple):
    """A message in the chat, as it is at the end. label: of its words. by: the call that made it so."""

    id: int
    label: str
    text: str
    by: Event


@dataclass(eq=False)
class LiveMessage:
    """One key of one chat. calls: all that were made to Telegram for it.

    rests: when its row had nothing more to show, or only to ring; noted: only the former.
    """

    chat: str
    key: str
    members: list[Message] = field(default_factory=list)
    calls: list[Event] = field(default_factory=list)
    joins: list[Join] = field(default_factory=list)
    rests: list[float] = field(default_factory=list)
    noted: list[float] = field(default_factory=list)
    parkings: list[Event] = field(default_factory=list)
    row: str = ""
    is_parked: bool = False
    _version: float = 0.0

    def read_row(self, event: Event, message: Message) -> bool:
        """Reads a write to the row. Whether a message joined by it."""
        self.row = event.facts["key"]
        self.is_parked = event.facts.get("status") == "FAILED"
        self.parkings += [event] if self.is_parked else []
        has_joined = bool(event.facts["version"] != self._version)
        if event.facts.get("status") in ("SENT", "PENDING") and not has_joined and "error" not in event.facts:
            self.rests.append(event.at)
            self.noted += [event.at] if event.facts["status"] == "SENT" else []
        if has_joined:
            self._version = event.facts["version"]
            self.joins.append(Join(event.at, event.who, message))
        return has_joined

    def completed_at(self, message: Message, evidence: Evidence) -> float | None:
        """When a message was shown, or another took its place; None if neither happened."""
        ends = [call.at for call in self.strays(evidence) if call.facts["label"].startswith(message.words + ".")]
        joined = next((join.at for join in self.joins if join.message is message), None)
        if joined is None:
            ends += [join.at for join in self.joins if not join.message.is_before(message)]
            return max(min(ends), message.turn_from) if ends else None
        label = f"{message.words}.{message.parts}"
        ends += [call.at for call in self.taken if call.at >= joined and call.facts["label"] == label]
        ends += [join.at for join in self.joins if join.at > joined]
        ends += [at for at in self.rests if at >= joined]
        return min(ends, default=None)

    @property
    def taken(self) -> list[Event]:
        """The calls that changed the chat, or found it as they would have made it."""
        return [call for call in self.calls if call.facts["taken"]]

    def strays(self, evidence: Evidence) -> list[Event]:
        """What was sent without the key, as the table could not be reached to tell what it names.

        What could not be sent whole then is kept without its key, and goes on later.
        """
        kept = {id for row in evidence.history.rows if _has_lost_its_key(row) for id in _message_ids(row)}
        return [
            call
            for call in self.taken
            if call.facts["message_id"] in kept
            or (
                call.facts["method"] == "sendMessage"
                and call.who.startswith(("http", "message"))
                and evidence.table_failed_in(call.who)
                and any(call.who in message.handed_to for message in self.members)
                and not any(join.who == call.who for join in self.joins)
            )
        ]

    @property
    def last(self) -> list[Message]:
        """The last messages that had the same words, one after the other: the first of them, or one that renotifies."""
        run: list[Message] = []
        for join in self.joins:
            is_again = run and run[-1].words == join.message.words and not join.message.renotify
            run = [*run, join.message] if is_again else [join.message]
        return run

    def shown(self, evidence: Evidence, until: float = float("inf")) -> Iterator[Shown]:
        """What the chat has of it at a time, the oldest first; at the end, by default."""
        there: dict[int, Shown] = {}
        deleted = [event for event in evidence.of("deleted") if event.facts["chat"] == self.chat]
        for event in sorted([*self.taken, *deleted], key=lambda event: event.at):
            if event.at > until:
                break
            id = event.facts["message_id"]
            if event.what == "deleted" or event.facts["method"] == "deleteMessage":
                there.pop(id, None)
            else:
                there[id] = Shown(id, event.facts["label"], event.facts["text"], event)
        yield from sorted(there.values())

    def deletions(self, evidence: Evidence) -> list[Event]:
        """Where somebody deleted a message of it."""
        ids = {call.facts["message_id"] for call in self.taken}
        return [e for e in evidence.of("deleted") if e.facts["chat"] == self.chat and e.facts["message_id"] in ids]


def _has_lost_its_key(row: Mapping[str, Any]) -> bool:
    return {"S": "collapse_key"} in row.get("Mended", {}).get("L", ())


def _message_ids(row: Mapping[str, Any]) -> set[int]:
    ids = row.get("TelegramMessageId", {})
    return {int(each["N"]) for each in ids.get("L", [ids] if "N" in ids else [])}
