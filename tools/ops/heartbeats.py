"""The heartbeats of a stage: when the last one came, and which did not."""

from __future__ import annotations

import time

from chalicelib.errors import TableUnavailable
from chalicelib.relay.heartbeats import list_heartbeats
from tools.ops.stage import Stage, StageError


def show_heartbeats(stage: Stage) -> int:
    """Prints a line for each heartbeat; 1 where one did not come. Raises StageError."""
    try:
        found = list_heartbeats(stage.outbox())
    except TableUnavailable as error:
        raise StageError(error.reason) from None
    for each in found:
        print(each.line(time.time()))
    print(f"{len(found)} {'heartbeat' if len(found) == 1 else 'heartbeats'} on {stage.name}")
    return int(any(each.missed_ts is not None for each in found))
