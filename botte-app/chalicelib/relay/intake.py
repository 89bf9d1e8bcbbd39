"""Taking in what a queue door brings, where nobody waits for an answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple

from ..contract.message import InvalidMessage, Message
from ..contract.task import InvalidTask
from ..errors import Refused, TableUnavailable, Unavailable, WriteRefused
from ..outbox import states
from ..outbox.row import Key
from ..outbox.states import Content
from ..outbox.table import NotApplied, Outbox
from .attempt import Attempts
from .chats import Chats
from .entry import Entry
from .groups import Groups
from .notes import Notes
from .outcome import Accepted, Joined

MAX_CHAT_SECONDS = 5.0  # of a batch; what else it has for this chat is left to redeliver
MAX_FAILURES = 3  # entries of a batch that the outbox does not take, five seconds each; then it takes none
MAX_BATCH_SECONDS = 30.0  # the same for all chats: a function's minute has to be enough for the rest of the batch

_log = logging.getLogger("botte.relay")


class _Batch(NamedTuple):
    """What a batch has done so far.

    spent: how many seconds of it each chat has had. joined: the live messages that it has changed, and not shown.
    """

    spent: dict[str, float]
    joined: dict[Key, Joined]


class Intake:
    """Takes entries into ``outbox``, and sends at once what can be sent.

    beat: takes a heartbeat, by a deadline. clock: epoch seconds.
    """

    def __init__(
        self,
        attempts: Attempts,
        groups: Groups,
        notes: Notes,
        chats: Chats,
        outbox: Outbox,
        beat: Callable[[Message, float], object],
        *,
        clock: Callable[[], float],
    ) -> None:
        self._attempts = attempts
        self._groups = groups
        self._notes = notes
        self._chats = chats
        self._outbox = outbox
        self._beat = beat
        self._clock = clock

    def take(self, entries: Iterable[Entry], *, deadline: float) -> None:
        """Takes entries in their order; afterwards each message is sent, pending or failed in the outbox.

        deadline: epoch seconds. Raises TableUnavailable if the outbox could not take one: then the queue has to bring
        the batch again. Those of other groups were taken all the same, unless too many could not be.
        """
        batch = _Batch({}, {})
        stuck: set[str] = set()
        failures: list[TableUnavailable] = []
        try:
            for entry in entries:
                if entry.group in stuck:
                    continue
                try:
                    self._take_or_park(entry, deadline, batch)
                    entry.forget()
                except TableUnavailable as error:
                    failures.append(error)
                    if len(failures) >= MAX_FAILURES:
                        break
                    stuck.update([] if entry.group is None else [entry.group])
        finally:
            self._show(batch, deadline)
            self._notes.catch_up(deadline)
        if failures:
            raise failures[0]

    def _take_or_park(self, entry: Entry, deadline: float, batch: _Batch) -> None:
        try:
            self._take(entry, deadline, batch)
        except (InvalidMessage, InvalidTask) as error:
            self._park_raw(entry, str(error))
        except Exception as error:
            if isinstance(error, TableUnavailable) and not isinstance(error, WriteRefused):
                raise
            # A fault of ours: it would be the same the next time, and hold up everything behind it.
            _log.error("internal error while a message was taken", exc_info=True, extra={"id": entry.record.sort})
            self._park_raw(entry, "internal error")

    def _take(self, entry: Entry, deadline: float, batch: _Batch) -> None:
        """The messages of a slow chat do not wait in line."""
        now, spent = self._clock(), batch.spent
        message, mended = entry.read(now)
        content, key = Content.of(message, now, entry.sequence, mended=mended), entry.key(message.id)
        try:
            self._check_chat(message)
            if message.heartbeat is not None:
                self._beat(message, deadline)
                return
            if content.turn > now:
                self._outbox.add(key, content, states.wait)
                self._reserve_id(message.id, entry, key, content)
                return
            claim = self._attempts.claim(key, content, message)
        except NotApplied as known:
            if known.body_hash != content.body_hash:
                self._park(entry, entry.key(None), content, "id: names another message already")
            return
        except Refused as error:
            self._park(entry, key, content, error.reason)
            self._reserve_id(message.id, entry, key, content)
            return
        if not self._attempts.reserve_id(claim):
            return
        is_slow = spent.get(message.chat, 0.0) > MAX_CHAT_SECONDS or sum(spent.values()) > MAX_BATCH_SECONDS
        if (is_slow and message.collapse_key is None) or not self._groups.is_next(claim):
            self._attempts.put_back(claim)
            return
        began = self._clock()
        outcome = self._attempts.send(claim, deadline)
        if outcome is None:
            self._attempts.put_back(claim)
        elif isinstance(outcome, Joined) and not is_slow:
            batch.joined[outcome.row.key] = outcome
            if (outcome.row.due_ts or 0.0) <= self._clock():
                self._show(batch, deadline, outcome.row.key)
        spent[message.chat] = spent.get(message.chat, 0.0) + self._clock() - began

    def _show(self, batch: _Batch, deadline: float, *keys: Key) -> None:
        """Shows the live messages that are due; at the end of a batch also those whose last edit is too young."""
        ends = self._clock() + (0.0 if keys else MAX_CHAT_SECONDS)
        for key in keys or tuple(batch.joined):
            joined, patience = batch.joined[key], max(0.0, ends - self._clock())
            outcome = self._attempts.show(joined, key.sort, deadline, patience=patience)
            if not keys or not isinstance(outcome, Accepted):  # at the end, another process may be done with it
                del batch.joined[key]

    def _check_chat(self, message: Message) -> None:
        """Raises Refused for a chat that is not configured. When nobody can tell, it is looked up at the send."""
        with suppress(Unavailable):
            self._chats.id(message.chat)

    def _reserve_id(self, id: str | None, entry: Entry, key: Key, content: Content) -> None:
        if id is not None and entry.group is not None:
            with suppress(NotApplied):  # at its turn the message finds that the id names another one
                self._outbox.reserve(id, key, content)

    def _park_raw(self, entry: Entry, reason: str) -> None:
        key = entry.record.alone if entry.group is not None else entry.key(None)
        self._park(entry, key, Content.of_bad_input(entry.raw, self._clock()), reason, entry.raw)

    def _park(self, entry: Entry, key: Key, content: Content, reason: str, raw: str | None = None) -> None:
        """Keeps a message that will not be delivered: under its key, or where that is another's, its record's."""
        for place in dict.fromkeys((key, entry.record.alone)):
            try:
                self._notes.park(place, content, reason, raw)
            except NotApplied as known:
                if known.body_hash != content.body_hash:
                    continue
            return  # parked, or the same record again
