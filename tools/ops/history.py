"""What was deployed last, and from which commit: noted on AWS, so that any machine can tell, and go back.

The note is one free parameter, ``deployment``. A deployment that begins to change something is noted as ``running``;
once its doors work it is ``good``, and what was good is ``before``. One that was good, and whose doors fail when it is
deployed again, is good no more.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tools.ops.stage import Stage

NAME = "deployment"
_DEPLOYED = ("botte-app", ".chalice", "tools")


@dataclass(frozen=True)
class Source:
    """What was deployed: a commit, "" outside of Git, and whether there were changes that are in no commit."""

    commit: str
    is_dirty: bool
    at: str = field(compare=False)

    @property
    def can_be_deployed(self) -> bool:
        """Whether the commit is all that was deployed."""
        return bool(self.commit) and not self.is_dirty

    @property
    def origin(self) -> str:
        """Where it is from, in words."""
        if not self.commit:
            return "from no Git checkout"
        return f"commit {self.commit[:10]}{', with changes that are in no commit' if self.is_dirty else ''}"

    def told(self) -> str:
        return f"the deployment of {self.at}, {self.origin}"


@dataclass
class History:
    """The note. changed_at: when something changed last. code: the content of the zip by its CodeSha256."""

    changed_at: str = ""
    code: dict[str, str] = field(default_factory=dict)
    running: Source | None = None
    good: Source | None = None
    before: Source | None = None

    def begin(self, source: Source) -> None:
        """Something is going to change."""
        self.changed_at, self.running = source.at, source

    def succeed(self, source: Source) -> None:
        """Every door works. The same commit again, as after somebody changed something by hand, is no step on."""
        if self.running is not None and self.good is not None and (source != self.good or source.is_dirty):
            self.before = self.good
        self.good, self.running = replace(source, at=self.changed_at), None

    def fail(self, source: Source) -> None:
        """A door does not work."""
        if self.running is not None and source == self.good:
            self.good, self.before = self.before, None

    def last(self) -> Source | None:
        """The deployment to go back to: the last good one, or the one before if that is there, and whole."""
        return self.before if self.running is None else self.good


def now() -> str:
    return f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def read_history(stage: Stage) -> History:
    """The note; an empty one where there is none, or none that can be read."""
    try:
        noted: dict[str, Any] = json.loads(stage.parameter(NAME) or "{}")
        sources = {each: Source(**noted[each]) for each in ("running", "good", "before") if noted.get(each)}
        return History(**{**noted, **sources})
    except (ValueError, TypeError):
        return History()


def write_history(stage: Stage, history: History) -> None:
    stage.put_parameter(NAME, json.dumps(asdict(history)), "String")


def find_source(root: Path) -> Source:
    """What a checkout would deploy now."""
    commit = git(root, "rev-parse", "HEAD")
    return Source(commit or "", bool(commit and git(root, "status", "--porcelain", "--", *_DEPLOYED)), now())


def git(root: Path, *arguments: str) -> str | None:
    """What a command of Git prints; None if it fails, or there is no Git. Its hooks see no secrets."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], env=environment, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
