"""A share of a core for one process, as Lambda gives it, by a control group of Linux: version 1 or 2."""

from __future__ import annotations

import itertools
import os
import time
from contextlib import suppress
from pathlib import Path

MEGABYTES_PER_CORE = 1769  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
_PERIOD_US = 20_000
_ROOT = Path("/sys/fs/cgroup")
_numbers = itertools.count(1)


class NoControlGroup(Exception):
    """This machine lets nobody, or not this user, share out its cores; the text says why."""


class Share:
    """A control group for one process. Raises NoControlGroup."""

    def __init__(self) -> None:
        self._is_second = (_ROOT / "cgroup.controllers").exists()
        name = f"botte-{os.getpid()}-{next(_numbers)}"
        self._folder = (_ROOT if self._is_second else _ROOT / "cpu") / name
        try:
            if self._is_second:
                (_ROOT / "cgroup.subtree_control").write_text("+cpu")
            self._folder.mkdir()
            # As much weight as there is, against the neighbours on this machine: Lambda's host has its cores reserved.
            weight, most = ("cpu.weight", "10000") if self._is_second else ("cpu.shares", "262144")
            (self._folder / weight).write_text(most)
            self.set_cores(None)
        except OSError as error:
            with suppress(OSError):
                self._folder.rmdir()
            raise NoControlGroup(f"no control group: {error.strerror}: {self._folder}") from None

    def add(self, pid: int) -> None:
        (self._folder / "cgroup.procs").write_text(str(pid))

    def set_cores(self, cores: float | None) -> None:
        """How many cores the process has from now on; None: as many as there are."""
        quota = None if cores is None else max(1000, round(cores * _PERIOD_US))
        if self._is_second:
            (self._folder / "cpu.max").write_text(f"{quota or 'max'} {_PERIOD_US}")
        else:
            (self._folder / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
            (self._folder / "cpu.cfs_quota_us").write_text(str(quota or -1))

    def refill(self) -> None:
        """Waits until the process has its share again: Lambda freezes it between invocations, and thaws it so."""
        time.sleep(_PERIOD_US / 1e6)

    def remove(self) -> None:
        """Once the process is over, and waited for."""
        self._folder.rmdir()
