"""What the row of a live message holds: what is wanted in its chat, and what is shown there. Pure.

Who accepts a message changes what is wanted, and with it the row's ``Version``; who holds the lease changes what is
shown. So the two never write over each other, and words that come while others are sent are shown after them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..contract.message import Message
from ..telegram.live import Shown, ShownPart

MAX_ESCALATIONS = 3
MAX_JOINED = 20  # messages that a row remembers; one that a crash had come again may be older only where many came
FLAPPING_MILLISECONDS = 300_000  # after a sound, in which an alarm that was over makes none when it is back


class Signed(NamedTuple):
    """Who pressed a button, and a time that goes with it, in epoch seconds."""

    who: str
    ts: float


class Wanted(NamedTuple):
    """What the chat is to show of a live message, beside the words of the last one.

    words: a digest of them. times: how often they came in a row. anew: the version with which it was to be sent anew.
    incident: the version since which acknowledgement is asked for. acknowledged: by whom, and when. snoozed: by whom,
    and until when. update: the last of Telegram's updates that changed this. joined: the marks of the last messages
    that joined, and the versions with which they did: one that comes again after a crash is not counted twice.
    rang: the version of the last message that was to have a sound. calm: whether the last one asked for none. replaces:
    whether the message before goes when this one is sent anew.
    """

    words: str
    times: int = 1
    anew: int = 0
    incident: int = 0
    acknowledged: Signed | None = None
    snoozed: Signed | None = None
    update: int = 0
    rang: int = 0
    calm: int = 0
    replaces: int = 0
    joined: tuple[tuple[str, int], ...] = ()

    def followed_by(self, message: Message, version: int) -> Wanted:
        """What is wanted once a message came, with which the row has this version (in milliseconds).

        One that wants a sound after one that wanted none is news, which nobody would see in an old message: it is sent
        anew, below an alarm that was over, or in the place of what only said that something began.
        """
        first = Wanted.of(message, version)
        if not first.anew and self.calm and not first.calm and version >= self.rang + FLAPPING_MILLISECONDS:
            first = first._replace(anew=version, replaces=int(not self.rang))
        if not first.anew:
            first = first._replace(anew=self.anew, replaces=self.replaces, rang=self.rang)
        if first.anew != version and first.words == self.words:
            first = first._replace(times=self.times + 1)
        if message.ack and self.incident:
            first = first._replace(snoozed=self.snoozed)
        if message.ack and self.incident and first.anew != version:  # what is sent anew is to be acknowledged anew
            first = first._replace(incident=self.incident, acknowledged=self.acknowledged)
        return first._replace(update=self.update, joined=self.joined)

    def joined_by(self, mark: str, version: int) -> Wanted:
        """The same, with the mark of a message that joined with a version."""
        return self._replace(joined=(*self.joined, (mark, version))[-MAX_JOINED:])

    def version_of(self, mark: str) -> int:
        """With which version a message joined; 0 if it did not, or long ago."""
        return dict(self.joined).get(mark, 0)

    @classmethod
    def of(cls, message: Message, version: int) -> Wanted:
        """What is wanted with the first message of a key."""
        digest = hashlib.sha256(json.dumps([message.text, message.photo, message.document]).encode()).hexdigest()
        calm = bool(message.disable_notification)
        return cls(
            digest[:32],
            anew=version if message.renotify else 0,
            incident=version if message.ack else 0,
            rang=0 if calm else version,
            calm=int(calm),
        )

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Wanted:
        """Raises LookupError, TypeError or ValueError where it is none."""
        signed = {name: Signed(str(kept[name][0]), float(kept[name][1])) for name in _SIGNED if kept.get(name)}
        numbers = {name: int(kept.get(name, 0)) for name in _NUMBERS}
        joined = tuple((str(mark), int(version)) for mark, version in kept.get("joined", ()))
        return cls(str(kept["words"]), **numbers, **signed, joined=joined)  # type: ignore[arg-type]


_SIGNED = ("acknowledged", "snoozed")
_NUMBERS = ("times", "anew", "incident", "update", "rang", "calm", "replaces")


class Showing(NamedTuple):
    """What the chat shows of a live message.

    version: the last one that was shown whole. ts: when. incident: as in Wanted, of that version. rung_ts: when it last
    came with a sound. escalations: how often it was sent again, as nobody acknowledged it.
    """

    shown: Shown = Shown()
    version: int = 0
    ts: float = 0.0
    incident: int = 0
    rung_ts: float = 0.0
    escalations: int = 0

    def followed_by(self, shown: Shown, wanted: Wanted, version: int, now: float, *, is_escalation: bool) -> Showing:
        """What is shown once a version is shown whole, at a time (epoch seconds)."""
        is_same = wanted.incident == self.incident
        has_rung = is_escalation or not self.shown.parts or shown.anew != self.shown.anew or not is_same
        return Showing(
            shown,
            version,
            now,
            wanted.incident,
            now if has_rung else self.rung_ts,
            (self.escalations if is_same else 0) + is_escalation,
        )

    def escalation_ts(self, message: Message, wanted: Wanted) -> float | None:
        """When it is to be sent again, unless somebody acknowledges it; None if it is not."""
        is_over = wanted.incident != self.incident or wanted.acknowledged or self.escalations >= MAX_ESCALATIONS
        if message.escalate_after is None or is_over:
            return None
        return max(self.rung_ts + message.escalate_after, wanted.snoozed.ts if wanted.snoozed else 0.0)

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Showing:
        """Raises LookupError, TypeError or ValueError where it is none."""
        parts, stale, replaced, anew = kept["shown"]
        shown = Shown(
            tuple(ShownPart(int(id), str(shape), str(digest), acts is True) for id, shape, digest, acts in parts),
            tuple(map(int, stale)),
            tuple(map(int, replaced)),
            int(anew),
        )
        return cls(
            shown,
            int(kept["version"]),
            float(kept["ts"]),
            int(kept["incident"]),
            float(kept["rung_ts"]),
            int(kept["escalations"]),
        )
