"""Live messages: how a message joins the one of its key, and how that one is claimed to be shown."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timezone

from ..contract.message import Message
from ..contract.reading import Reading
from ..errors import TableUnavailable
from ..outbox import states
from ..outbox.live import MAX_ESCALATIONS, Showing, Signed, Wanted
from ..outbox.row import Key, Row
from ..outbox.states import Change, Content, Lease
from ..outbox.table import NotApplied, Outbox
from ..settings import Parameters
from ..telegram.buttons import Button, Rows, sign
from ..telegram.delivery import Progress
from ..telegram.live import LiveDelivery
from .notes import Notes
from .outcome import Claim, Joined

EDIT_SECONDS = 2.0  # between two edits of one message
SNOOZE_SECONDS = 3600.0
ACKNOWLEDGE, SNOOZE = "ack", "snooze"  # the actions of its buttons
_MARK_CHARACTERS = 12
MAX_TRIES = 50  # to change a row that others change at the same time


class Live:
    """The live messages in ``outbox``. parameters: have the secret that signs buttons. clock: epoch seconds."""

    def __init__(self, outbox: Outbox, notes: Notes, parameters: Parameters, *, clock: Callable[[], float]) -> None:
        self._outbox = outbox
        self._notes = notes
        self._parameters = parameters
        self._clock = clock

    def join(self, claim: Claim) -> Joined:
        """Has a claimed message join the live one of its key. Raises TableUnavailable where it perhaps did not."""
        message, now = claim.message, self._clock()
        key = Key.of_live(message.chat, str(message.collapse_key))
        shown = replace(message, id=None, deliver_at=None)
        content = Content.of(shown, now, mended=claim.delivery.progress.mended)._replace(turn=claim.row.turn_ts)
        mark = _mark(claim)
        joined = self._change(key, lambda seen, version: _joining(seen, content, message, version, mark))
        if not joined.version:  # it has joined already, before a crash, or it is superseded
            joined = joined._replace(version=joined.row.wanted.version_of(mark))
        self._notes.make(claim.key, states.join(claim.lease, key, joined.version, now=now))
        return joined

    def claim(self, row: Row, lease: Lease, reading: Reading, note: Callable[[Progress], None]) -> Claim:
        """The claim of a live message's row."""
        buttons = self._buttons(row) if reading.message.ack else ()
        return LiveClaim(row, lease, reading, note, buttons, self._clock())

    def acknowledge(self, digest: str, who: str, update_id: int) -> Joined | None:
        """Has a live message show who acknowledged it, the first of all. None if there is none to acknowledge.

        update_id: of the press; one that is told again does nothing more. Raises TableUnavailable.
        """
        return self._press(digest, update_id, acknowledged=Signed(who, self._clock()))

    def snooze(self, digest: str, who: str, update_id: int) -> Joined | None:
        """Has a live message make no sound for an hour, unless it was acknowledged. Else as ``acknowledge``."""
        return self._press(digest, update_id, snoozed=Signed(who, self._clock() + SNOOZE_SECONDS))

    def _buttons(self, row: Row) -> Rows:
        """The buttons of one that nobody has acknowledged; none while there is no webhook to hear of a press."""
        secret = self._parameters.signing_secret()
        if secret is None or row.wanted.acknowledged:
            return ()
        actions = {"Acknowledge": ACKNOWLEDGE, "Snooze 1 h": SNOOZE}
        return [[Button(text, sign(secret, action, row.key.sort)) for text, action in actions.items()]]

    def _press(self, digest: str, update_id: int, **signed: Signed) -> Joined | None:
        key, due = Key.of_digest(digest), self._clock()
        row = self._outbox.get(key)
        if row is None or row.status is None or not row.wanted.incident:
            return None

        def change(seen: Row | None, version: int) -> Change | None:
            if seen is None or seen.status is None or seen.wanted.acknowledged or seen.wanted.update == update_id:
                return None
            wanted = seen.wanted._replace(update=update_id, **signed)  # type: ignore[arg-type]
            return states.press(seen, wanted, version, due=due)

        return self._change(key, change, row)

    def _change(self, key: Key, make: Callable[[Row | None, int], Change | None], seen: Row | None = None) -> Joined:
        """Changes a row from what it was when it was seen last; ``make`` gives no change where it stays as it is."""
        for _ in range(MAX_TRIES):
            version = max(int(self._clock() * 1000), (seen.version if seen else 0) + 1)  # also after the row was gone
            change = make(seen, version)
            if change is None:
                return Joined(seen or Row({}), 0)
            try:
                return Joined(self._outbox.apply(key, change), version)
            except NotApplied as known:
                seen = known.row
        raise TableUnavailable("too many messages with one collapse_key came at once")


def _mark(claim: Claim) -> str:
    """Tells a message from all others, also from a later one with its id."""
    named = "\0".join((*claim.key, f"{claim.row.accepted_ts}"))
    return hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()[:_MARK_CHARACTERS]


def _joining(seen: Row | None, content: Content, message: Message, version: int, mark: str) -> Change | None:
    """How a message joins a live one; None if it has, or came before what is there, which has superseded it."""
    if seen is None or seen.status is None:
        return states.name_live(
            content, Wanted.of(message, version).joined_by(mark, version), version, due=content.turn
        )
    wanted, turn = seen.wanted.followed_by(message, version), max(content.turn, seen.turn_ts)
    if seen.wanted.version_of(mark) or (content.turn < turn and wanted.times == 1):
        return None
    if wanted.times > 1:  # what Telegram could not fetch stays a link: as another message it would ring each time
        links = (name for name in seen.progress.mended if name in ("photo", "document"))
        content = content._replace(mended=tuple(dict.fromkeys((*content.mended, *links))))
    wanted = wanted.joined_by(mark, version)
    due = turn if wanted.anew == version else max(turn, seen.showing.ts + EDIT_SECONDS)
    return states.take_over(seen, content._replace(turn=turn), wanted, version, due=due)


class LiveClaim(Claim):
    """A live message's row that is ours to show, as it was when it was claimed, at a time (epoch seconds)."""

    delivery: LiveDelivery

    def __init__(
        self, row: Row, lease: Lease, reading: Reading, note: Callable[[Progress], None], buttons: Rows, now: float
    ) -> None:
        message, wanted, showing = reading.message, row.wanted, row.showing
        rings = showing.escalation_ts(message, wanted)
        self._is_escalation = bool(showing.shown.parts) and rings is not None and rings <= now
        self._wanted = wanted
        self._began = now
        self._rings = rings or 0.0
        if self._is_escalation:
            message = replace(message, disable_notification=None)
        elif wanted.snoozed and now < wanted.snoozed.ts:
            message = replace(message, disable_notification=True, renotify=None, urgent=None)
        escalations = showing.escalations if wanted.incident == showing.incident else 0
        delivery = LiveDelivery(
            message,
            row.progress._replace(mended=reading.mended),
            showing.shown if row.unnoted <= 1 else showing.shown.unsure,
            anew=max(wanted.anew, showing.shown.anew + self._is_escalation),
            replaces=bool(wanted.replaces) and not self._is_escalation,
            below="\n".join(_lines(wanted, row.turn_ts, escalations + self._is_escalation, now)),
            note=note,
            buttons=buttons,
        )
        super().__init__(row.key, row, lease, delivery)

    @property
    def turn_ts(self) -> float:
        """What is owed may be younger than the last message: what a button did, or to be sent again."""
        return max(self.row.turn_ts, self.row.version / 1000, self._rings if self._is_escalation else 0.0)

    def noted(self, until: float) -> Change:
        return states.part_shown(Lease(self.lease.id, until), self.delivery.progress, self._showing)

    def sent(self, now: float) -> Sequence[Change]:
        progress, version = self.delivery.progress, self.row.version
        showing = self.row.showing.followed_by(
            self.delivery.shown, self._wanted, version, now, is_escalation=self._is_escalation
        )
        due = showing.escalation_ts(self.message, self._wanted)
        return [
            states.shown(self.lease, version, progress, showing, now=now, due=due),
            # Other words came meanwhile: they are shown after these, which nobody has to show, or to ring, once more.
            states.not_shown(self.lease, progress, showing, due=now + EDIT_SECONDS),
        ]

    def failed(self, now: float, reason: str) -> Sequence[Change]:
        progress, showing = self.delivery.progress, self._showing
        return [
            states.not_to_be_shown(self.lease, self.row.version, progress, showing, now=now, error=reason),
            states.not_shown(self.lease, progress, showing, due=now, error=reason),
        ]

    def put_back(self, due: float | None, *, is_failure: bool, failing_since: float | None) -> Sequence[Change]:
        trouble = self._trouble(is_failure, failing_since)
        back = due or self.turn_ts
        return [states.not_shown(self.lease, self.delivery.progress, self._showing, due=back, **trouble)]

    @property
    def _showing(self) -> Showing:
        """What is shown so far; what was sent anew in part has rung, and does so no more when it goes on."""
        before, shown = self.row.showing, self.delivery.shown
        if shown.anew == before.shown.anew:
            return before._replace(shown=shown)
        return before._replace(shown=shown, rung_ts=self._began, escalations=before.escalations + self._is_escalation)


def _lines(wanted: Wanted, last_ts: float, escalations: int, now: float) -> list[str]:
    """What stands below the words of a live message at a time (epoch seconds)."""
    lines = [f"×{wanted.times}, last at {time_of_day(last_ts)}"] if wanted.times > 1 else []
    if wanted.acknowledged:
        lines.append(f"✅ {wanted.acknowledged.who}, {time_of_day(wanted.acknowledged.ts)}")
    elif wanted.snoozed and now < wanted.snoozed.ts:
        lines.append(f"💤 {wanted.snoozed.who}, until {time_of_day(wanted.snoozed.ts)}")
    elif escalations:
        lines.append(f"🔔 not acknowledged, {escalations} of {MAX_ESCALATIONS}")
    return lines


def time_of_day(ts: float) -> str:
    """A time (epoch seconds) for people, such as ``10:05 UTC``."""
    return datetime.fromtimestamp(ts, timezone.utc).strftime("%H:%M UTC")
