"""From nothing to a buzzing phone: every step of a deployment. Each can be run again, and goes on where it failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial

from chalicelib.settings import VERSION
from tools.ops.alarms import set_up_alarms
from tools.ops.changes import Changes
from tools.ops.console import Console
from tools.ops.deployed import find_api, write_deployed_file
from tools.ops.doors import Outcome, door_names, send_through, was_delivered
from tools.ops.enrol import ensure_bot_token, ensure_chat, ensure_http_token, send_command, show_token_command
from tools.ops.history import find_source, read_history, write_history
from tools.ops.mappings import remove_stale_mappings, tune_mappings
from tools.ops.package import PreparedApp, prepared_app
from tools.ops.plan import find_changes, tell_changes
from tools.ops.preflight import check_preflight
from tools.ops.rollback import roll_back
from tools.ops.stack import ensure_tables, stack_up
from tools.ops.stage import Stage, StageError
from tools.ops.tuning import throttle, tune_functions
from tools.ops.webhook import offer_webhook

PATIENCE_SECONDS = 120.0  # with a door that was made a moment ago


class Deployment:
    """A deployment of a stage. options: further parameters of the stack."""

    def __init__(self, stage: Stage, console: Console, options: Mapping[str, str]) -> None:
        self._stage = stage
        self._console = console
        self._options = options
        self._stream_arn = ""
        self._source = find_source(stage.root)

    def run(self) -> int:
        """Shows what changes, runs every step, and tells each in a line. Raises StageError, which names the step."""
        stage, console = self._stage, self._console
        if stage.is_local:
            raise StageError("STAGE: local is the twin, and make run starts it; deploy dev or prod")
        with ExitStack() as until_the_end:
            self._run("check", lambda: check_preflight(stage))
            self._run("package", lambda: self._prepare(until_the_end))
            self._run("changes", self._compare)
            if self._changes.taken and not console.confirm(_question(self._changes), "y", "yes"):
                console.say("Nothing was changed. Without a terminal, YES=1 is the answer.")
                return 1
            steps: dict[str, Callable[[], str]] = {
                "stack": self._stack,
                "tables": self._tables,
                "bot": lambda: ensure_bot_token(stage, console),
                "chat": lambda: ensure_chat(stage, console),
                "HTTP token": lambda: ensure_http_token(stage),
                "found": lambda: f"{write_deployed_file(stage)} things that were deployed before",
                "stale": self._stale,
                "functions": self._functions,
                "mappings": lambda: tune_mappings(stage),
                "logs": lambda: tune_functions(stage),
                "alarms": lambda: set_up_alarms(stage),
                "API": lambda: throttle(stage),
                "webhook": lambda: offer_webhook(stage, console),
            }
            for name, step in steps.items():
                self._run(name, step)
        return self._doors()

    def _run(self, name: str, step: Callable[[], str]) -> None:
        try:
            self._console.run(name, step)
        except StageError as error:
            raise StageError(f'deploy stopped at "{name}": {error}\n{self._again()}') from None

    def _prepare(self, until_the_end: ExitStack) -> str:
        self._app: PreparedApp = until_the_end.enter_context(prepared_app(self._stage))
        source = self._source
        lost = "" if source.can_be_deployed else ", so no rollback can bring it back"
        return f"{self._app.compiled} modules compiled, {source.origin}{lost}"

    def _compare(self) -> str:
        self._history = read_history(self._stage)
        self._changes, self._code = find_changes(self._stage, self._app, self._options, self._history)
        return tell_changes(self._console, self._changes)

    def _stack(self) -> str:
        # Doors are tried anew after a change only. So it is noted that one begins, also for the next run if this fails.
        if self._changes or not self._history.changed_at:
            self._history.begin(self._source)
            write_history(self._stage, self._history)
        return stack_up(self._stage, self._options)

    def _tables(self) -> str:
        self._stream_arn, told = ensure_tables(self._stage, self._options)
        return told

    def _stale(self) -> str:
        told = remove_stale_mappings(self._stage, self._stream_arn)
        write_deployed_file(self._stage)
        return f"mappings to what is no longer there: {told}"

    def _functions(self) -> str:
        told = self._app.deploy(self._stream_arn)
        function = self._stage.handlers["api_handler"]
        found = self._stage.call("lambda", "get_function_configuration", FunctionName=function)
        self._history.code = {found["CodeSha256"]: self._code}
        write_history(self._stage, self._history)
        return told

    def _doors(self) -> int:
        outcomes: list[Outcome] = []
        run = f"deploy-{find_api(self._stage)}-{self._history.changed_at}"
        for door in door_names(self._stage):
            self._console.run(f"{door} door", partial(self._try, door, f"{run}-{door}", outcomes))
        failed = [outcome.door for outcome in outcomes if not outcome.delivered]
        if failed:
            return self._fail(", ".join(failed))
        self._history.succeed(self._source)
        write_history(self._stage, self._history)
        self._console.step("URL", self._stage.http_url())
        self._console.step("token", show_token_command(self._stage))
        self._console.step("try it", send_command(self._stage))
        self._console.say(f"Botte is deployed on {self._stage.name}.")
        return 0

    def _try(self, door: str, id: str, outcomes: list[Outcome]) -> str:
        """What the door did with a message; nobody's phone buzzes twice for the same change."""
        if was_delivered(self._stage, id):
            return f"not tried: it worked, and nothing has changed since {self._history.changed_at}"
        text = f"Botte {VERSION} on {self._stage.name}: the {door} door works."
        outcomes.append(send_through(self._stage, door, id, text, patience=PATIENCE_SECONDS))
        return outcomes[-1].answer

    def _fail(self, doors: str) -> int:
        """Tells what does not work, and offers to go back to what did. Raises StageError."""
        told = f'deploy stopped at "doors": {doors}\nmake doctor STAGE={self._stage.name} tells what is wrong.'
        self._history.fail(self._source)
        write_history(self._stage, self._history)
        last = self._history.last()
        if last is None or not last.can_be_deployed:
            raise StageError(f"{told} {self._again()}")
        if self._console.interactive and not self._console.assumes_yes:  # what cannot work would go back without end
            self._console.say(told)
            if self._console.confirm(f"Bring back {last.told()}? [y/n]", "y", "yes"):
                return roll_back(self._stage, self._console)
        offer = f"make rollback STAGE={self._stage.name} brings back {last.told()}."
        raise StageError(f"{told} {self._again()}\n{offer}")

    def _again(self) -> str:
        return f"Run make deploy STAGE={self._stage.name} again when that is mended: it goes on from there."


def _question(changes: Changes) -> str:
    return "\n".join(["This takes away:", *(f"  {each}" for each in changes.taken), "Go on? [y/n]"])
