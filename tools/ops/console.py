"""What an operator is told, and asked."""

from __future__ import annotations

import getpass
import sys

from tools.ops.stage import StageError


class Console:
    """Prints to stdout; asks on the terminal, and only if there is one.

    assume_yes: answers every question that has yes for an answer.
    """

    def __init__(self, *, assume_yes: bool = False) -> None:
        self._assume_yes = assume_yes

    @property
    def interactive(self) -> bool:
        return sys.stdin.isatty()

    def step(self, name: str, told: str) -> None:
        """A line: what was done, and how it is now."""
        print(f"{name:<20}{told}", flush=True)

    def say(self, text: str) -> None:
        print(text, flush=True)

    def ask_secret(self, question: str, variable: str) -> str:
        """What is typed, which is not shown. variable: the environment variable that would have spared the question.

        Raises StageError where there is no terminal, or nothing was typed.
        """
        if not self.interactive:
            raise StageError(f"{variable} is not set, and there is no terminal to ask for it")
        answer = getpass.getpass(question + ": ").strip()
        if not answer:
            raise StageError(f"nothing was typed; {variable} can be set instead")
        return answer

    def confirm(self, question: str, *typed: str) -> bool:
        """Whether the answer is one of ``typed``; where there is no terminal, whether yes was given beforehand."""
        if self._assume_yes:
            return True
        if not self.interactive:
            return False
        try:
            return input(f"{question} ").strip().lower() in typed
        except EOFError:
            return False
