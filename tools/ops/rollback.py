"""Brings back the deployment before: its commit, which AWS notes, is deployed from a worktree by its own tools.

Lambda's published versions would be quicker, but bring back code and memory alone: not the rights, the mappings, the
template or the throttling, which a bad deployment breaks as easily. A commit has all of these, the way back is the way
forth, with its preview, and any machine that has the repository can go it. So what was deployed with changes that are
in no commit cannot be brought back. What was given as an option, RECOVERY and ALARMS, stays as it is.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tools.ops.console import Console
from tools.ops.deployed import write_deployed_file
from tools.ops.history import git, read_history
from tools.ops.preflight import check_access
from tools.ops.stage import Stage, StageError


def roll_back(stage: Stage, console: Console, *, dry_run: bool = False) -> int:
    """Deploys what was good before; the exit status of that deployment. Raises StageError if it cannot be."""
    if stage.is_local:
        raise StageError("STAGE: local is the twin, and make run starts it; roll back dev or prod")
    console.run("check", lambda: check_access(stage))
    source = read_history(stage).last()
    if source is None:
        raise StageError(f"no deployment of {stage.name} before this one is noted: nothing to go back to")
    if not source.can_be_deployed:
        raise StageError(f"{source.told()}, cannot be brought back: check out what you want, and make deploy")
    if git(stage.root, "cat-file", "-e", f"{source.commit}^{{commit}}") is None:
        raise StageError(f"{source.told()}, is not in this checkout: git fetch, and run it again")
    console.step("back to", source.told())
    with tempfile.TemporaryDirectory(prefix="botte-rollback-") as folder:
        worktree = Path(folder) / "botte"
        project = worktree / (git(stage.root, "rev-parse", "--show-prefix") or "")  # it may be part of a repository
        if git(stage.root, "worktree", "add", "--detach", str(worktree), source.commit) is None:
            raise StageError(f"git worktree add failed in {stage.root}")
        try:
            status = _deploy(stage, project, [*["--yes"] * console.assumes_yes, *["--dry-run"] * dry_run])
        finally:
            git(stage.root, "worktree", "remove", "--force", str(worktree))
    if dry_run:
        return status
    if status == 0:
        write_deployed_file(stage)
        console.say(f"This checkout has what was rolled back: make deploy STAGE={stage.name} would bring it again.")
    elif last := read_history(stage).last():
        console.say(f"make rollback STAGE={stage.name} brings back {last.told()}; make deploy brings this checkout.")
    return status


def _deploy(stage: Stage, project: Path, options: list[str]) -> int:
    """Runs `deploy` as that commit has it, on this terminal."""
    command = [sys.executable, "-m", "tools.ops", "deploy", "--stage", stage.name, *options]
    return subprocess.run(command, cwd=project, check=False).returncode
