"""The auditor: reads a history, and tells where the promise is broken. It knows nothing of the relay's code.

Accepted is delivered, or parked with a reason that the history bears out. A message arrives again only if a process
died, or an answer was lost, between Telegram taking it and the note of it. A group is in order. Nothing is left over.
And nobody waits for somebody else: ``delays`` explains each delay by what happened to the message's own lane. Of all
that is parked the owner is told, once an hour.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from tests.simulation.delays import DelayAuditor
from tests.simulation.evidence import DEATHS, NOTICE, NOTICES, Evidence, Message
from tests.simulation.history import Event, History
from tests.simulation.live_auditor import live_faults

PARKED_AFTER_SECONDS = 3 * 86_400.0
MAX_ANSWERS_LOST = 5
MAX_SLEEP_SECONDS = 5.0  # so long a process waits itself
NOTICE_SECONDS = 3600.0


@dataclass(frozen=True)
class Verdict:
    """What the auditor found, and what it counted. unexplained: the longest delay beyond all causes, in seconds."""

    faults: tuple[str, ...] = ()
    messages: int = 0
    deliveries: int = 0
    parked: int = 0
    notices: int = 0
    kills: int = 0
    lost_answers: int = 0
    duplicates: int = 0
    lost: int = 0
    out_of_order: int = 0
    unexplained: float = 0.0


def audit(history: History) -> Verdict:
    """The verdict on a history."""
    evidence = Evidence(history)
    lost = list(_lost(evidence))
    disorder = list(_disorder(evidence))
    delays = DelayAuditor(evidence)
    checks = (_false_answers, _doubled, _intruded, _impatient, _untold, _insistent, _left_over, _broken)
    others = [fault for check in checks for fault in check(evidence)]
    others += live_faults(evidence)
    arrivals = [calls for message in evidence.messages.values() for calls in message.arrivals.values()]
    return Verdict(
        faults=(*lost, *disorder, *others, *delays.faults),
        messages=sum(message.accepted_at is not None for message in evidence.messages.values()),
        deliveries=sum(map(len, arrivals)),
        parked=sum(bool(message.parked) for message in evidence.messages.values()),
        notices=sum(call.facts["taken"] for call in evidence.notices),
        kills=len(evidence.of(*DEATHS)),
        lost_answers=evidence.lost_answers,
        duplicates=sum(len(calls) - 1 for calls in arrivals),
        lost=len(lost),
        out_of_order=len(disorder),
        unexplained=delays.longest,
    )


def _lost(evidence: Evidence) -> Iterator[str]:
    for message in evidence.messages.values():
        if message.fate == "foreign" and message.arrivals:
            yield f"{message.tag}: is not Botte's, and arrived"
        if message.fate == "bad" and message.arrivals:
            yield f"{message.tag}: cannot be delivered, and arrived"
        if message.fate == "foreign" or message.accepted_at is None or message.completed_at is not None:
            continue
        if not message.parked:
            yield f"{message.tag}: lost: accepted through {message.door}, neither delivered nor parked"
        elif not any(_is_legitimate(evidence, message, reason) for reason in message.parked):
            yield f"{message.tag}: parked for no good reason: {message.parked}"

    for live in evidence.lives.values():
        for parking in live.parkings:
            if not _is_legitimate(evidence, live.members[0], parking.facts["error"]):
                yield f"{live.key} in {live.chat}: parked for no good reason: {parking.facts['error']}"


def _is_legitimate(evidence: Evidence, message: Message, reason: str) -> bool:
    """Whether the history bears out why a message was parked."""
    if message.fate == "bad":
        return bool(reason) and "internal error" not in reason
    failed = [call.at for call in message.calls if call.facts["outcome"] != "ok"]
    if "names another message" in reason:
        return len(evidence.tags_by_id.get(message.id or "", ())) > 1
    if reason.startswith("403"):
        return any(call.facts["outcome"] == "refuse" for call in message.calls)
    if "unknown chat" in reason:
        return any(event.facts["chat"] == message.chat for event in evidence.of("chat removed"))
    if reason.startswith("for 3 days"):
        return bool(failed) and failed[-1] - failed[0] >= PARKED_AFTER_SECONDS
    if reason.startswith("may have arrived"):
        return sum(call.facts["outcome"] in ("lost", "hang") for call in message.calls) >= MAX_ANSWERS_LOST
    return False


def _false_answers(evidence: Evidence) -> Iterator[str]:
    for event in evidence.of("answered"):
        message = evidence.messages[event.facts["tag"]]
        # While the parameters cannot be read, nobody knows which chats there are.
        is_unknown = event.facts["answer"] == 202 and any("unknown chat" in reason for reason in message.parked)
        is_taken = event.facts["answer"] in (200, 202) and message.door != "async" and not is_unknown
        if message.fate == "bad" and is_taken:
            yield f"{message.tag}: cannot be delivered, and was answered {event.facts['answer']}"
        if event.facts["answer"] == 200 and (message.completed_at or event.at + 1) > event.at:
            yield f"{message.tag}: was answered 200 before it had arrived"


def _doubled(evidence: Evidence) -> Iterator[str]:
    """Each arrival but the last needs an excuse: why nobody could know of it."""
    for message in evidence.messages.values():
        for label, calls in message.arrivals.items():
            unexcused = sum(not evidence.may_be_repeated(message, call) for call in calls[:-1])
            late = sum(evidence.stood_still_before(call) for call in calls[1:])
            if unexcused > evidence.calls_cut_off(message) + late:
                yield f"{label}: arrived {len(calls)} times, {unexcused} of them without a crash or a lost answer"


def _disorder(evidence: Evidence) -> Iterator[str]:
    """Of a group, a message never arrives before an earlier one has."""
    for group, members in evidence.groups.items():
        before: Message | None = None
        for message in members:
            if not message.keeps_order or message.completed_at is None:
                continue
            first = min(calls[0].at for calls in message.arrivals.values())
            if before is not None and first < (before.completed_at or 0.0):
                yield f"{message.tag}: arrived before {before.tag}, of which group {group} has it later"
            if before is None or message.completed_at > (before.completed_at or 0.0):
                before = message


def _left_over(evidence: Evidence) -> Iterator[str]:
    history = evidence.history
    for row in history.rows:
        owes = row.get("Status", {}).get("S") in ("PENDING", "SENDING")
        if owes or "DueTs" in row:
            yield f"{' '.join(evidence.tags_of(row)) or 'a group'}: the row {row['SK']['S']} still owes: {dict(row)}"
    for task in history.tasks:
        if task.get("TaskId", {"S": "BOTTE_MESSAGE"}) == {"S": "BOTTE_MESSAGE"}:
            yield f"the task {task['SK']['S']} is still there"
    for message in history.queued:
        yield f"{message} is still in the queue"


def _intruded(evidence: Evidence) -> Iterator[str]:
    """The process that has claimed a row is the only one to write it, until another has."""
    holders: dict[str, str] = {}
    processes = {event.who: f"process {event.facts['process']}" for event in evidence.of("ends")}
    for event in evidence.of("row"):
        key, status = event.facts["key"], event.facts.get("status")
        holder, writer = holders.get(key), processes.get(event.who, event.who)
        if id(event) in evidence.joins and status == "SENDING":
            continue  # what is wanted of a live message may change while it is shown
        if status == "SENDING" and event.facts["attempts"] != evidence.attempts_before(event):
            holders[key] = writer
        elif holder not in (None, writer):
            yield f"{event.who} wrote to {key}, which {holder} had"
        if status != "SENDING":
            holders.pop(key, None)


def _impatient(evidence: Evidence) -> Iterator[str]:
    """When Telegram asks to wait for long, no later run writes to the chat before.

    A run that asked ``getMe`` has looked before which chats have to wait, if its table let it.
    """
    asked = {event.who for event in evidence.of("telegram") if event.facts["method"] == "getMe"}
    failed = {event.who for event in evidence.of("table fails") if event.facts["call"] == "lanes"}
    begun = {event.who: event.at for event in evidence.of("begins") if event.who in asked - failed}
    for told in evidence.of("telegram"):
        seconds, chat = told.facts.get("retry_after", 0.0), told.facts.get("chat")
        if seconds <= MAX_SLEEP_SECONDS or not chat or evidence.troubled(told.who):
            continue
        notes = [event for event in evidence.of("row") if event.facts["key"] == f"LANE|{chat}" and event.at > told.at]
        noted = min((note.at for note in notes if note.who == told.who), default=told.facts["until"] + 1.0)
        until = min([told.facts["until"] + seconds - 1.0, *(note.at for note in notes if note.who != told.who)])
        for call in evidence.of("telegram"):
            if begun.get(call.who, 0.0) > noted and call.at < until and call.facts.get("chat") == chat:
                yield f"{call.who} wrote to {chat}, which was to be left alone for {seconds:.0f} s"


def _untold(evidence: Evidence) -> Iterator[str]:
    """Of each parked message the owner is told; of none that a process or a table in trouble may not have counted.

    Only after a crash, or a write that failed, may he be told of more than there are.
    """
    notices = [row for row in evidence.history.rows if f"{row['PK']['S']}|{row['SK']['S']}".startswith(NOTICES)]
    told = [int(row["Message"]["S"].partition(NOTICE)[2].partition(" ")[0]) for row in notices]
    least = sum(not evidence.may_be_uncounted(event) for event in evidence.parkings)
    # One of a key is counted, and then others took its place before it was parked.
    replaced = [
        e for e in evidence.of("row") if e.facts["key"].startswith("LIVE|") and e.facts.get("status") == "PENDING"
    ]
    refused = sum(e.facts.get("error", "").startswith(("403", "unknown chat", "may have", "for 3")) for e in replaced)
    most = len(evidence.parkings) + refused if not evidence.of("table fails", *DEATHS) else sum(told)
    if not least <= sum(told) <= most:
        yield f"{len(evidence.parkings)} messages were parked, and the owner was told of {told}"
    sent = sum(row["Status"]["S"] == "SENT" for row in notices)
    if sent > sum(call.facts["taken"] for call in evidence.notices):
        yield f"{sent} notices are noted as sent, and some have not arrived"


def _insistent(evidence: Evidence) -> Iterator[str]:
    """Between two notices is an hour, but after one of which a process in trouble may not have noted it."""
    begun: dict[str, Event] = {}
    for event in evidence.of("row"):
        if event.facts["key"].startswith(NOTICES):
            begun.setdefault(event.facts["key"], event)
    for before, after in pairwise(begun.values()):
        if after.at - before.at < NOTICE_SECONDS - 120.0 and not evidence.troubled(before.who):
            yield f"{after.facts['key']} came {after.at - before.at:.0f} s after {before.facts['key']}"


def _broken(evidence: Evidence) -> Iterator[str]:
    """What must never be: an internal error, no end, a queue door that gives a batch back while its table is well."""
    for _ in evidence.of("endless"):
        yield "the history does not come to an end"
    for event in evidence.of("internal error"):
        yield f"internal error: {event.facts['error']}"
    for event in evidence.of("raised"):
        function = event.who.partition("/")[0]
        if function in ("stream", "queue", "redeliver") and not evidence.table_failed_in(event.who):
            yield f"{event.who} raised in good weather: {event.facts['error']}"
