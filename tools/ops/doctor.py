"""Checks every part of a stage, or of the local twin: what is wrong, and the command that mends it."""

from __future__ import annotations

import secrets

from tools.ops.checks import (
    Check,
    Finding,
    check_account,
    check_backlog,
    check_bot,
    check_clock,
    check_parameters,
    check_tables,
    check_webhook,
    look_at_logs,
    run_check,
)
from tools.ops.checks_aws import (
    check_alarms,
    check_async,
    check_functions,
    check_mappings,
    check_queues,
    check_roles,
    check_schedule,
    check_throttling,
)
from tools.ops.console import Console
from tools.ops.doors import door_names, send_through
from tools.ops.stage import Stage

PATIENCE_SECONDS = 30.0  # with a door

_EVERYWHERE: dict[str, Check] = {
    "clock": check_clock,
    "parameters": check_parameters,
    "bot": check_bot,
    "webhook": check_webhook,
    "tables": check_tables,
}
_ON_AWS: dict[str, Check] = {
    "functions": check_functions,
    "async": check_async,
    "roles": check_roles,
    "mappings": check_mappings,
    "schedule": check_schedule,
    "throttling": check_throttling,
    "alarms": check_alarms,
}


def examine(stage: Stage, console: Console) -> int:
    """Tells how each part is; 1 if something is wrong."""
    checks = {**_EVERYWHERE, **({} if stage.is_local else _ON_AWS), "queues": check_queues, "backlog": check_backlog}
    if _tell(console, run_check(stage, "account", check_account)):
        console.say("nothing else can be checked")
        return 1
    wrong = 0
    for part, check in checks.items():
        wrong += _tell(console, run_check(stage, part, check))
    console.step("doors", "a message goes through each, to the default chat")
    wrong += _tell(console, _doors(stage))
    where = "the local twin" if stage.is_local else stage.name
    console.say(f"{wrong} wrong on {where}" if wrong else f"all is well on {where}")
    return 1 if wrong else 0


def _tell(console: Console, findings: list[Finding]) -> int:
    for finding in findings:
        if finding.mend is None:
            console.step(finding.part, f"ok     {finding.told}")
        else:
            console.step(finding.part, f"WRONG  {finding.told}")
            console.step("", f"       mend: {finding.mend}")
    return sum(finding.mend is not None for finding in findings)


def _doors(stage: Stage) -> list[Finding]:
    run = secrets.token_hex(4)
    findings = []
    for door in door_names(stage):
        text = f"make doctor: the {door} door of {stage.name} works."
        outcome = send_through(stage, door, f"doctor-{run}-{door}", text, patience=PATIENCE_SECONDS)
        findings.append(Finding(f"{door} door", outcome.answer, None if outcome.delivered else look_at_logs(stage)))
    return findings
