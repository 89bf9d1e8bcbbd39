"""The benchmarks on Lambda: what they measure is the right answer, and what they print is what they measured."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import cold, performance, warm
from benchmarks.aws_lambda.bench import Bench, Wrong
from benchmarks.aws_lambda.bill import bill
from benchmarks.aws_lambda.contenders import Functions
from benchmarks.aws_lambda.doors import DOORS
from benchmarks.aws_lambda.environment import Failed, Function, Spent
from benchmarks.aws_lambda.installed import install
from benchmarks.aws_lambda.names import BOTTE, CONTENDERS, FLOOR, USUAL_WAY
from benchmarks.aws_lambda.peering import Peers
from tests.doors import APP_DIR
from tools.ops.stage import ROOT

LAMBDA = DOORS[0]
INSTALLS = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_ratio_is_of_neighbours_in_time() -> None:
    """A round in which the machine had much else to do counts no more than the others."""

    def took(*ms: float) -> list[cold.Cold]:
        return [cold.Cold(Spent(each / 2, 1), Spent(each / 2, 1), [], {}) for each in ms]

    summary = cold.summarize(LAMBDA, 256, {BOTTE: took(100, 900, 110), FLOOR: took(50, 450, 55)})
    assert summary[BOTTE]["first"] == 110
    assert summary[FLOOR] == {"first": 55, "init": 27.5, "invocation": 27.5, "cpu": 2, "ratio": 2, "cpu_ratio": 1}


def test_a_warm_ratio_is_of_blocks() -> None:
    def blocks(*ms: float) -> list[list[Spent]]:
        return [[Spent(each, 1)] * 3 for each in ms]

    summary = warm.summarize({BOTTE: blocks(1, 20, 2), USUAL_WAY: blocks(2, 40, 4)})
    assert summary[USUAL_WAY] == {"ms": 4, "cpu": 1, "ratio": 0.5, "cpu_ratio": 1}


def test_a_bill_is_of_whole_milliseconds() -> None:
    assert bill(1024, 99.1, 1_000_000) == (1.5333, 100_000, 0.25)


@pytest.mark.parametrize(
    "door", [door for door in DOORS if door.shape in ("stream", "queue")], ids=lambda door: door.name
)
def test_the_records_of_a_batch_are_different_ones(door: Any) -> None:
    event = door.event(["one", "two", "three"])
    keys = [json.dumps(record.get("dynamodb", {}).get("Keys") or record["messageId"]) for record in event["Records"]]
    assert len(set(keys)) == 3


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    install()
    folder = tmp_path_factory.mktemp("bench")
    with Peers(folder) as peers:
        yield Bench(Functions(APP_DIR, folder, peers.variables), peers)


@pytest.fixture
def floor(bench: Bench) -> Function:
    return bench.functions.of(LAMBDA, 256)[FLOOR]


class TestAProcess:
    pytestmark = INSTALLS

    def test_it_is_measured(self, bench: Bench, floor: Function) -> None:
        measured = cold.measure(bench, bench.start(floor), LAMBDA, warm=2)
        assert measured.calls == {"Telegram sendMessage": 1}
        assert len(measured.warm) == 2
        for spent in (measured.init, measured.first, *measured.warm):
            assert 0 < spent.cpu_ms < spent.ms < 10_000

    @pytest.mark.parametrize(
        ("code", "error"),
        [
            pytest.param('return {"message_id": 1}', Wrong, id="nothing sent"),
            pytest.param("return None", Wrong, id="no answer"),
            pytest.param('raise ValueError("the reason")', Failed, id="an exception"),
            pytest.param("import os; os._exit(3)", Failed, id="an exit"),
        ],
    )
    def test_what_is_no_right_answer_is_refused(
        self, code: str, error: type[Exception], bench: Bench, floor: Function, tmp_path: Path
    ) -> None:
        (tmp_path / "wrong.py").write_text(f"def handler(event, context):\n    {code}\n")
        function = floor._replace(task_root=tmp_path, handler="wrong.handler")
        with pytest.raises(error):
            cold.measure(bench, bench.start(function), LAMBDA)

    def test_a_handler_that_cannot_be_imported_is_refused(self, bench: Bench, floor: Function) -> None:
        with pytest.raises(Failed, match="No module named 'nowhere'"):
            cold.measure(bench, bench.start(floor._replace(handler="nowhere.handler")), LAMBDA)


class TestTheCommands:
    pytestmark = INSTALLS

    def test_cold(self) -> None:
        printed = _run("cold", "--rounds", "1", "--doors", "http with id, redeliver", "--memory", "512")
        post, redeliver = json.loads(printed[-1])["results"]
        assert {"UpdateItem": 2, "Telegram sendMessage": 1}.items() <= post["calls"].items()
        assert post[BOTTE]["first"] == pytest.approx(post[BOTTE]["init"] + post[BOTTE]["invocation"], abs=0.2)
        assert post[USUAL_WAY]["ratio"] == pytest.approx(post[BOTTE]["first"] / post[USUAL_WAY]["first"], abs=0.01)
        assert set(redeliver) == {"door", "memory", "calls", BOTTE}
        rows = performance.tables(printed).splitlines()
        assert sum(row.startswith("| http with id | 512 | ") for row in rows) == len(CONTENDERS)

    def test_warm(self) -> None:
        printed = _run("warm", "--messages", "10", "--doors", "queue")
        results = json.loads(printed[-1])["results"]
        assert [result["batch"] for result in results] == [1, 10, 100]
        assert results[1]["calls"] == {"UpdateItem": 20, "Telegram sendMessage": 10}
        assert "| queue | 10 | " in performance.tables(printed)


def _run(benchmark: str, *arguments: str) -> list[str]:
    command = [sys.executable, "-m", f"benchmarks.{benchmark}", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env={"PYTHONPATH": "botte-app"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
