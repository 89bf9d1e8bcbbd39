"""Why a message came late: everything in a history that may delay it, and what is left when all that is taken off.

What explains a delay is the message's own: its chat's weather, pace and backlog, its group, the deaths of processes
that had it, and what is out for everybody, Telegram or the table. Never another lane.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.simulation.evidence import DEATHS, Evidence, Message
from tests.simulation.history import Event

# A function that takes a batch may run for 60 s before it comes to the message, and puts it back then for want of
# time; the next run begins within 60 s, and what is due in other lanes has one call of 13 s before it, or a few.
BOUND_SECONDS = 180.0
RUN_SECONDS = 75.0  # until the next run has begun and come to each lane
LEASE_SECONDS = 120.0
VISIBILITY_SECONDS = 360.0
BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 5.0, 900.0
SWEEPS_SECONDS = 3600.0  # two sweeps of one process, each up to 20 minutes after the one before, and other processes
PARAMETERS_SECONDS = 300.0
PACE_SECONDS = 5.0
FOREVER = float("inf")

Span = tuple[float, float]


class DelayAuditor:
    """Judges every delivered message. longest: the longest delay that nothing explains, in seconds."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self.longest = 0.0
        self.faults: list[str] = []
        for message in evidence.messages.values():
            if message.accepted_at is None or message.completed_at is None or message.fate != "good":
                continue
            start = max(message.accepted_at, message.deliver_at or 0.0)
            if message.completed_at - start <= BOUND_SECONDS:
                continue
            unexplained = _uncovered((start, message.completed_at), self._causes(message)) - BOUND_SECONDS
            self.longest = max(self.longest, unexplained)
            if unexplained > 0:
                late, nothing = message.completed_at - start, unexplained + BOUND_SECONDS
                self.faults.append(f"{message.tag}: {late:.0f} s late, {nothing:.0f} s of which nothing explains")

    def _causes(self, message: Message) -> Iterator[Span]:
        yield from self._weather(message)
        yield from self._lane(message)
        yield from self._own_failures(message)
        yield from self._group(message)
        yield from self._deaths(message)
        yield from self._ways(message)

    def _weather(self, message: Message) -> Iterator[Span]:
        for event in self._evidence.of("weather"):
            end = event.facts["until"]
            match event.facts["where"]:
                case "telegram":
                    yield event.at, end + event.facts["seconds"] + RUN_SECONDS
                case "table":
                    again = VISIBILITY_SECONDS if message.door in ("queue", "fifo", "async") else 0.0
                    yield event.at, end + LEASE_SECONDS + again + RUN_SECONDS
                case "index" | "parameters":
                    yield event.at, end + max(30.0, event.facts["seconds"]) + RUN_SECONDS
                case where if where == f"chat {message.chat}":
                    yield event.at, end + event.facts["seconds"] + RUN_SECONDS
        for event in self._evidence.of("chat removed"):
            if event.facts["chat"] == message.chat:
                restored = [e.at for e in self._evidence.of("chat restored") if e.facts["chat"] == message.chat]
                yield event.at, restored[0] + PARAMETERS_SECONDS + RUN_SECONDS if restored else FOREVER

    def _lane(self, message: Message) -> Iterator[Span]:
        """What was sent, or tried, in the same chat: its backlog and its pace."""
        others = [other.calls for other in self._evidence.messages.values() if other is not message]
        for calls in (*others, self._evidence.notices):
            for call in calls:
                if call.facts["chat"] == message.chat:
                    pause = PACE_SECONDS if call.facts["outcome"] == "ok" else RUN_SECONDS
                    yield call.at - PACE_SECONDS, call.facts["until"] + pause

    def _own_failures(self, message: Message) -> Iterator[Span]:
        """A failure of its own puts it off. While Telegram is away as a whole, no failure is anybody's own."""
        failures = 0
        outages = [event for event in self._evidence.of("weather") if _is_outage(event)]
        for call in message.calls:
            is_own = not any(outage.at <= call.at < outage.facts["until"] for outage in outages)
            if call.facts["outcome"] != "ok" and is_own:
                backoff = min(MAX_BACKOFF_SECONDS, BACKOFF_SECONDS * 2.0 ** min(failures, 16))
                failures += 1
                yield call.at, call.facts["until"] + backoff + RUN_SECONDS

    def _group(self, message: Message) -> Iterator[Span]:
        """Earlier messages of its group, and failures, which put the group off.

        They are in the way until they are parked, or arrive for the last time: what arrived is not known after a crash.
        """
        parked_at = self._evidence.parked_at
        for members in self._evidence.groups.values():
            if message not in members:
                continue
            for other in members:
                yield from self._own_failures(other)
            for other in members[: members.index(message)]:
                arrivals = [call.at for calls in other.arrivals.values() for call in calls]
                arrivals += [] if other.completed_at is None else [other.completed_at]
                ends = [other.submitted_at, *arrivals, *(parked_at.get(key, 0.0) for key in other.keys)]
                yield max(other.submitted_at, other.deliver_at or 0.0), max(ends) + RUN_SECONDS

    def _deaths(self, message: Message) -> Iterator[Span]:
        for death in self._evidence.of(*DEATHS):
            events = self._evidence.by(death.who)
            stall = death.facts.get("seconds", 0.0)
            function = death.who.partition("/")[0]
            if self._has(message, events):
                again = VISIBILITY_SECONDS if function == "queue" else LEASE_SECONDS
                yield events[0].at, death.at + stall + again + RUN_SECONDS
            elif function == "redeliver":
                yield death.at, death.at + stall + RUN_SECONDS
            elif function == "stream" and message.door == "task":
                yield death.at, death.at + stall + LEASE_SECONDS + RUN_SECONDS
            elif function == "queue" and message.door == "fifo" and self._has_group(message, events):
                yield death.at, death.at + stall + VISIBILITY_SECONDS + RUN_SECONDS

    def _has(self, message: Message, events: Iterable[Event]) -> bool:
        """Whether an invocation had the message: it was handed over, or its row taken."""
        return any(
            event.facts.get("key") in message.keys or message.tag in event.facts.get("tags", ()) for event in events
        )

    def _has_group(self, message: Message, events: Iterable[Event]) -> bool:
        tags = {tag for event in events for tag in event.facts.get("tags", ())}
        return any(self._evidence.messages[tag] in self._evidence.groups[message.group or ""] for tag in tags)

    def _ways(self, message: Message) -> Iterator[Span]:
        """How long AWS took to bring it; and, where it was parked at first, what brought it all the same."""
        for key in message.keys & self._evidence.parked_at.keys():
            yield self._evidence.parked_at[key], FOREVER
        for parking in message.live.parkings if message.live else ():
            yield parking.at, FOREVER
        for event in self._evidence.of("record"):
            if event.facts["tag"] == message.tag:
                yield event.at, event.at + event.facts["lag"]
        for event in self._evidence.of("record lost"):
            if event.facts["tag"] == message.tag:
                calm = self._evidence.of("calm")[0].at
                yield event.at, max(event.at, calm) + SWEEPS_SECONDS
        for event in self._evidence.of("given up"):
            if event.facts["tag"] == message.tag:
                redriven = [e.at for e in self._evidence.of("redriven") if e.facts["tag"] == message.tag]
                yield event.at, redriven[-1] + RUN_SECONDS if redriven else FOREVER


def _is_outage(event: Event) -> bool:
    return bool(event.facts["where"] == "telegram" and event.facts["rate"] == 1.0)


def _uncovered(span: Span, causes: Iterable[Span]) -> float:
    """How much of a span no cause covers."""
    start, end = span
    left = 0.0
    for begins, ends in sorted(causes):
        if begins >= end:
            break
        left += max(0.0, begins - start)
        start = max(start, ends)
    return left + max(0.0, end - start)
