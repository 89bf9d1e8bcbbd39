"""Takes a stage away. The tables, and with them every message, stay unless they are named; nothing else does.

No message that was accepted is deleted unasked: what the queues hold, and the tables where they go too, is counted
before, and again right before it goes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tools.ops.belongings import Part, Thing, parts
from tools.ops.console import Console
from tools.ops.preflight import check_place
from tools.ops.roles import check_region
from tools.ops.stage import Stage, StageError
from tools.ops.unsent import check_queues, check_tables, count_in_tables, empty_queues, queue_url, tell


class Destruction:
    """The end of a stage. with_tables: the tables too. with_messages: whatever they and the queues hold."""

    def __init__(self, stage: Stage, console: Console, *, with_tables: bool, with_messages: bool) -> None:
        self._stage = stage
        self._console = console
        self._with_tables = with_tables
        self._with_messages = with_messages
        self._parts = parts(with_tables=with_tables)
        self._again = f"make destroy STAGE={stage.name}{' TABLE=1' if with_tables else ''}"
        self._force = f"{self._again} MESSAGES=1"

    def preview(self) -> int:
        """Tells what ``run`` would delete, and why it would not; changes nothing. Raises StageError."""
        self._show()
        try:
            self._check_messages()
        except StageError as error:
            self._console.say(f"It would stop, as {error}")
        return 0

    def run(self) -> int:
        """Asks for the stage's name, and deletes what belongs to it. Run again, it goes on where it failed."""
        stage, console = self._stage, self._console
        self._show()
        self._check_messages()
        if not console.confirm(f"Type {stage.name} to go on:", stage.name):
            console.say("Nothing was deleted. Without a terminal, YES=1 is the answer.")
            return 1
        if not self._with_messages:
            if queue_url(stage, stage.messages_queue) is not None:
                console.step("queue", "closed to senders, which all of SQS knows in a minute; then it is emptied")
            self._run("queue", lambda: empty_queues(stage, *stage.queues, force=self._force))
        for part in self._parts:
            self._run(part.name, partial(self._delete, part))
        stage.deployed_file.unlink(missing_ok=True)
        return 0

    def _show(self) -> None:
        """Tells what there is. Raises StageError where that is nothing, or the stage is in another region."""
        stage, console = self._stage, self._console
        if stage.is_local:
            raise StageError("STAGE: local is the twin; Ctrl-C ends it, and nothing is left")
        where = check_place(stage)
        found = {part.name: list(part.find(stage)) for part in self._parts}
        if not any(things for name, things in found.items() if name != "roles"):
            check_region(stage)
            if not found["roles"]:
                raise StageError(
                    f"there is nothing of {stage.name} in {where}: AWS_PROFILE and AWS_REGION say where it is"
                )
        console.say(f"This deletes of {stage.name}, in {where}:")
        for name, things in found.items():
            for number, thing in enumerate(things):
                console.step("" if number else name, _told(thing))
        counts = count_in_tables(stage)
        stay = "" if self._with_tables or not any(counts.values()) else ", until make deploy"
        console.step("not delivered", f"{tell(counts) or 'nothing in the tables'}{stay}")

    def _check_messages(self) -> None:
        """Raises StageError where messages would be lost. Those of the SQS door's queue may go out before."""
        if self._with_messages:
            return
        check_queues(self._stage, self._stage.dead_letter_queue, self._stage.failures_queue, force=self._force)
        if self._with_tables:
            check_tables(self._stage, force=self._force)

    def _delete(self, part: Part) -> str:
        """Deletes a part; a line on it. What was accepted in the meantime is looked for once more."""
        if part.name == "stack" and not self._with_messages:
            check_queues(self._stage, *self._stage.queues, force=self._force)
        if part.name == "tables" and self._with_tables and not self._with_messages:
            check_tables(self._stage, force=self._force)
        things = list(part.find(self._stage))
        gone = [thing for thing in things if not thing.stays]
        for thing in gone:
            part.delete(self._stage, thing.id)
        told = [f"{len(gone)} deleted"] if gone else []
        return "; ".join([*told, *(_told(thing) for thing in things if thing.stays)]) or "none"

    def _run(self, name: str, step: Callable[[], str]) -> None:
        try:
            self._console.step(name, step())
        except StageError as error:
            told = f'destroy stopped at "{name}": {error}\nRun {self._again} again: it goes on from there.'
            raise StageError(told) from None


def _told(thing: Thing) -> str:
    if thing.stays:
        return f"{thing.id} stays: {thing.stays}"
    return f"{thing.id}, {thing.note}" if thing.note else thing.id
