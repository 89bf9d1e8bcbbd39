"""Runs a command, passes its output and the signals through, and keeps the last of its output. POSIX only."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

KEPT_BYTES = 16 * 1024
_CHUNK_BYTES = 64 * 1024
_LEFT_BYTES = 2 * 1024 * 1024  # what two pipes may hold when the command ends
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_FROM_KEYBOARD = (signal.SIGINT, signal.SIGQUIT)
# What moves the cursor or sets colours: https://en.wikipedia.org/wiki/ANSI_escape_code
_ANSI = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-Z\\^-~])")
# A progress bar writes its line again and again, each time after a carriage return.
_OVERWRITTEN = re.compile(rb"(?m)^.*\r(?=[^\r\n\x1b])")


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    code: as a shell has it, 128 + n for signal n. output: the last of it; what was overwritten may be gone.
    """

    code: int
    seconds: float
    output: bytes

    def last_lines(self, count: int, units: int) -> str:
        """The last lines as a terminal shows them, without colours; never more than so many UTF-16 code units."""
        seen = _OVERWRITTEN.sub(b"", _ANSI.sub(b"", self.output)).replace(b"\r", b"")
        shown = seen.decode("utf-8", "replace").rstrip().split("\n")
        return "\n".join(shown[-count:]).encode("utf-16-le")[-2 * units :].decode("utf-16-le", "ignore")


def run(command: Sequence[str]) -> Outcome:
    """Runs a command until it ends, whatever it prints. One that cannot be started ends with 127 or 126."""
    started = time.monotonic()
    with _Signals() as signals:
        try:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)  # noqa: S603
        except OSError as error:
            complaint = os.fsencode(f"{command[0]}: {error.strerror}\n")
            _write(2, complaint)
            code = 127 if isinstance(error, FileNotFoundError) else 126
            return Outcome(code, time.monotonic() - started, complaint)
        signals.forward_to(process)
        output = _pass_through(process)
    code = process.returncode if process.returncode >= 0 else 128 - process.returncode
    return Outcome(code, time.monotonic() - started, output)


def _pass_through(process: subprocess.Popen[bytes]) -> bytes:
    """Copies the command's output until it ends, and returns the last of it.

    Something that the command left running may keep the pipes open: what counts is the end of the command itself.
    """
    assert process.stdout is not None  # noqa: S101
    assert process.stderr is not None  # noqa: S101
    ended, ends = os.pipe()
    waiting = threading.Thread(target=_wait, args=(process, ends), daemon=True)
    waiting.start()
    sources = {process.stdout.fileno(): (process.stdout, 1), process.stderr.fileno(): (process.stderr, 2)}
    kept, left, running = b"", _LEFT_BYTES, True
    while running or left > 0:
        ready = select.select([*sources, *([ended] if running else [])], [], [], None if running else 0)[0]
        if not ready:
            break
        if ended in ready:
            running = False
        for descriptor in [one for one in ready if one in sources]:
            chunk = os.read(descriptor, _CHUNK_BYTES)
            kept = _OVERWRITTEN.sub(b"", kept + chunk)[-KEPT_BYTES:]  # so a progress bar leaves room for other lines
            left -= 0 if running else len(chunk)
            source, target = sources[descriptor]
            if not chunk or not _write(target, chunk):
                del sources[descriptor]
                source.close()  # where nobody reads us, the command gets a SIGPIPE, as it would without us
    waiting.join()
    for file in (process.stdout, process.stderr):
        file.close()
    os.close(ended)
    return kept


def _wait(process: subprocess.Popen[bytes], ends: int) -> None:
    process.wait()
    os.close(ends)


def _write(descriptor: int, chunk: bytes) -> bool:
    """Writes all of it, however long the reader takes; False if there is no reader."""
    left = memoryview(chunk)
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:  # noqa: PERF203 - a command may make the terminal that it shares with us non-blocking
            select.select([], [descriptor], [])
        except OSError:
            return False
    return True


class _Signals:
    """While it is entered, signals go to the command instead of ending us."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Signals:
        for number in _FORWARDED:
            if signal.getsignal(number) != signal.SIG_IGN:  # as nohup wants it
                self._before[number] = signal.signal(number, self._received)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def forward_to(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        for number in self._early:
            process.send_signal(number)

    def _received(self, number: int, _frame: FrameType | None) -> None:
        if number in _FROM_KEYBOARD and _in_foreground():
            return  # the terminal has sent it to the command as well
        if self._process is None:
            self._early.append(number)
        else:
            self._process.send_signal(number)


def _in_foreground() -> bool:
    """Whether this process has a terminal whose keyboard reaches it."""
    try:
        terminal = os.open(os.ctermid(), os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)
