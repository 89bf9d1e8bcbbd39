"""What a deployment would change: what is there, and what would be, compared. It changes nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from tools.ops.changes import Changes, compare
from tools.ops.console import Console
from tools.ops.history import History, read_history
from tools.ops.package import NO_STREAM, PreparedApp, prepared_app
from tools.ops.preflight import check_preflight
from tools.ops.stage import Stage, StageError
from tools.ops.there import find_state
from tools.ops.wanted import code_sha256, content_digest, plan_state
from tools.ops.webhook import preview_webhook


def show_plan(stage: Stage, console: Console, options: Mapping[str, str]) -> int:
    """Prints what `deploy` with these options would change, and nothing else. Raises StageError."""
    if stage.is_local:
        raise StageError("STAGE: local is the twin, and make run starts it; deploy dev or prod")
    console.run("check", lambda: check_preflight(stage))
    console.run("changes", lambda: _plan(stage, console, options))
    console.run("webhook", lambda: preview_webhook(stage))
    console.say("Nothing was changed.")
    return 0


def _plan(stage: Stage, console: Console, options: Mapping[str, str]) -> str:
    with prepared_app(stage) as app:
        changes, _ = find_changes(stage, app, options, read_history(stage), with_new_rights=True)
    return tell_changes(console, changes)


def find_changes(
    stage: Stage, app: PreparedApp, options: Mapping[str, str], history: History, *, with_new_rights: bool = False
) -> tuple[Changes, str]:
    """What a deployment would change, and the digest of what its zip would hold. Raises StageError."""
    table = stage.find("dynamodb", "describe_table", TableName=stage.task_table_name)
    stream_arn = table["Table"].get("LatestStreamArn", NO_STREAM) if table else NO_STREAM
    with tempfile.TemporaryDirectory(prefix="botte-plan-") as folder:
        package = app.package(Path(folder), stage.region, stream_arn)
        wanted = plan_state(stage, options, package, stream_arn)
        archive = package / "deployment.zip"
        code = content_digest(archive)
        codes = {**history.code, code_sha256(archive): code}
    return compare(find_state(stage, codes), wanted, with_new_rights=with_new_rights), code


def tell_changes(console: Console, changes: Changes) -> str:
    """Prints the differences; their number, for a line."""
    for line in changes.lines:
        console.say(f"  {line}")
    return changes.summary
