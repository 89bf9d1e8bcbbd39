"""Any sequence of events, crashes and faults: nothing is lost, groups stay in order, rows say what they owe."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.doors import Table
from tests.outbox.machine import Machine


def run_machine(client: Any, examples: int, steps: int) -> None:
    machine = type("MachineOnAws", (Machine,), {"client": client})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(180)
def test_any_sequence_on_a_table_in_memory() -> None:
    run_machine(None, examples=150, steps=30)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_any_sequence_on_the_embedded_aws(table: Table) -> None:
    run_machine(table.client, examples=8, steps=12)
