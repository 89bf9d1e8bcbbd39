"""One run of a program, from its start to its exit."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.cli.programs import Program


class UndeliveredError(Exception):
    """A run that did not do what it was measured for."""


@dataclass(frozen=True)
class Run:
    """wall, cpu: milliseconds; cpu is user's and system's."""

    wall: float
    cpu: float


def run(program: Program, text: str, count: Callable[[str], int]) -> Run:
    """Sends a text that was never sent before. count: how often a text has arrived.

    Raises UndeliveredError where the program fails, or the text has not arrived once.
    """
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            program.sending(text),
            env=program.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read().decode(errors="replace").strip()
    if process.returncode != 0 or count(text) != 1:
        outcome = f"exit code {process.returncode}, arrived {count(text)} times"
        raise UndeliveredError(f"{program.name}: {outcome}: {said or 'it says nothing'}")
    return Run(1000 * wall, 1000 * (used.ru_utime + used.ru_stime))
