"""From nothing to a buzzing phone: every step of a deployment. Each can be run again, and goes on where it failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chalicelib.settings import VERSION
from tools.ops.alarms import set_up_alarms
from tools.ops.console import Console
from tools.ops.deployed import find_api, write_deployed_file
from tools.ops.doors import send_through_each_door
from tools.ops.enrol import ensure_bot_token, ensure_chat, ensure_http_token
from tools.ops.mappings import remove_stale_mappings, tune_mappings
from tools.ops.package import app_digest, chalice_deploy
from tools.ops.preflight import check_preflight
from tools.ops.stack import ensure_tables, stack_up
from tools.ops.stage import Stage, StageError
from tools.ops.tuning import throttle, tune_functions

PATIENCE_SECONDS = 120.0  # with a door that was made a moment ago

STEPS = (
    ("check", "the credentials, the region, and that this Python is a Lambda runtime"),
    ("stack", "the CloudFormation stack: tables, failures queue, and the queue if the stage names one"),
    ("tables", "the stream of the one, and the time to live of both"),
    ("bot", "its token: asked for once, checked with getMe, stored as a SecureString"),
    ("chat", "found by what is written to the bot, and stored"),
    ("HTTP token", "made, and stored as a SecureString"),
    ("found", "what Chalice deployed before, from AWS"),
    ("stale", "mappings to a stream or a queue that the stage no longer has are removed"),
    ("functions", "chalice deploy, with bytecode in the package"),
    ("mappings", "filter, retries, bisecting and on-failure destination of the stream"),
    ("logs", "JSON, with a retention; retries of async invokes"),
    ("alarms", "if they are asked for, and who is told"),
    ("API", "throttled"),
    ("doors", "a message through each"),
)


class Deployment:
    """A deployment of a stage. options: further parameters of the stack."""

    def __init__(self, stage: Stage, console: Console, options: Mapping[str, str]) -> None:
        self._stage = stage
        self._console = console
        self._options = options
        self._stream_arn = ""

    def run(self) -> int:
        """Runs every step, and tells each in a line. Raises StageError, which names the step."""
        stage, console = self._stage, self._console
        if stage.is_local:
            raise StageError("STAGE: local is the twin, and make run starts it; deploy dev or prod")
        steps: dict[str, Callable[[], str]] = {
            "check": lambda: check_preflight(stage),
            "stack": lambda: stack_up(stage, self._options),
            "tables": self._tables,
            "bot": lambda: ensure_bot_token(stage, console),
            "chat": lambda: ensure_chat(stage, console),
            "HTTP token": lambda: ensure_http_token(stage),
            "found": lambda: f"{write_deployed_file(stage)} things that were deployed before",
            "stale": self._stale,
            "functions": lambda: chalice_deploy(stage, self._stream_arn),
            "mappings": lambda: tune_mappings(stage),
            "logs": lambda: tune_functions(stage),
            "alarms": lambda: set_up_alarms(stage),
            "API": lambda: throttle(stage),
        }
        for name, step in steps.items():
            self._run(name, step)
        return self._doors()

    def _run(self, name: str, step: Callable[[], str]) -> None:
        try:
            self._console.step(name, step())
        except StageError as error:
            raise StageError(f'deploy stopped at "{name}": {error}\n{self._again()}') from None

    def _tables(self) -> str:
        self._stream_arn, told = ensure_tables(self._stage, self._options)
        return told

    def _stale(self) -> str:
        told = remove_stale_mappings(self._stage, self._stream_arn)
        write_deployed_file(self._stage)
        return f"mappings to what is no longer there: {told}"

    def _doors(self) -> int:
        stage = self._stage
        # The same code and the same API again: the same ids, and nobody's phone buzzes twice.
        run = f"deploy-{find_api(stage)}-{app_digest(stage)[:16]}"
        outcomes = send_through_each_door(
            stage,
            lambda door: f"{run}-{door}",
            lambda door: f"Botte {VERSION} on {stage.name}: the {door} door works.",
            patience=PATIENCE_SECONDS,
        )
        for outcome in outcomes:
            self._console.step(f"{outcome.door} door", outcome.answer)
        if all(outcome.delivered for outcome in outcomes):
            self._console.say(f"Botte is deployed on {stage.name}.")
            return 0
        failed = ", ".join(outcome.door for outcome in outcomes if not outcome.delivered)
        raise StageError(
            f'deploy stopped at "doors": {failed}\nmake doctor STAGE={stage.name} tells what is wrong. {self._again()}'
        )

    def _again(self) -> str:
        return f"Run make deploy STAGE={self._stage.name} again when that is mended: it goes on from there."
