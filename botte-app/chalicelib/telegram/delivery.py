"""One message on its way: its parts, one after the other, and what Telegram wants mended on the way.

A delivery can stop at any part and go on from there later, in another process: that is what :class:`Progress` is for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ..contract.message import Message
from ..errors import (
    Ambiguous,
    ChatMigrated,
    KeyboardRefused,
    MarkupRefused,
    MediaNotFetched,
    Refused,
    ThreadNotFound,
)
from .bot_api import Sender
from .rendering import Part, render

if TYPE_CHECKING:
    from .buttons import Rows

MAX_MESSAGE_ID = 2**53


class Progress(NamedTuple):
    """How far a message has come.

    message_ids: of the parts that Telegram took. answer: Telegram's ``Message`` for the first of them.
    mended: the fields that were changed or left out, when the message was read or for Telegram to take it.
    plain_from: the part from which the text goes as plain text, after Telegram refused its markup.
    """

    message_ids: tuple[int, ...] = ()
    answer: Mapping[str, Any] | None = None
    mended: tuple[str, ...] = ()
    plain_from: int | None = None

    @property
    def result(self) -> dict[str, Any]:
        """What a caller is told: the first part's ``Message``, with all ``message_ids`` and what was mended."""
        result = dict(self.answer or {})
        if len(self.message_ids) > 1:
            result["message_ids"] = list(self.message_ids)
        if self.mended:
            result["botte"] = {"mended": list(self.mended)}
        return result


NO_PROGRESS = Progress()


class Delivery:
    """Sends a message, part by part; ``progress`` tells how far it has come, also after an error.

    note: called with the progress after each part but the last, before the next one is sent.
    buttons: stand below the last part, under the message's own keyboard, also where that goes as links.
    migrated_to: the new chat id, once Telegram said that the group became a supergroup.
    is_silent: whether it makes no sound, though the message does not say so.
    thread_id: the topic in which it appears, where the message names none.
    """

    def __init__(
        self,
        message: Message,
        progress: Progress = NO_PROGRESS,
        *,
        note: Callable[[Progress], None] | None = None,
        buttons: Rows = (),
    ) -> None:
        self.message = message
        self.progress = progress
        self.buttons = buttons
        self.migrated_to: int | None = None
        self.is_silent = False
        self.thread_id: int | None = None
        self._note = note
        self._below = ""

    def run(self, sender: Sender, chat_id: int) -> None:
        """Sends what has not been sent yet. Raises Refused or Unavailable."""
        parts = self._parts()
        while len(self.progress.message_ids) < len(parts):
            part = parts[len(self.progress.message_ids)]
            try:
                answer = sender.call(part.method, self._fields(part, chat_id), part.file)
            except Refused as refusal:
                if not self._mend(refusal, len(self.progress.message_ids)):
                    raise
                parts = self._parts()
                continue
            self.progress = self.progress._replace(
                message_ids=(*self.progress.message_ids, read_message_id(answer)),
                answer=self.progress.answer or answer,
            )
            if self._note and len(self.progress.message_ids) < len(parts):
                self._note(self.progress)

    def send_media_as_link(self) -> None:
        """Has a photo or document go as a link, from now on."""
        field = "photo" if self.message.photo else "document"
        if getattr(self.message, field) and field not in self.progress.mended and not self.progress.message_ids:
            self.progress = self.progress._replace(mended=(*self.progress.mended, field))

    def _parts(self) -> tuple[Part, ...]:
        mended = self.progress.mended
        parts = render(
            self.message,
            plain_from=self.progress.plain_from,
            media_as_link=("photo" if self.message.photo else "document") in mended,
            buttons_as_links="reply_markup" in mended,
            below=self._below,
        )
        if self.message.parse_mode and "parse_mode" not in mended and not all(map(_keeps_markup, parts)):
            self.progress = self.progress._replace(mended=(*mended, "parse_mode"))
        if self.buttons:
            from .buttons import keyboard  # most messages have none: it stays out of the cold start

            *before, last = parts
            own: Any = last.fields.get("reply_markup")
            parts = (*before, last._replace(fields={**last.fields, "reply_markup": keyboard(self.buttons, own)}))
        return parts

    def _fields(self, part: Part, chat_id: int) -> dict[str, object]:
        fields = {"chat_id": self.migrated_to or chat_id, **part.fields}
        if "message_thread_id" in self.progress.mended:
            fields.pop("message_thread_id", None)
        if self.thread_id is not None:
            fields["message_thread_id"] = self.thread_id
        if self.is_silent:
            fields["disable_notification"] = True
        return fields

    def _mend(self, refusal: Refused, number: int) -> bool:
        """Notes what to send otherwise, from a part on; False if that was tried already, or nothing can be done."""
        message = self.message
        match refusal:
            case MarkupRefused() if message.parse_mode:
                field = "parse_mode"
            case KeyboardRefused() if message.reply_markup:
                field = "reply_markup"
            case ThreadNotFound() if message.message_thread_id:
                field = "message_thread_id"
            case MediaNotFetched() if message.photo or message.document:
                field = "photo" if message.photo else "document"
            case ChatMigrated() if self.migrated_to is None:
                self.migrated_to = refusal.chat_id
                if "chat" in self.progress.mended:  # by an earlier process, which knew the new id
                    return True
                field = "chat"
            case _:
                return False
        if field in self.progress.mended:
            return False
        self.progress = self.progress._replace(mended=(*self.progress.mended, field))
        if field == "parse_mode":
            self.progress = self.progress._replace(plain_from=number)
        return True


def _keeps_markup(part: Part) -> bool:
    """Whether a part shows the markup of its text, where it has one."""
    return "parse_mode" in part.fields or not {"text", "caption"} & part.fields.keys()


def read_message_id(answer: Any) -> int:
    """The id in Telegram's answer to a send. Raises Ambiguous where it has none."""
    found = answer.get("message_id") if isinstance(answer, Mapping) else None
    if not isinstance(found, int) or not 0 < found <= MAX_MESSAGE_ID:
        raise Ambiguous("Telegram's answer is not a message")
    return found
