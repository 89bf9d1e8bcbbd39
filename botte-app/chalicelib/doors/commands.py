"""The commands: what a person asks the bot, and what it says: plain text, and one message at most."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..contract.message import InvalidMessage, check_field
from ..errors import ParametersUnavailable, redact
from ..outbox.row import Row
from ..outbox.table import Outbox
from ..relay.heartbeats import list_heartbeats, shown_duration
from ..relay.parked import find_parked
from ..settings import VERSION, Parameters

MOST_ENTRIES = 10
MAX_UNITS = 3500  # of UTF-16, as Telegram counts; it takes 4,096 in a message
_MAX_ID, _MAX_NAME, _MAX_REASON = 64, 32, 160


class Command(NamedTuple):
    """arguments: as they are written after its name. does: what it does, after its name."""

    arguments: str
    does: str

    @property
    def description(self) -> str:
        """What Telegram shows beside the name."""
        return f"{self.arguments} {self.does}".strip()


COMMANDS = {
    "failed": Command("", "lists what was parked, and why"),
    "pending": Command("", "lists what waits, for how long, and why"),
    "heartbeats": Command("", "lists them, and which did not come"),
    "mute": Command("<sender_app> <2h>", "has a sender make no sound for so long: 45s, 90m, 2h, 7d"),
    "unmute": Command("[<sender_app>]", "ends that, for one sender or for all"),
    "status": Command("", "tells what was accepted, and what is pending or failed"),
    "echo": Command("<text>", "says it back"),
    "help": Command("", "shows this"),
}


class Commands:
    """Answers questions about ``outbox`` and ``parameters``, at a time (epoch seconds)."""

    def __init__(self, outbox: Outbox, parameters: Parameters, now: float) -> None:
        self._outbox = outbox
        self._parameters = parameters
        self._now = now

    def answer(self, text: str, written_ts: float) -> str:
        """What the bot says to a text that was written to it at a time. Raises Unavailable."""
        command, rest, *_ = (*text.strip().split(maxsplit=1), "", "")
        match command.partition("@")[0]:
            case "/failed":
                return self._list_failed()
            case "/pending":
                return self._list_pending()
            case "/heartbeats":
                return self._list_heartbeats()
            case "/mute":
                return self._mute(rest, written_ts)
            case "/unmute":
                return self._unmute(rest)
            case "/status":
                return self._status()
            case "/echo" if rest:
                return rest
            case "/start" | "/help":
                return _help()
            case _:
                *names, last = (f"/{name} {of.arguments}".rstrip() for name, of in COMMANDS.items())
                return f"I know {', '.join(names)} and {last}."

    def _list_failed(self) -> str:
        rows = find_parked(self._outbox)[::-1]
        entries = (
            _entry([_date(row.parked_ts), self._given(row, "sender_app"), row.key.sort], redact(row.last_error or ""))
            for row in rows
        )
        return _screen(_count(len(rows), "is parked", "are parked"), entries, len(rows), "more; make failed lists all")

    def _list_pending(self) -> str:
        rows = sorted(self._outbox.scan("PENDING", "SENDING"), key=lambda row: (row.accepted_ts or 0.0, row.key))
        entries = (_entry(self._name(row), self._why_it_waits(row)) for row in rows)
        return _screen(_count(len(rows), "waits", "wait"), entries, len(rows), "more, accepted later")

    def _list_heartbeats(self) -> str:
        found = sorted(list_heartbeats(self._outbox), key=lambda each: (each.missed_ts is None, each.name))
        head = (
            f"{len(found)} heartbeat{'s' * (len(found) > 1)}"
            if found
            else "No heartbeats: POST /heartbeat/<name>?every=26h makes one"
        )
        return _screen(head, (each.line(self._now) for each in found), len(found), "more; make heartbeats lists all")

    def _why_it_waits(self, row: Row) -> str:
        if row.last_error is not None:
            return redact(row.last_error)
        if row.status == "SENDING":
            return "it is being sent"
        due = row.due_ts or 0.0  # none behind the group of the message
        return f"not before {_date(due)}" if due > self._now else "it waits for its turn"

    def _name(self, row: Row) -> list[str]:
        """Of what waits; of a live message by the key that its sender gave it."""
        waited = shown_duration(self._now - (row.accepted_ts or self._now))
        id = self._given(row, "collapse_key") if row.key.is_live else row.key.sort
        return [waited, self._given(row, "sender_app"), f"to {row.chat}", id]

    def _given(self, row: Row, field: str) -> str:
        """A field of a row's message; empty where it has none."""
        try:
            return str(getattr(row.read_message(self._now).message, field) or "")
        except InvalidMessage:
            return ""

    def _mute(self, rest: str, written_ts: float) -> str:
        name, _, duration = rest.rpartition(" ")
        try:
            sender_app, seconds = check_field("sender_app", name.strip()), check_field("every", duration)
        except InvalidMessage:
            sender_app = None
        if not sender_app:
            muted = [f"{one_line(each, _MAX_NAME)} until {_date(until)}" for each, until in self._muted()]
            return "\n".join(["Say who, and for how long: /mute backup 2h", *muted[:MOST_ENTRIES]])
        until = written_ts + seconds  # not from now on: Telegram may bring it again
        try:
            self._parameters.mute(sender_app, until)
        except ParametersUnavailable as error:
            return f"It cannot be done: {error.reason}"
        shown = one_line(sender_app, _MAX_NAME)
        return f"{shown} makes no sound until {_date(until)}; it begins within five minutes. /unmute {shown} ends it"

    def _unmute(self, sender_app: str) -> str:
        shown = one_line(sender_app, _MAX_NAME)
        muted = [name for name, _ in self._muted() if one_line(name, _MAX_NAME) == shown]  # as it was told, if need be
        if sender_app and not muted:
            return f"{shown} is not muted"
        try:
            self._parameters.unmute((sender_app if sender_app in muted else muted[0]) if muted else None)
        except ParametersUnavailable as error:
            return f"It cannot be done: {error.reason}"
        return f"{shown or 'Whoever was muted'} makes sounds again, in five minutes at the latest"

    def _muted(self) -> list[tuple[str, float]]:
        return [(name, until) for name, until in self._parameters.mutes().items() if until > self._now]

    def _status(self) -> str:
        counts = self._outbox.count()
        lines = [
            f"Botte {VERSION}",
            f"accepted: {counts.accepted} in the table",
            f"pending: {counts.pending}",
            f"failed: {counts.failed}",
        ]
        if counts.oldest_pending_ts is not None:
            minutes = round((self._now - counts.oldest_pending_ts) / 60)
            lines.append(f"oldest pending: accepted {minutes} minutes ago")
        return "\n".join(lines)


def one_line(text: str, most: int) -> str:
    """A text of anybody's, in one line of so many characters at most, with nothing in it that is not shown."""
    shown = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def _help() -> str:
    lines = [f"/{name} {of.description}" for name, of in COMMANDS.items()]
    return "\n".join(["Botte brings you messages from your own AWS account.", "", *lines])


def _screen(head: str, entries: Iterable[str], count: int, rest: str) -> str:
    """As many of the entries as people read at once, and how many there are beside them. rest: what those are."""
    shown = head
    for number, entry in enumerate(entries):
        longer = f"{shown}\n\n{entry}"
        if number == MOST_ENTRIES or len(longer.encode("utf-16-le")) // 2 > MAX_UNITS:
            return f"{shown}\n\nand {count - number} {rest}"
        shown = longer
    return shown


def _entry(head: Sequence[str], why: str) -> str:
    *names, id = head
    parts = [*(one_line(name, _MAX_NAME) for name in names), one_line(id, _MAX_ID)]
    return "\n".join([" · ".join(filter(None, parts)), one_line(why, _MAX_REASON)])


def _count(count: int, one: str, many: str) -> str:
    return f"1 message {one}" if count == 1 else f"{count or 'No'} messages {many}"


def _date(ts: float) -> str:
    return time.strftime("%d %b %H:%M UTC", time.gmtime(ts))
