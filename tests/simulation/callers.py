"""Those who wait for an answer, at the doors HTTP and Lambda; and Lambda itself, which repeats what is asynchronous."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.errors import BotteError, InvalidMessage, Unavailable
from chalicelib.outbox.row import Key
from tests.simulation.processes import Outcome, Process
from tests.simulation.submission import Submission

if TYPE_CHECKING:
    from tests.simulation.world import World

MAX_TRIES = 6
ASYNC_DELAYS = (60.0, 120.0)
FINAL = "final"


class Callers:
    """Makes the calls; who has an id repeats it, who has none writes anew."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._requests = 0
        self._given_up: list[Submission] = []

    def call(self, sent: Submission, tries: int = 1) -> None:
        def work(process: Process) -> object:
            if sent.door == "http":
                return process.post(sent.json.encode("utf-8", "surrogatepass"), None)
            return process.invoke(_event(sent), request_id)

        request_id = self._request_id()
        function = "http" if sent.door == "http" else "message"
        name = self._world.functions.invoke(function, work, lambda outcome: self._read_answer(sent, tries, outcome))
        self._world.note(name, "handed", door=sent.door, tags=[sent.tag])

    def call_async(self, sent: Submission) -> None:
        """An asynchronous invoke is accepted once Lambda has it."""
        self._world.note("", "answered", tag=sent.tag, door="async", answer=202)
        self._run_async(sent, self._request_id(), 0)

    def redrive(self) -> None:
        """The operator takes back what Lambda gave up."""
        given_up, self._given_up = self._given_up, []
        for sent in given_up:
            self._world.note("", "redriven", tag=sent.tag)
            self._run_async(sent, self._request_id(), 0)

    def _read_answer(self, sent: Submission, tries: int, outcome: Outcome) -> None:
        answer = _answer(outcome)
        self._world.note("", "answered", tag=sent.tag, door=sent.door, answer=answer)
        if answer in (200, 202, FINAL) or tries >= MAX_TRIES:
            return
        again = sent
        if sent.id is None:
            if sent.fate != "good" or self._world.random.random() < 0.3:
                return
            again = sent.renamed(f"{sent.tag.partition('r')[0]}r{tries}", self._world.clock())
            self._world.note("", "submitted", **again.facts)
        self._world.clock.after(self._world.random.uniform(1.0, 40.0), lambda: self.call(again, tries + 1))

    def _run_async(self, sent: Submission, request_id: str, tries: int) -> None:
        def then(outcome: Outcome) -> None:
            if outcome.how == "returned":
                return
            if tries < len(ASYNC_DELAYS):
                delay = ASYNC_DELAYS[tries]
                self._world.clock.after(delay, lambda: self._run_async(sent, request_id, tries + 1))
            elif not self._is_kept(request_id, sent.id):
                self._world.note("", "given up", tag=sent.tag)
                self._given_up.append(sent)

        name = self._world.functions.invoke("message", lambda process: process.invoke(_event(sent), request_id), then)
        self._world.note(name, "handed", door="async", tags=[sent.tag])

    def _is_kept(self, *ids: str | None) -> bool:
        """Whether the outbox has the message: what Lambda gave up in spite of that, the operator discards."""
        return any(Key.of_id(id) in self._world.table.items for id in ids if id is not None)

    def _request_id(self) -> str:
        self._requests += 1
        return f"request-{self._requests}"


def _event(sent: Submission) -> Any:
    return dict(sent.fields) if sent.body is None else sent.body


def _answer(outcome: Outcome) -> int | str:
    """The status that a caller sees; "none" where the process died, "final" where it is no use to ask again."""
    if outcome.how == "killed":
        return "none"
    if outcome.how == "raised":
        error = outcome.value
        if isinstance(error, Unavailable):
            return 503
        return FINAL if isinstance(error, (BotteError, InvalidMessage)) else 500
    if isinstance(outcome.value, dict):
        return 202 if outcome.value.get("status") == "accepted" else 200
    status: int = outcome.value.status_code
    return FINAL if (400 <= status < 500 and status != 409) or status == 502 else status
