"""Histories drawn from seeds: in each the promise holds, and a seed gives the same history again."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation import auditor
from tests.simulation.drawing import draw
from tests.simulation.runs import judge
from tests.simulation.world import play

HISTORIES = 100
QUICK = 60
CHUNK = 15


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(first, marks=[pytest.mark.slow] if first > QUICK else [])
        for first in range(1, HISTORIES + 1, CHUNK)
    ],
)
def test_the_promise_holds(first: int) -> None:
    broken = {seed: faults for seed in range(first, first + CHUNK) if (faults := judge(seed).faults)}
    assert not broken


def test_a_seed_gives_the_same_history_again() -> None:
    assert play(draw(5)).lines() == play(draw(5)).lines()


def test_a_seed_gives_the_same_history_in_another_process() -> None:
    told = {_replay(hash_seed) for hash_seed in ("1", "2")}
    assert len(told) == 1
    assert "seed 7: the promise holds" in told.pop()


def _replay(hash_seed: str) -> str:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "tests.simulation", "--seed", "7"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True, text=True).stdout


def test_the_auditor_shares_no_code_with_the_relay() -> None:
    seen: set[str] = set()
    todo = [auditor.__name__]
    while todo:
        module = todo.pop()
        seen.add(module)
        path = Path(__file__).resolve().parents[2] / (module.replace(".", "/") + ".py")
        found = {node.module for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)}
        assert not {name for name in found if str(name).startswith("chalicelib")}, module
        todo += [str(name) for name in found if str(name).startswith("tests.") and name not in seen]
