"""What the functions of a stage logged, all of them in one, in the order of time."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from chalicelib.errors import redact
from tools.ops.stage import Stage, StageError
from tools.ops.tuning import log_group

_UNITS = {"m": 60, "h": 3600, "d": 86400}
_KNOWN = ("timestamp", "level", "message", "logger", "requestId")


def show_logs(stage: Stage, since: str) -> int:
    """Prints what was logged. since: such as ``30m``, ``2h`` or ``7d``. Raises StageError."""
    if stage.is_local:
        raise StageError("STAGE: the local twin logs to the terminal in which make run runs")
    match = re.fullmatch(r"(\d+)([mhd])", since)
    if match is None:
        raise StageError(f"SINCE: {since!r} is not like 30m, 2h or 7d")
    begins = int((time.time() - int(match[1]) * _UNITS[match[2]]) * 1000)
    events: list[tuple[int, str, str]] = []
    for function in stage.handlers.values():
        group = log_group(function)
        if stage.call("logs", "describe_log_groups", logGroupNamePrefix=group)["logGroups"]:
            found = stage.pages("logs", "filter_log_events", "events", logGroupName=group, startTime=begins)
            events += [(each["timestamp"], function, each["message"]) for each in found]
    shown = [line for event in sorted(events) if (line := _line(*event))]
    print("\n".join(shown) if shown else f"nothing was logged on {stage.name} in the last {since}")
    return 0


def _line(timestamp: int, function: str, message: str) -> str | None:
    """An event as a line; None for those of Lambda itself, unless they tell of a failure."""
    at = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(timestamp / 1000))
    try:
        logged: dict[str, Any] = json.loads(message)
    except ValueError:
        return redact(f"{at}  {function}  {message.rstrip()}")
    if not isinstance(logged, dict):
        return redact(f"{at}  {function}  {message.rstrip()}")
    if str(logged.get("type", "")).startswith("platform."):
        failed = logged.get("record", {}).get("status", "success") != "success"
        return f"{at}  {function}  {logged['type']}  {json.dumps(logged.get('record'))}" if failed else None
    more = "  ".join(f"{name}={value}" for name, value in logged.items() if name not in _KNOWN and value is not None)
    return redact(f"{at}  {function}  {logged.get('level', '')}  {logged.get('message', '')}  {more}".rstrip())
