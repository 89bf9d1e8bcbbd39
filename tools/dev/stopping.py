"""Ending on SIGINT, SIGTERM and SIGHUP."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from pathlib import Path


class StopSignals:
    """Catches the signals that end a program. Made in the main thread, at its beginning.

    While the program still starts, a signal ends it at once, with status 0: all that it has are threads and sockets,
    and nothing of that outlives it. In `wait` a signal only ends the waiting, and later ones are ignored.
    """

    def __init__(self, farewell: str) -> None:
        self._farewell = farewell
        self._starting = True
        self._reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        # Under make, the end of make is the end of its child. A shell, instead, may go and leave its jobs running.
        self._make = os.getppid() if "MAKELEVEL" in os.environ else None
        self._make_catches = _caught_signals(self._make)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._caught)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup leaves it
            signal.signal(signal.SIGHUP, self._caught)

    def wait(self) -> None:
        """Waits until a signal comes."""
        self._starting = False
        while not select.select([self._reader], [], [], 1.0)[0]:
            if self._make is not None and self._make_ends(self._make):
                return

    def _make_ends(self, make: int) -> bool:
        """Whether make is gone, or has got SIGINT or SIGHUP for itself alone.

        make hands only SIGTERM on to its child, and waits for it. What shows is that it catches that signal no more.
        """
        return os.getppid() != make or _caught_signals(make) != self._make_catches

    def _caught(self, _number: int, _frame: object) -> None:
        if self._starting:
            with contextlib.suppress(OSError):  # the terminal may be gone
                os.write(1, f"{self._farewell}\n".encode())
            os._exit(0)


def _caught_signals(process: int | None) -> str:
    """The signals that a process has handlers for, as Linux shows them; empty elsewhere."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return ""
    return next((line for line in status.splitlines() if line.startswith("SigCgt:")), "")
