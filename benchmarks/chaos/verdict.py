"""What became of the letters of a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from benchmarks.chaos.ledger import Ledger
from benchmarks.chaos.plan import CHATS, Letter

Row = Mapping[str, Any]
_TASK = {"S": "BOTTE_MESSAGE"}
Place = tuple[int, str]  # a chat id and a text


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Counts of one run, or the sums of several.

    sent: letters of the plan. accepted: of those that are to be delivered. doubled: messages, or parts of one, beyond
    the first. violations: letters that came before an earlier one of their group. bad: accepted bad input; parked: what
    of it is in the outbox as FAILED with a reason. given_up: letters that are there because five answers were lost, and
    that may have arrived, but did not. dropped: events that Lambda dropped after three attempts, each killed.
    owed: rows that still owe a delivery. left: what is still in a queue or the task table, or is a dead letter.
    touched: items that are no tasks, and were sent or taken away. errors: what handlers raised, other than for bad
    input. complaints: all that breaks the promise, one by one.
    """

    sent: int = 0
    accepted: int = 0
    delivered: int = 0
    lost: int = 0
    doubled: int = 0
    kills: int = 0
    ambiguous: int = 0
    violations: int = 0
    bad: int = 0
    parked: int = 0
    given_up: int = 0
    dropped: int = 0
    table_calls: int = 0
    owed: int = 0
    left: int = 0
    dead_letters: int = 0
    touched: int = 0
    errors: int = 0
    complaints: tuple[str, ...] = ()

    @property
    def bound(self) -> int:
        """How many may come twice: one for each kill of a busy worker, and for each answer that was lost."""
        return self.kills + self.ambiguous

    @property
    def holds(self) -> bool:
        """Whether the promise was kept."""
        return not self.complaints and self.doubled <= self.bound

    def __add__(self, other: Verdict) -> Verdict:
        return Verdict(**{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)})


def judge(
    letters: Sequence[Letter],
    ledger: Ledger,
    *,
    arrivals: Sequence[Mapping[str, Any]],
    outbox: Sequence[Row],
    tasks: Sequence[Row],
    queued: Sequence[Letter],
    dead_letters: Sequence[Letter],
    errors: Mapping[str, int],
    **counts: int,
) -> Verdict:
    """Compares what was accepted with what arrived (the fake's inbox, oldest first) and what is in the tables."""
    came = _first_arrivals(arrivals)
    good, bad, foreign = (
        [letter for letter in ledger.accepted if letter.ends == end] for end in ("sent", "parked", "ignored")
    )
    arrived = [letter for letter in letters if _is_complete(letter, came)]
    arrived_uids = {letter.uid for letter in arrived}
    missing = [letter for letter in good if letter.uid not in arrived_uids]
    failed = [row for row in outbox if row.get("Status") == {"S": "FAILED"} and _text(row, "LastError")]
    unsure = _kept(missing, [row for row in failed if _text(row, "LastError").startswith("may have arrived")])
    parked = _kept(bad, failed)
    untouched = {row["SK"]["S"] for row in tasks if not is_task(row)}
    owed = [row for row in outbox if row.get("Status") in ({"S": "PENDING"}, {"S": "SENDING"})]
    found: dict[str, Sequence[object]] = {
        "lost": [letter for letter in missing if letter.uid not in unsure],
        "not parked": [letter for letter in bad if letter.uid not in parked],
        "out of order": _out_of_order(arrived, came),
        "still owed": [row["SK"]["S"] for row in owed],
        "left in the task table": [row["SK"]["S"] for row in tasks if is_task(row)],
        "left in a queue": queued,
        "a dead letter": dead_letters,
        "no task, but touched": [
            letter for letter in foreign if letter.uid in arrived_uids or f"!{letter.uid}" not in untouched
        ],
        "raised": [f"{kind} {count} times" for kind, count in errors.items()],
    }
    return Verdict(
        sent=len(letters),
        accepted=len(good),
        delivered=len(arrived),
        lost=len(found["lost"]),
        doubled=len(arrivals) - len(came),
        violations=len(found["out of order"]),
        bad=len(bad),
        parked=len(parked),
        given_up=len(unsure),
        dropped=ledger.dropped,
        owed=len(owed),
        left=len(found["left in the task table"]) + len(queued) + len(dead_letters),
        dead_letters=len(dead_letters),
        touched=len(found["no task, but touched"]),
        errors=sum(errors.values()),
        complaints=tuple(f"{what}: {each}" for what, those in found.items() for each in those),
        **counts,
    )


def _text(row: Row, name: str) -> str:
    return str(row.get(name, {}).get("S", ""))


def is_task(item: Row) -> bool:
    """Whether an item that this proof puts asks for a message."""
    return bool(item.get("TaskId", _TASK) == _TASK)


def _kept(letters: Sequence[Letter], rows: Sequence[Row]) -> set[str]:
    """The uids of those letters that one of the rows holds."""
    held = [_text(row, "Message") + _text(row, "RawBody") for row in rows]
    return {letter.uid for letter in letters if any(letter.uid in text for text in held)}


def _first_arrivals(arrivals: Sequence[Mapping[str, Any]]) -> dict[Place, int]:
    """When each part came first; a part is known by its chat and its text."""
    came: dict[Place, int] = {}
    for position, message in enumerate(arrivals):
        came.setdefault((message["chat_id"], str(message["text"])), position)
    return came


def _is_complete(letter: Letter, came: Mapping[Place, int]) -> bool:
    chat_id = CHATS[letter.chat]
    if not letter.long:
        return (chat_id, letter.lines[0]) in came
    there = {
        line for chat, text in came if chat == chat_id and text.startswith(letter.uid) for line in text.splitlines()
    }
    return there.issuperset(letter.lines)


def _out_of_order(arrived: Sequence[Letter], came: Mapping[Place, int]) -> list[Letter]:
    """The letters that came before one that is earlier in their group."""
    spans: dict[str, list[int]] = defaultdict(list)
    for (_, text), position in came.items():
        spans[text.partition("/")[0]].append(position)
    latest: dict[str, int] = {}
    late = []
    for letter in arrived:  # in the order of the plan, which is that of each group
        if letter.group is None:
            continue
        positions = spans[letter.uid]
        if min(positions) < latest.get(letter.group, -1):
            late.append(letter)
        latest[letter.group] = max(latest.get(letter.group, -1), *positions)
    return late
