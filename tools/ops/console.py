"""What an operator is told, and asked."""

from __future__ import annotations

import getpass
import sys
import threading
import time
from collections.abc import Callable

from tools.ops.stage import StageError


class Console:
    """Prints to stdout; asks on the terminal, and only if there is one.

    assume_yes: answers every question that has yes for an answer.
    """

    def __init__(self, *, assume_yes: bool = False) -> None:
        self.assumes_yes = assume_yes
        self._clock: _Clock | None = None

    @property
    def interactive(self) -> bool:
        return sys.stdin.isatty()

    def run(self, name: str, work: Callable[[], str]) -> None:
        """Does some work, and then prints its line, with the seconds that it took; a terminal shows them meanwhile.

        work: returns what is told. It may ask and say something: that ends the clock. Raises what it raises.
        """
        began = time.monotonic()
        if sys.stdout.isatty():
            self._clock = _Clock(name)
        try:
            told = work()
        finally:
            self._end_clock()
        seconds = round(time.monotonic() - began)
        self.step(name, f"{told} ({seconds} s)" if seconds else told)

    def step(self, name: str, told: str) -> None:
        """A line: what was done, and how it is now."""
        self._end_clock()
        print(f"{name:<20}{told}", flush=True)

    def say(self, text: str) -> None:
        self._end_clock()
        print(text, flush=True)

    def ask_secret(self, question: str, variable: str) -> str:
        """What is typed, which is not shown. variable: the environment variable that would have spared the question.

        Raises StageError where there is no terminal, or nothing was typed.
        """
        if not self.interactive:
            raise StageError(f"{variable} is not set, and there is no terminal to ask for it")
        self._end_clock()
        answer = getpass.getpass(question + ": ").strip()
        if not answer:
            raise StageError(f"nothing was typed; {variable} can be set instead")
        return answer

    def confirm(self, question: str, *typed: str) -> bool:
        """Whether the answer is one of ``typed``; where there is no terminal, whether yes was given beforehand."""
        if self.assumes_yes:
            return True
        if not self.interactive:
            return False
        self._end_clock()
        try:
            return input(f"{question} ").strip().lower() in typed
        except EOFError:
            return False

    def _end_clock(self) -> None:
        if self._clock is not None:
            self._clock.stop()
            self._clock = None


class _Clock(threading.Thread):
    """Shows on the terminal's last line how long a step has been at work. Started when made; `stop` wipes the line."""

    def __init__(self, name: str) -> None:
        super().__init__(daemon=True)
        self._step = name
        self._began = time.monotonic()
        self._over = threading.Event()
        self.start()

    def run(self) -> None:
        while True:
            sys.stdout.write(f"\r{self._step:<20}{time.monotonic() - self._began:.0f} s ...")
            sys.stdout.flush()
            if self._over.wait(1.0):
                break
        sys.stdout.write("\r\x1b[K")
        sys.stdout.flush()

    def stop(self) -> None:
        self._over.set()
        self.join()
