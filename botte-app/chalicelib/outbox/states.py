"""The states of a row, after h11's ``_state.py``: everything that changes one lives in this file. Pure.

Rule 1: a message's row has one of four states; EVENTS says which event leads from where to where. A row that owes a
delivery has no ``ExpirationTs``, so DynamoDB never deletes it.

Rule 2: who sends a row holds its lease. ``LeaseId`` fences each note of it: who lost the lease changes nothing more.

Rule 3: ``DueTs`` puts a row into the sparse index ``due`` of its lane. SENDING, it is the lease's end, so after a
crash nothing else is needed to find the row again. A message that waits behind its group has none: its group's row
is in the index instead, from before the message leaves it.

Rule 4: ``Place`` puts a row into the sparse local index ``unsent`` of its group, from the claim to the end.

Rule 5: a group's row leaves the index only if nobody touched it since its group was seen to be empty.

Rule 6: what is parked is counted in a row of its own, in the lane of the default chat: from the first that is parked
until an hour after the owner was told. It leaves the index only if none was parked since.

Rule 7: a live message is one row, and ``Version`` grows with each change of what is wanted of it. Who shows it notes
the end only of the version that he showed; where another came meanwhile, the row is due again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from ..contract.message import InvalidMessage, Message
from ..errors import redact
from ..telegram.delivery import NO_PROGRESS, Progress
from .row import (
    KEPT_FAILED,
    KEPT_RESERVED,
    KEPT_SENT,
    MAX_ANSWER_BYTES,
    MAX_ERROR_CHARACTERS,
    MAX_RAW_BYTES,
    Key,
    Row,
)

if TYPE_CHECKING:
    from .live import Showing, Wanted

# All that a message's row may hold beside its key.
ATTRIBUTES = (
    *("Status", "Chat", "Message", "RawBody", "BodyHash", "AcceptedTs", "TurnTs", "Sequence", "Place", "DueTs"),
    *("LeaseId", "Attempts", "Ambiguous", "Failures", "FailingSince", "LastError"),
    *("TelegramMessageId", "Answer", "Mended", "PlainFrom", "ExpirationTs", "OwnerPK", "OwnerSK"),
    *("Version", "Wanted", "Shown", "Unnoted"),
)
_CONTENT = ("Chat", "Message", "BodyHash", "AcceptedTs", "TurnTs", "Sequence", "Mended")
_PROGRESS = ("TelegramMessageId", "Answer", "Mended", "PlainFrom")
_MENDS = ("Mended", "PlainFrom")
_WORDS = ("Chat", "Message", "BodyHash", "AcceptedTs", "TurnTs", "Mended", "PlainFrom")  # of a live message
_THERE = ("TelegramMessageId", "Answer", "Shown")
_CLAIM = ("LeaseId", "Unnoted")  # of a live message
_TROUBLE = ("LastError", "Ambiguous", "Failures", "FailingSince")


class Check(NamedTuple):
    """What must hold of one attribute. A comparison with one that is not there never holds."""

    attribute: str
    operator: Literal["is absent", "=", "<="]
    value: object = None


class Change(NamedTuple):
    """One write to a row, if one line of ``when`` holds, or there is none. Values are plain: str, float, list of them.

    adds: counters that go up. defaults: are set only where they are not there yet.
    """

    when: Sequence[Sequence[Check]] = ()
    sets: Mapping[str, object] = {}
    removes: Sequence[str] = ()
    adds: Mapping[str, int] = {}
    defaults: Mapping[str, object] = {}


class Event(NamedTuple):
    """A line of the table of states: the attributes that it sets (or removes, where it has no value for one).

    No sources: it may happen to any row. No target: the row is no message's. defaults: as in Change.
    """

    sources: tuple[str, ...]
    target: str
    sets: tuple[str, ...] = ()
    adds: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    defaults: tuple[str, ...] = ()


# From where an event may lead. What begins with a colon is a value that the event is given.
SOURCES: Mapping[str, tuple[Check, ...]] = {
    "none": (Check("Status", "is absent"), Check("OwnerPK", "is absent")),
    "done, expired": (Check("ExpirationTs", "<=", ":now"),),
    "id of a message that is gone": (Check("OwnerPK", "=", ":gone_partition"), Check("OwnerSK", "=", ":gone_sort")),
    "id of this message": (Check("OwnerPK", "=", ":own_partition"), Check("OwnerSK", "=", ":own_sort")),
    "PENDING, due": (Check("Status", "=", "PENDING"), Check("DueTs", "<=", ":now")),
    "PENDING, behind its group": (Check("Status", "=", "PENDING"), Check("DueTs", "is absent")),
    "SENDING, lease over": (Check("Status", "=", "SENDING"), Check("DueTs", "<=", ":now")),
    "SENDING, our lease": (Check("Status", "=", "SENDING"), Check("LeaseId", "=", ":lease")),
    "SENDING, our lease, same version": (
        Check("Status", "=", "SENDING"),
        Check("LeaseId", "=", ":lease"),
        Check("Version", "=", ":version"),
    ),
    "not SENDING, same version": (Check("Status", "=", ":status"), Check("Version", "=", ":version")),
    "SENDING, same version": (Check("Status", "=", "SENDING"), Check("Version", "=", ":version")),
    "FAILED": (Check("Status", "=", "FAILED"),),
    "untouched since": (Check("Touched", "=", ":touched"),),
    "no wait": (Check("NotBefore", "is absent"),),
    "shorter wait": (Check("NotBefore", "<=", ":until"),),
    "due": (Check("DueTs", "<=", ":now"),),
    "not taken since": (Check("DueTs", "=", ":taken_until"),),
    "none parked since": (Check("Parked", "<=", ":parked"),),
    "not back since": (Check("MissedTs", "=", ":missed"),),
    "no topic": (Check("ThreadId", "is absent"),),
    "topic that is gone": (Check("ThreadId", "=", ":gone_thread"),),
}
_NEW = ("none", "done, expired", "id of a message that is gone")
_OURS = ("SENDING, our lease",)
_OURS_STILL = ("SENDING, our lease, same version",)
_AT_REST = ("not SENDING, same version",)
_RESERVED = ("OwnerPK", "OwnerSK", "Version", "BodyHash", "ExpirationTs")


def _new(target: str, *sets: str) -> Event:
    """The first event of a message: whatever its row holds of a message whose time is over goes."""
    sets = tuple(dict.fromkeys(sets))
    return Event(_NEW, target, sets, removes=tuple(name for name in ATTRIBUTES if name not in ("Status", *sets)))


EVENTS: Mapping[str, Event] = {
    "claim": _new("SENDING", *_CONTENT, "Place", "LeaseId", "DueTs", "Attempts"),
    "wait": _new("PENDING", *_CONTENT, *_PROGRESS, "DueTs", "Attempts", "Ambiguous", "LastError"),
    "park": _new("FAILED", *_CONTENT, "RawBody", "LastError", "ExpirationTs"),
    "reserve": Event(
        (*_NEW, "id of this message"),
        "",
        ("OwnerPK", "OwnerSK", "BodyHash", "ExpirationTs"),
        removes=tuple(name for name in ATTRIBUTES if name not in ("OwnerPK", "OwnerSK", "BodyHash", "ExpirationTs")),
    ),
    "reclaim": Event(
        ("PENDING, due", "PENDING, behind its group", "SENDING, lease over"),
        "SENDING",
        ("LeaseId", "DueTs", "Place"),
        ("Attempts", "Unnoted"),
    ),
    "progress": Event(_OURS, "SENDING", (*_PROGRESS, "DueTs")),
    "later": Event(
        _OURS,
        "PENDING",
        ("Chat", *_PROGRESS, "DueTs", "LastError", "FailingSince"),
        ("Ambiguous", "Failures"),
        ("LeaseId",),
    ),
    "sent": Event(_OURS, "SENT", (*_PROGRESS, "ExpirationTs"), (), ("LeaseId", "DueTs", "Place", "LastError")),
    "fail": Event(_OURS, "FAILED", (*_PROGRESS, "LastError", "ExpirationTs"), (), ("LeaseId", "DueTs", "Place")),
    "redrive": Event(
        ("FAILED",),
        "PENDING",
        ("Chat", "DueTs", "TurnTs", "Attempts", *_MENDS),
        removes=("ExpirationTs", "Ambiguous", "Failures", "FailingSince"),
    ),
    "discard": Event(
        ("FAILED",), "", ("ExpirationTs",), removes=tuple(name for name in ATTRIBUTES if name != "ExpirationTs")
    ),
    "join": Event(
        _OURS,
        "",
        ("OwnerPK", "OwnerSK", "Version", "ExpirationTs"),
        removes=tuple(name for name in ATTRIBUTES if name not in _RESERVED),
    ),
    "name": _new("PENDING", *_WORDS, "Version", "Wanted", "DueTs"),
    "take over": Event(
        _AT_REST, "PENDING", (*_WORDS, "Version", "Wanted", "DueTs"), (), ("ExpirationTs", "Attempts", *_TROUBLE)
    ),
    "take over next": Event(("SENDING, same version",), "SENDING", (*_WORDS, "Version", "Wanted")),
    "press": Event(_AT_REST, "PENDING", ("Version", "Wanted", "DueTs"), (), ("ExpirationTs",)),
    "press next": Event(("SENDING, same version",), "SENDING", ("Version", "Wanted")),
    "part shown": Event(_OURS, "SENDING", (*_THERE, "DueTs")),
    "shown": Event(_OURS_STILL, "SENT", (*_PROGRESS, "Shown", "ExpirationTs"), (), (*_CLAIM, "DueTs", *_TROUBLE)),
    "shown, and rings": Event(_OURS_STILL, "PENDING", (*_PROGRESS, "Shown", "DueTs"), (), (*_CLAIM, *_TROUBLE)),
    "not shown": Event(
        _OURS,
        "PENDING",
        (*_THERE, "DueTs", "LastError", "FailingSince"),
        ("Ambiguous", "Failures"),
        _CLAIM,
    ),
    "not to be shown": Event(
        _OURS_STILL, "FAILED", (*_PROGRESS, "Shown", "LastError", "ExpirationTs"), (), (*_CLAIM, "DueTs")
    ),
    "group waits": Event((), "", ("Touched",), ("Failures",), ("ExpirationTs",), defaults=("Chat", "DueTs")),
    "group moves": Event((), "", ("Touched", "Chat", "DueTs"), ("Failures",), ("ExpirationTs",)),
    "group recovers": Event(("untouched since",), "", removes=("Failures",)),
    "group is empty": Event(("untouched since",), "", ("ExpirationTs",), (), ("Chat", "DueTs", "Failures")),
    "lane waits": Event(("no wait", "shorter wait"), "", ("NotBefore", "ExpirationTs")),
    "count grows": Event((), "", (), ("Parked",), defaults=("Chat", "DueTs", "LastError")),
    "count is taken": Event(("due",), "", ("DueTs",)),
    "count is told": Event(("not taken since",), "", ("Told", "DueTs"), (), ("LastError",)),
    "heartbeat comes": Event((), "", ("Chat", "DueTs", "Every", "LastTs", "SenderApp"), (), ("ExpirationTs",)),
    "heartbeat is missed": Event(("due",), "", ("DueTs",), defaults=("MissedTs",)),
    "heartbeat rests": Event(("not taken since",), "", ("ExpirationTs",), (), ("DueTs",)),
    "heartbeat is back": Event(("not back since",), "", (), (), ("MissedTs",)),
    "count rests": Event(("none parked since",), "", (), (), ("Chat", "DueTs")),
    "topic is made": Event(("no topic", "topic that is gone"), "", ("ThreadId",)),
}


class Lease(NamedTuple):
    """The right to send a row, until its time (epoch seconds) is over."""

    id: str
    until: float


class Content(NamedTuple):
    """A message as its row keeps it.

    message: its fields, as JSON; None for bad input. turn: when it might go at first, in epoch seconds.
    sequence: its place in its group. gone: the row of an earlier message with its id, which is no longer there.
    mended: the fields that were left out or changed when it was read.
    """

    chat: str
    message: str | None
    body_hash: str
    accepted: float
    turn: float
    sequence: str | None = None
    gone: Key | None = None
    mended: tuple[str, ...] = ()

    @classmethod
    def of(cls, message: Message, now: float, sequence: str | None = None, *, mended: tuple[str, ...] = ()) -> Content:
        """A message that is accepted now (epoch seconds). sequence: its place in its group. mended: see Content."""
        turn = max(now, float(message.deliver_at or 0))
        fields = message.to_fields()
        kept = json.dumps(fields, ensure_ascii=False)
        for label in ("id", "sender_app"):
            fields.pop(label, None)
        body_hash = _hash(json.dumps(fields, sort_keys=True))
        return cls(message.chat, kept, body_hash, now, turn, sequence, mended=mended)

    @classmethod
    def of_bad_input(cls, raw: str, now: float) -> Content:
        """Input that is no message, as it came."""
        return cls("default", None, _hash(raw), now, now)


def claim(content: Content, lease: Lease) -> Change:
    """Takes a new message to send it."""
    held = {"Place": content.sequence, "LeaseId": lease.id, "DueTs": lease.until, "Attempts": 1}
    return _change("claim", {**_content(content), **held}, now=content.accepted, gone=content.gone)


def wait(
    content: Content,
    *,
    progress: Progress = NO_PROGRESS,
    attempts: int = 0,
    ambiguous: int = 0,
    error: str | None = None,
) -> Change:
    """Keeps a new message that cannot be sent now; its turn is when it is due."""
    tried = {"Attempts": attempts, "Ambiguous": ambiguous, "LastError": _reason(error)}
    values = {**_content(content), **_progress(progress), **tried, "DueTs": content.turn}
    return _change("wait", values, now=content.accepted, gone=content.gone)


def park(content: Content, *, error: str, raw: str | None = None) -> Change:
    """Keeps a new message that will not be delivered, with the reason. raw: bad input, as it came."""
    kept = None if raw is None else raw.encode("utf-8", "replace")[:MAX_RAW_BYTES].decode("utf-8", "ignore")
    ends = {"RawBody": kept, "LastError": _reason(error), "ExpirationTs": int(content.accepted) + KEPT_FAILED}
    return _change("park", {**_content(content), **ends}, now=content.accepted, gone=content.gone)


def reserve(owner: Key, *, body_hash: str, now: float, gone: Key | None = None) -> Change:
    """Has an id name the message in another row: that of a message group. gone: see Content."""
    values = {"OwnerPK": owner.partition, "OwnerSK": owner.sort, "BodyHash": body_hash}
    return _change("reserve", {**values, "ExpirationTs": int(now) + KEPT_RESERVED}, now=now, gone=gone, own=owner)


def reclaim(lease: Lease, *, now: float, place: str | None, is_live: bool = False) -> Change:
    """Takes a message to send it once more. place: its sequence in its group. is_live: it is a live one."""
    held = {"LeaseId": lease.id, "DueTs": lease.until, "Place": place}
    return _change("reclaim", held, {"Attempts": 1, "Unnoted": int(is_live)}, now=now)


def progress(lease: Lease, progress: Progress) -> Change:
    """Notes how far a message has come, and extends its lease."""
    return _change("progress", {**_progress(progress), "DueTs": lease.until}, lease=lease.id)


def later(
    lease: Lease,
    progress: Progress,
    *,
    chat: str,
    due: float | None,
    error: str | None = None,
    is_ambiguous: bool = False,
    is_failure: bool = False,
    failing_since: float | None = None,
) -> Change:
    """Puts a message back, into the lane of its chat. due: None in a group, whose row tells when it goes on.

    is_failure: it failed, and Telegram itself is not away. failing_since: when its first own failure was.
    """
    why = {"Chat": chat, "DueTs": due, "LastError": _reason(error), "FailingSince": failing_since}
    adds = {"Ambiguous": int(is_ambiguous), "Failures": int(is_failure)}
    return _change("later", {**_progress(progress), **why}, adds, lease=lease.id)


def sent(lease: Lease, progress: Progress, *, now: float) -> Change:
    """Notes that a message is delivered."""
    return _change("sent", {**_progress(progress), "ExpirationTs": int(now) + KEPT_SENT}, lease=lease.id)


def fail(lease: Lease, progress: Progress, *, now: float, error: str) -> Change:
    """Notes that a message will not be delivered, with the reason."""
    ends = {"LastError": _reason(error), "ExpirationTs": int(now) + KEPT_FAILED}
    return _change("fail", {**_progress(progress), **ends}, lease=lease.id)


def redrive(row: Row, *, now: float) -> Change:
    """Has a parked message sent again, in the lane of its chat, as soon as it is readable.

    What Telegram wanted mended is tried anew, unless a part of it has arrived already. What was mended when the message
    was read stays noted: its text, or a field that it has no more.
    """
    message, progress = _message(row, now), row.progress
    if message and not progress.message_ids:
        left_out = (name for name in progress.mended if name == "text" or getattr(message, name, None) is None)
        progress = Progress(mended=tuple(left_out))
    mends = _progress(progress)
    values = {
        "Chat": message.chat if message else row.chat,
        "DueTs": now,
        "TurnTs": now,
        "Attempts": 0,
        **{name: mends.get(name) for name in _MENDS},
    }
    return _change("redrive", values)


def discard(*, now: float) -> Change:
    """Forgets a parked message: its id is free again, and DynamoDB deletes what is left of the row."""
    return _change("discard", {"ExpirationTs": int(now)})


def join(lease: Lease, live: Key, version: int, *, now: float) -> Change:
    """Notes that a message joined a live one, whose row delivers it from now on. version: of the row, with it."""
    values = {"OwnerPK": live.partition, "OwnerSK": live.sort, "Version": version}
    return _change("join", {**values, "ExpirationTs": int(now) + KEPT_SENT}, lease=lease.id)


def name_live(content: Content, wanted: Wanted, version: int, *, due: float) -> Change:
    """Keeps the first message of a key."""
    values = {**_content(content), **_wanted(wanted, version), "DueTs": due}
    return _change("name", values, now=content.accepted)


def take_over(seen: Row, content: Content, wanted: Wanted, version: int, *, due: float) -> Change:
    """Has a message take the place of the one that a live row, as it was seen, had before.

    It is due at once, or when that one, which is being sent, is shown.
    """
    event = "take over next" if seen.status == "SENDING" else "take over"
    values = {**_content(content), **_wanted(wanted, version), "DueTs": due}
    del values["Sequence"]
    return _change(event, _of(event, values), status=seen.status, version=seen.version)


def press(seen: Row, wanted: Wanted, version: int, *, due: float) -> Change:
    """Has a live message show what somebody did by its buttons. seen: its row."""
    event = "press next" if seen.status == "SENDING" else "press"
    values = {**_wanted(wanted, version), "DueTs": due}
    return _change(event, _of(event, values), status=seen.status, version=seen.version)


def part_shown(lease: Lease, progress: Progress, showing: Showing) -> Change:
    """Notes how far a live message is shown, and extends its lease."""
    return _change("part shown", {**_there(progress, showing), "DueTs": lease.until}, lease=lease.id)


def shown(lease: Lease, version: int, progress: Progress, showing: Showing, *, now: float, due: float | None) -> Change:
    """Notes that a version of a live message is shown. due: when it is to be sent again; None if it is not."""
    values = {**_progress(progress), "Shown": _json(showing), "DueTs": due}
    if due is not None:
        return _change("shown, and rings", values, lease=lease.id, version=version)
    del values["DueTs"]
    return _change("shown", {**values, "ExpirationTs": int(now) + KEPT_SENT}, lease=lease.id, version=version)


def not_shown(
    lease: Lease,
    progress: Progress,
    showing: Showing,
    *,
    due: float,
    error: str | None = None,
    is_ambiguous: bool = False,
    is_failure: bool = False,
    failing_since: float | None = None,
) -> Change:
    """Puts a live message back: what is wanted now is not shown yet. Else as in ``later``."""
    why = {"DueTs": due, "LastError": _reason(error), "FailingSince": failing_since}
    adds = {"Ambiguous": int(is_ambiguous), "Failures": int(is_failure)}
    return _change("not shown", {**_there(progress, showing), **why}, adds, lease=lease.id)


def not_to_be_shown(
    lease: Lease, version: int, progress: Progress, showing: Showing, *, now: float, error: str
) -> Change:
    """Notes that a version of a live message will not be shown, with the reason."""
    ends = {"Shown": _json(showing), "LastError": _reason(error), "ExpirationTs": int(now) + KEPT_FAILED}
    return _change("not to be shown", {**_progress(progress), **ends}, lease=lease.id, version=version)


def touch_group(chat: str, *, due: float, nonce: str, is_failure: bool = False) -> Change:
    """Has a group wait in the index. chat, due: where and until when, if it does not wait there already."""
    adds = {"Failures": int(is_failure)}
    return _change("group waits", {"Touched": nonce, "Chat": chat, "DueTs": due}, adds)


def move_group(chat: str, *, due: float, nonce: str, is_failure: bool = False) -> Change:
    """Says when a group goes on, and in which lane."""
    adds = {"Failures": int(is_failure)}
    return _change("group moves", {"Touched": nonce, "Chat": chat, "DueTs": due}, adds)


def forgive_group(touched: str | None) -> Change:
    """Forgets the failures of a group, as a message of it went through."""
    return _change("group recovers", {}, touched=touched or "")


def close_group(touched: str | None, *, now: float) -> Change:
    """Takes an empty group out of the index, unless it was touched since it was seen."""
    return _change("group is empty", {"ExpirationTs": int(now) + KEPT_SENT}, touched=touched or "")


def hold_lane(*, until: float) -> Change:
    """Has a chat wait until a time, unless it has to wait for longer."""
    return _change("lane waits", {"NotBefore": until, "ExpirationTs": int(until) + KEPT_SENT}, until=until)


def count_parked(count: int, *, reason: str, now: float) -> Change:
    """Counts messages that are parked, for the owner to be told. reason: of the first of them."""
    return _change("count grows", {"Chat": "default", "DueTs": now, "LastError": _reason(reason)}, {"Parked": count})


def take_parkings(*, now: float, until: float) -> Change:
    """Takes the count of what was parked, to tell of it, until a time."""
    return _change("count is taken", {"DueTs": until}, now=now)


def note_told(parked: int, *, taken_until: float, due: float) -> Change:
    """Notes of how many the owner was told. taken_until: of who took the count. due: when to look at it again."""
    return _change("count is told", {"Told": parked, "DueTs": due}, taken_until=taken_until)


def close_parkings(parked: int) -> Change:
    """Takes the count out of the index, unless it grew since."""
    return _change("count rests", {}, parked=parked)


def beat(chat: str, *, now: float, every: int, sender_app: str | None) -> Change:
    """Pushes a heartbeat on: the next one is due in so many seconds."""
    values = {"Chat": chat, "DueTs": now + every, "Every": every, "LastTs": now, "SenderApp": sender_app}
    return _change("heartbeat comes", values)


def miss_heartbeat(due: float, *, now: float, until: float) -> Change:
    """Takes a heartbeat that was due and did not come, to tell of it, until a time."""
    return _change("heartbeat is missed", {"DueTs": until, "MissedTs": due}, now=now)


def rest_heartbeat(*, taken_until: float, now: float) -> Change:
    """Has a heartbeat of which was told rest until it comes again. taken_until: of who told."""
    return _change("heartbeat rests", {"ExpirationTs": int(now) + KEPT_FAILED}, taken_until=taken_until)


def forget_missed(missed: float) -> Change:
    """Notes that it is told that a heartbeat is back. missed: when it was due."""
    return _change("heartbeat is back", {}, missed=missed)


def make_topic(thread_id: int, *, gone: int | None) -> Change:
    """Remembers the topic of a sender. gone: the one that was remembered, and is not there any more."""
    return _change("topic is made", {"ThreadId": thread_id}, gone_thread=gone)


def _change(
    name: str,
    values: Mapping[str, object],
    adds: Mapping[str, int] = {},
    *,
    gone: Key | None = None,
    own: Key | None = None,
    **given: object,
) -> Change:
    """The change that an event makes. given: the values with a colon in the checks of its sources."""
    event = EVENTS[name]
    for role, key in (("gone", gone), ("own", own)):
        given[f"{role}_partition"], given[f"{role}_sort"] = key or (None, None)
    when = [_filled(SOURCES[source], given) for source in event.sources]
    if event.target:
        values = {"Status": event.target, **values}
    return Change(
        when=[line for line in when if line],
        sets={name: value for name, value in values.items() if value is not None and name not in event.defaults},
        removes=(*event.removes, *(name for name in event.sets if values.get(name) is None)),
        adds={name: count for name, count in adds.items() if count},
        defaults={name: values[name] for name in event.defaults},
    )


def _filled(line: Sequence[Check], given: Mapping[str, object]) -> list[Check]:
    """The line with its values; empty where there is none for one: then the event cannot come from there."""
    filled = [
        check._replace(value=given[str(check.value)[1:]]) if str(check.value).startswith(":") else check
        for check in line
    ]
    return [] if any(check.value is None and check.operator != "is absent" for check in filled) else filled


def _content(content: Content) -> dict[str, object]:
    return {
        "Chat": content.chat,
        "Message": content.message,
        "BodyHash": content.body_hash,
        "AcceptedTs": content.accepted,
        "TurnTs": content.turn,
        "Sequence": content.sequence,
        "Mended": list(content.mended) or None,
    }


def _progress(progress: Progress) -> dict[str, object]:
    kept: dict[str, object] = {}
    if progress.message_ids:
        ids = progress.message_ids
        kept["TelegramMessageId"] = ids[0] if len(ids) == 1 else list(ids)
        kept["Answer"] = _answer(progress.answer or {})
    if progress.mended:
        kept["Mended"] = list(progress.mended)
    if progress.plain_from is not None:
        kept["PlainFrom"] = progress.plain_from
    return kept


def _wanted(wanted: Wanted, version: int) -> dict[str, object]:
    return {"Version": version, "Wanted": _json(wanted)}


def _there(progress: Progress, showing: Showing) -> dict[str, object]:
    """What is in the chat, whatever is wanted there by now."""
    kept = {name: value for name, value in _progress(progress).items() if name in _THERE}
    return {**kept, "Shown": _json(showing)}


def _json(kept: Wanted | Showing) -> str:
    return json.dumps(kept._asdict(), ensure_ascii=False)


def _of(event: str, values: Mapping[str, object]) -> dict[str, object]:
    """Those of the values that the event sets."""
    return {name: value for name, value in values.items() if name in EVENTS[event].sets}


def _message(row: Row, now: float) -> Message | None:
    """The message in a row; bad input may still be none."""
    try:
        return row.read_message(now).message
    except InvalidMessage:
        return None


def _answer(answer: Mapping[str, object]) -> str:
    """Telegram's answer, as JSON; of one that is very long only what names the message."""
    whole = json.dumps(answer, ensure_ascii=False)
    if len(whole.encode("utf-8", "replace")) <= MAX_ANSWER_BYTES:
        return whole.encode("utf-8", "replace").decode()
    named = {name: answer[name] for name in ("message_id", "date") if isinstance(answer.get(name), int)}
    return json.dumps(named)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _reason(error: str | None) -> str | None:
    return None if error is None else redact(error)[:MAX_ERROR_CHARACTERS].encode("utf-8", "replace").decode()
