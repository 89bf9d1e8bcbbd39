"""The table and the line of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from benchmarks.chaos.verdict import Verdict

_TITLES = (
    "sent",
    "accepted",
    "delivered",
    "lost",
    "doubled",
    "bound",
    "kills",
    "ambiguous",
    "violations",
    "parked",
    "left",
)


@dataclass(frozen=True)
class Line:
    """holds: for the app whether the promise was kept; for a control whether it was found out."""

    name: str
    verdict: Verdict
    holds: bool


def print_titles() -> None:
    print(f"{'':28}" + "".join(f"{title:>11}" for title in _TITLES) + f"{'table calls':>13}", flush=True)


def print_line(line: Line) -> None:
    numbers = "".join(f"{getattr(line.verdict, title):>11,}" for title in _TITLES)
    control = line.name.startswith("control")
    words = {True: "caught" if control else "kept", False: "NOT CAUGHT" if control else "BROKEN"}
    print(f"{line.name:28}{numbers}{line.verdict.table_calls:>13,}  {words[line.holds]}", flush=True)


def as_json(lines: list[Line], seconds: float) -> str:
    runs = {}
    for line in lines:
        counts = {name: count for name, count in asdict(line.verdict).items() if name != "complaints"}
        runs[line.name] = {**counts, "bound": line.verdict.bound, "holds": line.holds}
    return json.dumps({"benchmark": "chaos", "seconds": round(seconds), "runs": runs})
