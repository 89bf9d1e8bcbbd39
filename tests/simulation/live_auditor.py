"""Judges live messages: one key, one message in the chat, and never what another has superseded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby, pairwise

from tests.simulation.evidence import DEATHS, Evidence, Message
from tests.simulation.history import Event
from tests.simulation.live import RING, LiveMessage

MAX_ESCALATIONS = 3


def live_faults(evidence: Evidence) -> Iterator[str]:
    """What is wrong with the live messages of a history."""
    for live in evidence.lives.values():
        if live.members:
            for check in (_taken_over, _superseded_shown, _counted_twice, _multiplied, _noted_falsely, _not_shown):
                yield from (f"{live.key} in {live.chat}: {fault}" for fault in check(live, evidence))


def _taken_over(live: LiveMessage, evidence: Evidence) -> Iterator[str]:
    """No message takes the place of one that was accepted after it."""
    for before, join in pairwise(live.joins):
        if join.message.words != before.message.words and join.message.is_before(before.message):
            yield f"{join.message.tag} took the place of {before.message.tag}, which was accepted after it"


def _superseded_shown(live: LiveMessage, evidence: Evidence) -> Iterator[str]:
    """Of what the chat shows, nothing comes after what superseded it; but what a process does that seemed dead."""
    strays = set(map(id, live.strays(evidence)))
    latest: dict[str, float] = {}  # words that were shown, and from when on they can have been accepted
    for call in live.taken:
        words = call.facts["label"].partition(".")[0]
        if id(call) in strays or call.facts["method"] == "deleteMessage" or evidence.stood_still_before(call):
            continue
        members = [message for message in live.members if message.words == words]
        until = max((m.accepted_by for m in members if m.turn_from <= call.at), default=float("inf"))
        later = [other for other, start in latest.items() if other != words and until < start]
        if later:
            yield f"{words} was shown after {later[0]}, which had superseded it"
        latest.setdefault(words, min((m.turn_from for m in members), default=call.at))


def _counted_twice(live: LiveMessage, evidence: Evidence) -> Iterator[str]:
    """A message joins again only if a process died, or the table's answer was lost, before it was noted."""
    for message, times in Counter(join.message for join in live.joins).items():
        had_it = {*message.handed_to, *(event.who for event in message.writes)}
        excuses = sum(_is_trouble(event, message) for who in had_it for event in evidence.by(who))
        if times - 1 > excuses:
            yield f"{message.tag} was counted {times} times, with {excuses} crashes and lost answers"


def _is_trouble(event: Event, message: Message) -> bool:
    return event.what in DEATHS or (event.what == "table fails" and event.facts["key"] in message.keys)


def _multiplied(live: LiveMessage, evidence: Evidence) -> Iterator[str]:
    """One message in the chat, but for what was sent anew. An edit whose answer was lost excuses nothing."""
    strays = set(map(id, live.strays(evidence)))
    sends = [
        call
        for call in live.taken
        if call.facts["method"] == "sendMessage" and call.facts["label"].endswith(".1") and id(call) not in strays
    ]
    excused = sum(evidence.may_be_repeated(live.members[0], send, {live.row}) for send in sends)
    excused += sum(evidence.stood_still_before(send) for send in sends)
    anew = sum(join.message.renotify for join in live.joins)
    rings = MAX_ESCALATIONS * sum(ack for ack, _ in groupby(join.message.ack for join in live.joins))
    allowed = 1 + excused + anew + rings + len(live.deletions(evidence))
    if len(sends) > allowed:
        yield f"was sent {len(sends)} times, and at most {allowed} are explained"


def _noted_falsely(live: LiveMessage, evidence: Evidence) -> Iterator[str]:
    """When its row is noted as shown, the chat shows the words of the last one that joined."""
    if live.deletions(evidence) or any(evidence.stood_still_before(call) for call in live.taken):
        return
    for at in live.noted:
        last = next((join.message for join in reversed(live.joins) if join.at <= at), None)
        labels = {each.label for each in live.shown(evidence, at)}
        if last is not None and not {f"{last.words}.{number}" for number in range(1, last.parts + 1)} <= labels:
            yield f"was noted as shown with {last.words}, and the chat had {sorted(labels)}"
            return


def _not_shown(live: LiveMessage, evidence: Evidence) -> Iterator[str]:
    """At the end the chat shows the last message that was accepted, with how often it came."""
    if live.is_parked or not live.joins:
        return
    last, times = live.last[-1], len(live.last)
    for message in live.members:
        is_later = all(each.is_before(message) for each in live.last)
        if message.writes and not message.parked and message.words != last.words and is_later:
            yield f"{last.tag} is what is shown, and {message.tag} was accepted after it"
    strays = {call.facts["message_id"] for call in live.strays(evidence)}
    shown = [each for each in live.shown(evidence) if each.id not in strays]
    if live.deletions(evidence) or any(evidence.stood_still_before(call) for call in live.taken):
        return
    first = max((each.id for each in shown if each.label == f"{last.words}.1"), default=0)
    labels = [f"{last.words}.{number}" for number in range(1, last.parts + 1)]
    sends = [call for call in live.taken if call.facts["method"] == "sendMessage"]
    there = [each for each in shown if each.id >= first]
    if any(evidence.may_be_repeated(last, send, {live.row}) for send in sends):
        # There may be a second one of which nobody knows: the one that is known has to be right.
        there = [each for each in shown if each.label in labels]
    elif [each.label for each in there] != labels and not any(c.facts["outcome"] == "refuse" for c in live.calls):
        yield f"shows {[each.label for each in there]}, and is to show {labels}"
    texts = [each.text for each in there if each.label == labels[-1]]
    wanted = f"×{times}," if times > 1 else ""
    if not any(wanted in text if wanted else "×" not in text for text in texts):
        yield f"shows {texts}, and {last.words} came {times} times"
    if last.ack and last.escalate_after and f"{RING} not acknowledged, {MAX_ESCALATIONS} of" not in "".join(texts):
        yield f"shows {texts}, which nobody acknowledged"
