"""What `make cli` measures is a delivery: it takes no other run for one."""

from __future__ import annotations

import sys

import pytest

from benchmarks.cli.measuring import UndeliveredError, run
from benchmarks.cli.programs import Program

# The environment is empty, so that nothing of the user's is found.
DELIVERS = Program("delivers", (sys.executable, "-c", "print('{text}')"))
FAILS = Program("fails", (sys.executable, "-c", "raise SystemExit('{text}: no route')"))


def test_a_run_that_delivers_is_measured() -> None:
    measured = run(DELIVERS, "hello", ["hello"].count)
    assert measured.wall > 0
    assert measured.cpu > 0


@pytest.mark.parametrize(
    ("program", "arrived", "reason"),
    [
        (DELIVERS, [], "delivers: exit code 0, arrived 0 times: hello"),
        (DELIVERS, ["hello", "hello"], "arrived 2 times"),
        (DELIVERS, ["another"], "arrived 0 times"),
        (FAILS, ["hello"], "fails: exit code 1, arrived 1 times: hello: no route"),
    ],
)
def test_a_run_that_fails_or_does_not_deliver_once_is_refused(
    program: Program, arrived: list[str], reason: str
) -> None:
    with pytest.raises(UndeliveredError, match=reason):
        run(program, "hello", arrived.count)
