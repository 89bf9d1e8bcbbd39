"""A live message on its way: the chat is edited until it shows what is wanted.

It goes by what is there, and not by what was done: each part that differs is edited, sent or deleted. So a delivery
that broke off goes on in another process, and an edit whose answer was lost is made once more and doubles nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from ..contract.message import Message
from ..errors import MessageGone, NotModified, Refused
from .bot_api import Sender
from .buttons import Rows
from .delivery import Delivery, Progress, read_message_id
from .rendering import Part

_DIGEST_CHARACTERS = 16
# What an edit takes of the fields of a part; the others are of the message as it was sent.
_EDITED = ("text", "caption", "parse_mode", "link_preview_options", "reply_markup")


class ShownPart(NamedTuple):
    """A message in the chat.

    shape: what no edit changes, such as its photo. digest: of its words and buttons; empty where nobody knows them.
    acts: whether it has buttons that act.
    """

    message_id: int
    shape: str
    digest: str
    acts: bool = False


class Shown(NamedTuple):
    """What the chat has of a live message.

    stale: the ids of those that are still to be deleted. replaced: of those that stay, and lose their buttons. anew:
    the version with which it was last sent anew.
    """

    parts: tuple[ShownPart, ...] = ()
    stale: tuple[int, ...] = ()
    replaced: tuple[int, ...] = ()
    anew: int = 0

    @property
    def unsure(self) -> Shown:
        """The same messages, but nobody knows their words."""
        return self._replace(parts=tuple(part._replace(digest="") for part in self.parts))


class LiveDelivery(Delivery):
    """Shows a live message; ``shown`` tells what the chat has of it, also after an error.

    anew: the version with which it is to be sent anew: as a reply to the old one, or instead of it, which ``replaces``
    tells. below: a text to stand below the words. note: called before a part where one before it was changed. buttons:
    as in Delivery.
    """

    def __init__(
        self,
        message: Message,
        progress: Progress,
        shown: Shown,
        *,
        anew: int = 0,
        replaces: bool = False,
        below: str = "",
        note: Callable[[Progress], None] | None = None,
        buttons: Rows = (),
    ) -> None:
        super().__init__(message, progress, note=note, buttons=buttons)
        self.shown = shown
        self._anew = anew
        self._replaces = replaces
        self._below = below

    def run(self, sender: Sender, chat_id: int) -> None:
        """Shows what is not shown yet. Raises Refused or Unavailable."""
        number, parts, noted = 0, self._parts(), self.shown
        while number < len(parts):
            if number and self._note and self.shown != noted:
                self._note(self.progress)
                noted = self.shown
            try:
                self._show(sender, chat_id, number, parts[number])
            except MessageGone:
                if number >= len(self.shown.parts):  # said of one that was sent: once more would be for ever
                    raise
                self._leave(0)
                number = 0
            except Refused as refusal:
                if not self._mend(refusal, number):
                    raise
                parts = self._parts()
            else:
                number += 1
        self._leave(len(parts))
        for method, name in (("editMessageReplyMarkup", "replaced"), ("deleteMessage", "stale")):
            while ids := getattr(self.shown, name):
                with suppress(Refused):  # it is gone, or too old to be deleted
                    sender.call(method, {"chat_id": self.migrated_to or chat_id, "message_id": ids[0]})
                self.shown = self.shown._replace(**{name: ids[1:]})

    def _show(self, sender: Sender, chat_id: int, number: int, part: Part) -> None:
        """Has the chat show a part. Raises MessageGone where all parts are to be sent once more."""
        fields, parts = self._fields(part, chat_id), self.shown.parts
        shape, digest = _shape(part), _digest({name: fields[name] for name in _EDITED if name in fields})
        acts = bool(self.buttons) and "reply_markup" in fields
        is_renewed = self.shown.anew < self._anew
        if number == len(parts) or is_renewed:
            if is_renewed and parts and not self._replaces:
                fields["reply_parameters"] = {"message_id": parts[0].message_id, "allow_sending_without_reply": True}
            if number:  # it may be one that an edit adds; and the first has the sound of all
                fields["disable_notification"] = True
            answer = sender.call(part.method, fields, part.file)
            sent, before = ShownPart(read_message_id(answer), shape, digest, acts), self.shown
            if is_renewed and self._replaces:
                self._leave(0)
                self.shown = self.shown._replace(parts=(sent,), anew=self._anew)
            elif is_renewed:
                replaced = (*before.replaced, *(part.message_id for part in parts if part.acts))
                self.shown = before._replace(parts=(sent,), replaced=replaced, anew=self._anew)
            else:
                self.shown = before._replace(parts=(*parts, sent))
        elif parts[number].shape != shape:
            raise MessageGone("a message of another kind takes its place")
        elif parts[number].digest == digest:
            answer = None
        else:
            # Who does not hear the answer does not know what is there.
            self._note_words(number, "", acts=acts or parts[number].acts)
            answer = self._edit(sender, parts[number].message_id, part, fields)
            self._note_words(number, digest, acts=acts)
        self.progress = self.progress._replace(
            message_ids=tuple(part.message_id for part in self.shown.parts),
            answer=answer if number == 0 and isinstance(answer, dict) else self.progress.answer,
        )

    def _edit(self, sender: Sender, message_id: int, part: Part, fields: dict[str, object]) -> Any:
        method = "editMessageText" if part.method == "sendMessage" else "editMessageCaption"
        kept = {name: fields[name] for name in ("chat_id", *_EDITED) if name in fields}
        try:
            return sender.call(method, {**kept, "message_id": message_id})
        except NotModified:
            return None

    def _note_words(self, number: int, digest: str, *, acts: bool) -> None:
        parts = self.shown.parts
        noted = parts[number]._replace(digest=digest, acts=acts)
        self.shown = self.shown._replace(parts=(*parts[:number], noted, *parts[number + 1 :]))

    def _leave(self, count: int) -> None:
        """Has all parts after so many be deleted, once the others are shown."""
        parts = self.shown.parts
        stale = tuple(part.message_id for part in parts[count:])
        self.shown = self.shown._replace(parts=parts[:count], stale=(*self.shown.stale, *stale))
        self.progress = self.progress._replace(message_ids=tuple(part.message_id for part in self.shown.parts))


def _shape(part: Part) -> str:
    """What no edit changes: a text, which photo or document, or which file."""
    media = part.fields.get("photo") or part.fields.get("document") or (part.file and part.file[1].hex())
    return part.method if media is None else f"{part.method} {_digest(media)}"


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:_DIGEST_CHARACTERS]
