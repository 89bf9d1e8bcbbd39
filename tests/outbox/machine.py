"""Events, crashes and faults as rules, and what has to hold after each of them and at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.outbox.memory_table import MemoryTable
from tests.outbox.steps import Crash, Steps
from tests.outbox.world import Process, World, doubled, first_arrivals, image, queued

Item = dict[str, Any]

CRASHES = st.none() | st.tuples(st.integers(0, 8), st.sampled_from(["before", "after"]))
SCRIPTS = st.lists(st.sampled_from(["ok", "down", "wait", "lost", "cut"]), max_size=4)
GROUPS = st.sampled_from(["a", "b"])


class Machine(RuleBasedStateMachine):
    """The four doors and the schedule, with what a correct relay makes of them."""

    client: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.client or MemoryTable(), "botte-local-tasks")
        self.number = 0
        self.crashes = 0
        self.expected: list[str] = []
        self.put: list[Item] = []
        self.queued: list[Item] = []
        self.unsettled: dict[str, list[Item]] = {"a": [], "b": []}
        self.unanswered: list[dict[str, object]] = []
        self.answered: list[dict[str, object]] = []

    def text(self, group: str) -> str:
        """A new text; those of a group sort in the order they were made."""
        self.number += 1
        return f"{group} {self.number:04d}"

    def run(self, act: Callable[[Process], object], crash: Any = None, steps: Steps | None = None) -> bool:
        """Runs an event in a new process; False if that died."""
        try:
            act(self.world.process(steps or Steps(crash_at=crash)))
        except Crash:
            self.crashes += 1
            return False
        return True

    @rule(
        group=st.sampled_from(["a", "a", "b", None]), good=st.lists(st.integers(0, 3).map(bool), min_size=1, max_size=4)
    )
    def put_items(self, group: str | None, good: Sequence[bool]) -> None:
        """One after the other; some of them are bad input."""
        for is_good in good:
            text = self.text(f"stream {group}")
            item = image(text if is_good else "", text, group)
            self.world.put(item)
            self.put.append(item)
            if is_good:
                self.expected.append(text)

    @precondition(lambda self: self.answered)
    @rule(group=GROUPS, data=st.data(), same=st.booleans())
    def put_item_with_known_id(self, group: str, data: st.DataObject, same: bool) -> None:
        """The same message is not sent again, and another one with its id is bad input."""
        known = data.draw(st.sampled_from(self.answered))
        text = self.text(f"stream {group}")
        item = image(str(known["text"]) if same else text, text, group, id=known["id"])
        self.world.put(item)
        self.put.append(item)

    @precondition(lambda self: self.put)
    @rule(data=st.data(), crash=CRASHES)
    def deliver_stream(self, data: st.DataObject, crash: Any) -> None:
        """Some records, in any order, some of them again."""
        batch = data.draw(st.lists(st.sampled_from(self.put), min_size=1, max_size=4))
        self.run(lambda process: process.stream(*batch), crash)

    @precondition(lambda self: self.put)
    @rule(data=st.data(), pause_at=st.integers(0, 8), crash=CRASHES)
    def deliver_stream_while_another_does(self, data: st.DataObject, pause_at: int, crash: Any) -> None:
        one, other = (data.draw(st.lists(st.sampled_from(self.put), min_size=1, max_size=3)) for _ in range(2))
        self.interleave(lambda process: process.stream(*one), lambda process: process.stream(*other), pause_at, crash)

    @rule()
    def send_to_queue(self) -> None:
        text = self.text("queue")
        self.expected.append(text)
        self.queued.append(queued(text, self.number))

    @precondition(lambda self: self.queued)
    @rule(data=st.data(), crash=CRASHES, again=st.booleans())
    def deliver_queue(self, data: st.DataObject, crash: Any, again: bool) -> None:
        batch = data.draw(st.lists(st.sampled_from(self.queued), min_size=1, max_size=4, unique_by=id))
        if self.run(lambda process: process.queue(*batch), crash) and not again:
            self.queued = [record for record in self.queued if record not in batch]

    @rule(group=GROUPS)
    def send_to_fifo_queue(self, group: str) -> None:
        text = self.text(f"fifo {group}")
        self.expected.append(text)
        self.unsettled[group].append(queued(text, self.number, group))

    @rule(group=GROUPS, size=st.integers(1, 3), crash=CRASHES)
    def deliver_fifo_queue(self, group: str, size: int, crash: Any) -> None:
        batch = self.unsettled[group][:size]
        if self.run(lambda process: process.queue(*batch), crash):
            del self.unsettled[group][:size]

    @rule(crash=CRASHES)
    def post(self, crash: Any) -> None:
        text = self.text("http")
        self.expected.append(text)
        self.try_to_post({"text": text, "id": f"id-{self.number}"}, crash)

    @precondition(lambda self: self.unanswered)
    @rule(crash=CRASHES)
    def post_again(self, crash: Any) -> None:
        self.try_to_post(self.unanswered.pop(0), crash)

    def try_to_post(self, message: dict[str, object], crash: Any) -> None:
        answers: list[int] = []
        if not self.run(lambda process: answers.append(process.post(message)), crash) or answers[0] == 409:
            self.unanswered.append(message)
        else:
            assert answers[0] in (200, 202)
            self.answered.append(message)

    @rule(script=SCRIPTS)
    def telegram_fails(self, script: Sequence[Any]) -> None:
        self.world.telegram.script.extend(script)

    @rule(seconds=st.sampled_from([1, 10, 61, 1000]))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.sleep(seconds)

    @rule(crash=CRASHES)
    def redeliver(self, crash: Any) -> None:
        self.run(Process.redeliver, crash)

    @rule(pause_at=st.integers(0, 12), crash=CRASHES)
    def redeliver_twice_at_once(self, pause_at: int, crash: Any) -> None:
        self.interleave(Process.redeliver, Process.redeliver, pause_at, crash)

    @precondition(lambda self: self.put)
    @rule(data=st.data(), pause_at=st.integers(0, 12), crash=CRASHES)
    def redeliver_while_a_record_comes(self, data: st.DataObject, pause_at: int, crash: Any) -> None:
        item = data.draw(st.sampled_from(self.put))
        self.interleave(Process.redeliver, lambda process: process.stream(item), pause_at, crash)

    def interleave(
        self, one: Callable[[Process], object], other: Callable[[Process], object], at: int, crash: Any
    ) -> None:
        def meanwhile() -> None:
            self.run(other, crash)

        self.run(one, steps=Steps(pause_at=at, meanwhile=meanwhile))

    @invariant()
    def rows_say_what_they_owe(self) -> None:
        for row in self.world.rows():
            status = row.get("Status", {}).get("S")
            in_group = row["PK"]["S"] != f"BOTTE_MESSAGE#{row['SK']['S']}"
            owes = status in ("PENDING", "SENDING")
            assert ("DueTs" in row) == owes, row
            assert ("UnsentSK" in row) == (owes and in_group), row

    def teardown(self) -> None:
        """All is well again: what was not acknowledged comes again, and what is owed is delivered."""
        self.world.telegram.script.clear()
        self.run(lambda process: process.stream(*self.put))
        self.run(lambda process: process.queue(*self.queued, *self.unsettled["a"], *self.unsettled["b"]))
        self.world.clock.sleep(61)
        while self.unanswered:
            self.post_again(None)
        self.world.settle()
        came = self.world.telegram.texts
        assert sorted(set(came)) == sorted(self.expected)
        assert doubled(came) <= self.crashes + self.world.telegram.ambiguous
        for group in ("stream a", "stream b", "fifo a", "fifo b"):
            arrived = [text for text in first_arrivals(came) if text.startswith(group)]
            assert arrived == sorted(arrived)
