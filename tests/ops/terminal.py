"""A terminal on which a command of `tools.ops` runs."""

from __future__ import annotations

import codecs
import os
import pty
import select
import sys
import time

from tests.ops.conftest import World


class Terminal:
    """A command of `tools.ops` on a terminal, which shows what a person would see."""

    def __init__(self, world: World, *arguments: str, stage: str = "prod") -> None:
        command = [sys.executable, "-m", "tools.ops", *arguments, "--stage", stage]
        variables = {**world.variables, "AWS_ACCESS_KEY_ID": world.hire(arguments[0], stage)}
        self.seen, self._passed = "", 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a read may end within a character
        self._pid, self._file = pty.fork()
        if self._pid == 0:  # the command
            os.chdir(world.project)
            os.execve(sys.executable, command, variables)

    def expect(self, text: str, seconds: float = 60.0) -> None:
        """Waits until a text is shown, after what was expected before."""
        ends = time.monotonic() + seconds
        while (found := self.seen.find(text, self._passed)) < 0:
            assert self._read(ends), f"{text!r} was not shown, but {self.seen!r}"
        self._passed = found + len(text)

    def type(self, line: str) -> None:
        time.sleep(0.1)  # getpass drops what was typed before it asks
        os.write(self._file, f"{line}\n".encode())

    def end(self) -> int:
        while self._read(time.monotonic() + 120.0):
            pass
        os.close(self._file)
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def _read(self, ends: float) -> bool:
        if not select.select([self._file], [], [], max(0.0, ends - time.monotonic()))[0]:
            return False
        try:
            read = os.read(self._file, 4096)
        except OSError:  # as Linux tells that the other end is closed
            return False
        self.seen += self._decoder.decode(read)
        return bool(read)
