"""What became of the letters of a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from benchmarks.chaos.ledger import Ledger
from benchmarks.chaos.plan import Letter


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Counts of one run, or the sums of several.

    sent: letters of the plan. accepted: without bad input. doubled: messages, or parts of one, beyond the first.
    violations: letters that came before an earlier one of their group. bad: accepted bad input; parked: what of it is
    in the table as FAILED with a reason. dropped: events that Lambda dropped after three attempts, each killed.
    owed: rows that still owe a delivery. errors: what handlers raised, other than for bad input.
    complaints: the letters that were lost, not parked or out of order, and the errors.
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
    dropped: int = 0
    table_calls: int = 0
    owed: int = 0
    errors: int = 0
    complaints: tuple[str, ...] = ()

    @property
    def bound(self) -> int:
        """How many may come twice: one for each kill of a busy worker, and for each answer that was lost."""
        return self.kills + self.ambiguous

    @property
    def holds(self) -> bool:
        """Whether the promise was kept."""
        return (
            not (self.lost or self.violations or self.owed or self.errors)
            and self.doubled <= self.bound
            and self.parked == self.bad
        )

    def __add__(self, other: Verdict) -> Verdict:
        return Verdict(**{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)})


def judge(
    letters: Sequence[Letter],
    ledger: Ledger,
    arrivals: Sequence[Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
    errors: Mapping[str, int],
    **counts: int,
) -> Verdict:
    """Compares what was accepted with what arrived (the fake's inbox, oldest first) and what is in the table."""
    came = _first_arrivals(arrivals)
    good = [letter for letter in ledger.accepted if not letter.bad]
    bad = [letter for letter in ledger.accepted if letter.bad]
    arrived = [letter for letter in letters if _is_complete(letter, came)]
    arrived_uids = {letter.uid for letter in arrived}
    lost = [letter for letter in good if letter.uid not in arrived_uids]
    failed = {
        (row["PK"]["S"], row["SK"]["S"])
        for row in rows
        if row.get("Status") == {"S": "FAILED"} and row.get("LastError", {}).get("S")
    }
    not_parked = [letter for letter in bad if ledger.row(letter) not in failed]
    late = _out_of_order(arrived, came)
    complaints = {"lost": lost, "not parked": not_parked, "out of order": late}
    return Verdict(
        sent=len(letters),
        accepted=len(good),
        delivered=len(arrived),
        lost=len(lost),
        doubled=len(arrivals) - len(came),
        violations=len(late),
        bad=len(bad),
        parked=len(bad) - len(not_parked),
        dropped=ledger.dropped,
        errors=sum(errors.values()),
        complaints=(
            *(f"{what}: {letter}" for what, found in complaints.items() for letter in found),
            *(f"a handler raised {kind} {count} times" for kind, count in errors.items()),
        ),
        **counts,
    )


def _first_arrivals(arrivals: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """When each part came first; a part is known by its text."""
    came: dict[str, int] = {}
    for position, message in enumerate(arrivals):
        came.setdefault(str(message["text"]), position)
    return came


def _is_complete(letter: Letter, came: Mapping[str, int]) -> bool:
    if not letter.long:
        return letter.lines[0] in came
    there = {line for text in came if text.startswith(letter.uid + "/") for line in text.splitlines()}
    return there.issuperset(letter.lines)


def _out_of_order(arrived: Sequence[Letter], came: Mapping[str, int]) -> list[Letter]:
    """The letters that came before one that is earlier in their group."""
    spans: dict[str, list[int]] = defaultdict(list)
    for text, position in came.items():
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
