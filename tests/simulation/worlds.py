"""Named worlds: one who is in trouble, a neighbour who is not, and how many minutes the neighbour's message takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tests.simulation.plan import CHATS, FOREVER, Plan
from tests.simulation.scheduler import EPOCH
from tests.simulation.submission import Submission, text_of
from tests.simulation.weather import Phase
from tests.simulation.world import play

MINUTE, DAY = 60.0, 86_400.0
DUE = EPOCH + 10 * MINUTE  # when the neighbour's message may go
NEIGHBOUR = "m0"


class NamedWorld(NamedTuple):
    """A plan with a neighbour in it. before: how long its message took at c8db8fd. most_minutes: how long now."""

    name: str
    before: str
    most_minutes: float
    submissions: Sequence[Submission]
    phases: Sequence[Phase]

    def measure(self) -> float:
        """Minutes from when the neighbour's message may go until it arrives; infinite if it takes half an hour."""
        chats = {**CHATS, **{name: -2000 - number for number, name in enumerate(_HANGING)}}
        plan = Plan(1, self.submissions, self.phases, chats=chats, limit=DUE + 30 * MINUTE, batch=100)
        arrivals = [
            event.at
            for event in play(plan).events
            if event.facts.get("label") == f"{NEIGHBOUR}.1" and event.facts["taken"]
        ]
        return (arrivals[0] - DUE) / MINUTE if arrivals else float("inf")


def _task(tag: str, at: float = EPOCH, chat: str = "default", *, deliver_at: float | None = None) -> Submission:
    fields: dict[str, object] = {"text": text_of(tag)}
    fields |= {} if chat == "default" else {"chat": chat}
    fields |= {} if deliver_at is None else {"deliver_at": int(deliver_at)}
    return Submission(at, tag, "task", fields, sort=tag)


def _tasks(count: int, chat: str = "default", *, deliver_at: float | None = None) -> list[Submission]:
    return [_task(f"m{number}", EPOCH + number * 0.01, chat, deliver_at=deliver_at) for number in range(1, count + 1)]


def _always(where: str, kind: str, seconds: float = 0.0) -> Phase:
    return Phase(EPOCH, FOREVER, where, kind, 1.0, seconds)


def _poison(count: int) -> list[Phase]:
    return [_always(f"message m{number}", "error") for number in range(1, count + 1)]


_REMINDER = _task(NEIGHBOUR, deliver_at=DUE)
_HANGING = ("a", "b", "c", "d", "e", "f", "g")
_LATER = _task(NEIGHBOUR, DUE)

WORLDS = (
    NamedWorld(
        "eleven messages of a chat that is told to wait 60 s again and again; a reminder in another chat",
        "more than 600 minutes",
        2.0,
        [*_tasks(11, "ops"), _REMINDER],
        [_always("chat ops", "busy", 60.0)],
    ),
    NamedWorld(
        "15 messages that always get 500; a healthy reminder in the same chat",
        "13 hours",
        5.0,
        [*_tasks(15), _REMINDER],
        _poison(15),
    ),
    NamedWorld(
        "20 messages that always get 500; a healthy reminder in the same chat",
        "never",
        6.0,
        [*_tasks(20), _REMINDER],
        _poison(20),
    ),
    NamedWorld(
        "500 messages owed to a group chat; a reminder in the private chat",
        "31 minutes",
        2.0,
        [*_tasks(500, "ops", deliver_at=DUE - 30.0), _REMINDER],
        [],
    ),
    NamedWorld(
        "a backlog of 1,500 messages in one chat; a message of another that failed at its first try",
        "not measured",
        3.0,
        [*_tasks(1500, "ops", deliver_at=DUE - 30.0), _REMINDER],
        [Phase(DUE, DUE + MINUTE, f"message {NEIGHBOUR}", "error", 1.0, 0.0)],
    ),
    NamedWorld(
        "all senders use PK BOTTE_MESSAGE, one message is to go in 29 days; another application's message",
        "29 days",
        2.0,
        [*_tasks(1, deliver_at=EPOCH + 29 * DAY), _LATER],
        [],
    ),
    NamedWorld(
        "all senders use PK BOTTE_MESSAGE, the first message always gets 500; another application's message",
        "ever",
        2.0,
        [*_tasks(1), _LATER],
        _poison(1),
    ),
    NamedWorld(
        "seven chats of which each call hangs for 13 s, 20 messages each; the last of ten reminders in a healthy one",
        "not measured",
        3.0,
        [
            *(_task(f"m{number}", EPOCH, chat) for number, chat in enumerate(_HANGING * 20, start=100)),
            *(_task(f"m{number}", deliver_at=DUE - 1.0) for number in range(1, 10)),
            _REMINDER,
        ],
        [_always(f"chat {chat}", "hang") for chat in _HANGING],
    ),
    NamedWorld(
        "a chat of which each call hangs gets a message every 5 s; a message of another chat behind them in the stream",
        "not measured",
        3.0,
        [*(_task(f"m{n}", EPOCH + 5.0 * n, "ops") for n in range(1, 241)), _LATER],
        [_always("chat ops", "hang")],
    ),
)
