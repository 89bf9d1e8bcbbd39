"""Processes that come and go: each a relay as ``app.py`` wires it, warm for a while, killed between any two calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from chalicelib.doors import http
from chalicelib.doors.invoke import send_invoked
from chalicelib.doors.queue import read_queue
from chalicelib.doors.stream import Tasks
from chalicelib.errors import ParametersUnavailable
from chalicelib.outbox.table import Outbox
from chalicelib.relay import Relay
from chalicelib.settings import Parameters
from tests.simulation.table import OutboxTable
from tests.simulation.tasks import ProcessTasks
from tests.simulation.telegram import ProcessTelegram
from tests.simulation.weather import PARAMETERS

if TYPE_CHECKING:
    from tests.simulation.world import World

TIMEOUTS = {"http": 29.0, "message": 60.0, "stream": 60.0, "queue": 60.0, "redeliver": 90.0}
HTTP_TOKEN = "t"


class Killed(BaseException):
    """The process is gone: nothing in it may catch this."""


class Kill(NamedTuple):
    """Before or after which call of an invocation its process dies, or stands still for some seconds.

    follows: only calls that follow one with this name are counted.
    """

    number: int
    when: Literal["before", "after"]
    stall: float = 0.0
    follows: str = ""


class Outcome(NamedTuple):
    """How an invocation ended, and what it returned or raised."""

    how: Literal["returned", "raised", "killed"]
    value: Any = None


class Process:
    """One process, from its cold start to its end. name: of the invocation that it works on."""

    def __init__(self, world: World, number: int) -> None:
        self.number = number
        self.name = ""
        self.is_dead = False
        self._world = world
        self._calls = 0
        self._last_call = ""
        self._kill: Kill | None = None
        self._dies_at = 0.0
        clock = world.clock
        self.parameters = Parameters("/p", self._fetch, clock=clock)
        self.tasks = Tasks(ProcessTasks(world, self), clock=clock)  # type: ignore[arg-type]
        outbox = Outbox(OutboxTable(world, self), clock=clock, sleep=self.sleep)
        self.relay = Relay(
            ProcessTelegram(world, self),
            outbox,
            self.parameters,
            clock=clock,
            sleep=self.sleep,
            random=world.random.randbytes,
        )

    # The doors and the schedule, as app.py has them.

    def post(self, body: bytes, id: str | None) -> http.Answer:
        headers = {"authorization": HTTP_TOKEN} | ({} if id is None else {"idempotency-key": id})
        request = SimpleNamespace(headers=headers, raw_body=body, query_params=None)
        return http.post_message(self.relay, self.parameters, request, self._world.clock())

    def invoke(self, event: object, request_id: str) -> dict[str, Any]:
        return send_invoked(self.relay, event, request_id, self._dies_at)

    def take_stream(self, records: Sequence[dict[str, Any]]) -> None:
        self.relay.take(self.tasks.read_stream(records), deadline=self._dies_at)

    def take_queue(self, records: Sequence[dict[str, Any]]) -> None:
        self.relay.take(read_queue(records), deadline=self._dies_at)

    def redeliver(self) -> None:
        self.relay.redeliver(deadline=self._dies_at)
        self.relay.take(self.tasks.sweep(), deadline=self._dies_at)

    # What happens to it.

    def begin(self, name: str, timeout: float, kill: Kill | None) -> None:
        self.name, self._calls, self._last_call, self._kill = name, 0, "", kill
        self._dies_at = self._world.clock() + timeout

    def sleep(self, seconds: float) -> None:
        self.wait("sleep", seconds)

    def wait(self, call: str, seconds: float) -> None:
        """Lets others run for some seconds, and dies if it is time to."""
        if self.is_dead:
            raise Killed
        if self._kill is None or self._kill.follows in ("", self._last_call):
            self._calls += 1
            self._meet_fate("before", call)
        self._last_call = call
        ends = self._world.clock() + seconds
        self._world.clock.sleep_until(min(ends, self._dies_at))
        if ends > self._dies_at:
            self._die("timed out", call)

    def done(self, call: str) -> None:
        """A call has had its effect, and its answer is on the way."""
        self._meet_fate("after", call)

    def _meet_fate(self, when: str, call: str) -> None:
        kill = self._kill
        if kill is None or (kill.number, kill.when) != (self._calls, when):
            return
        if not kill.stall:
            self._die("killed", call)
        self._kill = None
        self._world.note(self.name, "stalled", call=call, seconds=kill.stall)
        self._dies_at += kill.stall
        self._world.clock.sleep_until(self._world.clock() + kill.stall)

    def _die(self, how: str, call: str) -> None:
        self.is_dead = True
        self._world.note(self.name, how, call=call)
        raise Killed

    def _fetch(self, names: Sequence[str]) -> dict[str, str]:
        if self._world.weather.at(self._world.clock(), PARAMETERS):
            raise ParametersUnavailable("the Parameter Store cannot be read: ThrottlingException")
        known = self._world.parameters()
        return {name: known[name[3:]] for name in names if name[3:] in known}


class Functions:
    """The functions and their warm processes."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._warm: defaultdict[str, list[Process]] = defaultdict(list)
        self._invocations: defaultdict[str, int] = defaultdict(int)
        self._started = 0
        self.running = 0

    def _start(self) -> Process:
        self._started += 1
        return Process(self._world, self._started)

    def invoke(
        self, function: str, work: Callable[[Process], object], then: Callable[[Outcome], None] = lambda _: None
    ) -> str:
        """Begins an invocation, and gives its name. then: is told how it ends."""
        world = self._world
        warm = self._warm[function]
        process = warm.pop() if warm and not world.is_cold() else self._start()
        self._invocations[function] += 1
        name = f"{function}/{self._invocations[function]}"
        kill = world.next_kill(function)
        self.running += 1

        def run() -> None:
            process.begin(name, TIMEOUTS[function], kill)
            world.note(name, "begins")
            try:
                outcome = Outcome("returned", work(process))
            except Killed:
                outcome = Outcome("killed")
            except Exception as error:
                outcome = Outcome("raised", error)
                world.note(name, "raised", error=f"{type(error).__name__}: {error}")
            if not process.is_dead:
                warm.append(process)
            self.running -= 1
            world.note(name, "ends", how=outcome.how, timeout=TIMEOUTS[function], process=process.number)
            then(outcome)

        world.clock.after(0.0, lambda: world.clock.start(run))
        return name
