"""What an operator does with a stage: ``python -m tools.ops COMMAND --stage STAGE``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools.ops.alarms import alarm_options
from tools.ops.console import Console
from tools.ops.dead_letters import discard, list_failed, redrive
from tools.ops.deploy import Deployment
from tools.ops.destroy import Destruction
from tools.ops.doctor import examine
from tools.ops.heartbeats import show_heartbeats
from tools.ops.logs import show_logs
from tools.ops.merge_template import show_merge_template
from tools.ops.new_stage import make_stage
from tools.ops.plan import show_plan
from tools.ops.rollback import roll_back
from tools.ops.rotate import rotate_token
from tools.ops.stage import ROOT, Stage, StageError
from tools.ops.webhook import delete_webhook, set_webhook, show_webhook

_NEED_THE_TWIN = (
    "failed",
    "heartbeats",
    "redrive",
    "discard",
    "webhook",
)  # the others tell more, or are not for the twin


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """The exit status: 1 when something is wrong, which is told in a line or two."""
    given = _parser().parse_args(arguments)
    try:
        if given.command == "stage":
            return make_stage(given.name, with_queue=given.queue, root=root)
        stage = Stage(given.stage, root)
        if given.command in _NEED_THE_TWIN:
            stage.check_twin()
        return _run(given, stage)
    except StageError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; what was done so far stays, and running it again goes on from there", file=sys.stderr)
        return 130


def _run(given: argparse.Namespace, stage: Stage) -> int:
    console = Console(assume_yes=getattr(given, "yes", False))
    match given.command:
        case "failed":
            return list_failed(stage)
        case "heartbeats":
            return show_heartbeats(stage)
        case "redrive":
            return redrive(stage, given.id)
        case "discard":
            return discard(stage, console, given.id)
        case "deploy":
            options = _options(given)
            return show_plan(stage, console, options) if given.dry_run else Deployment(stage, console, options).run()
        case "rollback":
            return roll_back(stage, console, dry_run=given.dry_run)
        case "doctor":
            return examine(stage, console)
        case "rotate-token":
            return rotate_token(stage, console)
        case "merge-template":
            return show_merge_template(stage)
        case "logs":
            return show_logs(stage, given.since)
        case "destroy":
            end = Destruction(stage, console, with_tables=given.table, with_messages=given.messages)
            return end.preview() if given.dry_run else end.run()
    if given.action == "set":
        return set_webhook(stage, given.url)
    return show_webhook(stage) if given.action == "info" else delete_webhook(stage)


def _options(given: argparse.Namespace) -> dict[str, str]:
    """The parameters of the stack that were asked for."""
    options = {}
    if given.recovery:
        options["WithRecovery"] = "true" if given.recovery == "on" else "false"
    if given.alarms:
        options |= alarm_options(given.alarms)
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.ops", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    deploy = commands.add_parser("deploy", help="from nothing, or from any state, to a stage that works")
    rollback = commands.add_parser("rollback", help="bring back the last deployment that worked, by its commit")
    for command in (deploy, rollback):
        command.add_argument("--dry-run", action="store_true", help="only show what would change")
    deploy.add_argument("--recovery", choices=["on", "off"], help="point-in-time recovery of the tables (it costs)")
    deploy.add_argument(
        "--alarms", metavar="EMAIL|on|off", help="alarms on what fails, waits, is parked or does not run"
    )
    commands.add_parser("merge-template", help="what chalice package leaves out, for its --merge-template")
    commands.add_parser("doctor", help="check every part of a stage, and tell what mends it")
    rotate = commands.add_parser("rotate-token", help="a new HTTP API token, live beside the old one until that goes")
    logs = commands.add_parser("logs", help="what the functions logged")
    logs.add_argument("--since", default="1h", help="30m, 2h, 7d (default: %(default)s)")
    destroy = commands.add_parser("destroy", help="take a stage away; its tables stay")
    destroy.add_argument("--dry-run", action="store_true", help="only show what would be deleted")
    destroy.add_argument("--table", action="store_true", help="delete the tables too")
    destroy.add_argument("--messages", action="store_true", help="delete messages that are not delivered, too")
    commands.add_parser("failed", help="list the messages that were parked or given up, with the reason")
    commands.add_parser("heartbeats", help="list them, and which did not come")
    redrive = commands.add_parser("redrive", help="send them again")
    redrive.add_argument("--id", help="only this message")
    discard = commands.add_parser("discard", help="forget one of them; without an id all that cannot be sent")
    discard.add_argument("--id", help="this message; it is not asked for")
    for command in (deploy, rollback, rotate, destroy, discard):
        command.add_argument("--yes", action="store_true", help="do not ask")
    webhook = commands.add_parser("webhook", help="what people write to the bot: /failed, /mute; and buttons")
    webhook.add_argument("action", choices=["set", "info", "delete"])
    webhook.add_argument("--url", help="where the HTTP door is; by default as chalice deploy noted it")
    for command in commands.choices.values():
        command.add_argument("--stage", required=True, help="a stage of .chalice/config.json; local is the local twin")
    stage = commands.add_parser("stage", help="add a stage; without a name, write the policies of all but prod anew")
    stage.add_argument("--name", help="such as ops")
    stage.add_argument("--queue", action="store_true", help="with the SQS door")
    return parser


if __name__ == "__main__":
    sys.exit(main())
