"""What all Botte clients have in common: ``send_message``, its results and its errors.

::

    InvalidMessage (a ValueError)   the message has to be changed: ``field`` is at fault, ``reason`` says why
    BotteError
    ├── AuthenticationError         the token, or the AWS credentials and their permissions, have to be put right
    ├── NotFound                    the address has to be put right; or no message is kept under the id
    ├── Refused                     Telegram will never take this message
    └── Unavailable                 send the message again later, with ``id=error.id``: so it cannot arrive twice
"""

from __future__ import annotations

import json
import os
import random
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from .._contract.message import FIELDS, InvalidMessage, Message, check_size

_Self = TypeVar("_Self", bound="Client")


@dataclass(frozen=True)
class Delivered:
    """Telegram has the message. message: its ``Message`` object, with ``message_ids`` where the text was split."""

    message_id: int
    message: Mapping[str, Any]


@dataclass(frozen=True)
class Accepted:
    """Botte has the message, and will deliver it; ``id`` asks for its status."""

    id: str


@dataclass(frozen=True)
class Status:
    """What became of a message.

    status: ``PENDING``, ``SENDING``, ``SENT`` or ``FAILED``. message_ids: Telegram's, as far as it is sent.
    due_at: from when on it is tried (again), in epoch seconds; a time that has passed, if its chat has to wait.
    None when that is over, and while it waits behind others of its group.
    """

    id: str
    status: str
    attempts: int
    message_ids: tuple[int, ...]
    last_error: str | None
    due_at: float | None


class BotteError(Exception):
    """Whatever keeps a valid message from being accepted; the text says what to do.

    id: the message's, also where it was made for it. unsent: of a batch, what is to be sent again, each with its id.
    """

    id: str | None = None
    unsent: tuple[Message, ...] = ()


class AuthenticationError(BotteError):
    """The token, or the AWS credentials, are missing or not allowed to do this."""


class NotFound(BotteError):
    """Nothing answers to this address, or no message is kept under this id."""


class Refused(BotteError):
    """Telegram refused the message, and would again; ``reason`` is its description."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Telegram refused the message for good: {reason}. Change it, and send it with a new id.")
        self.reason = reason


class Unavailable(BotteError):
    """Not accepted as far as anybody knows; ``retry_after`` is in seconds, None where nobody said."""

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after

    def __str__(self) -> str:
        again = f"Send it again later, with the id {self.id}" if self.id else "Try again later"
        return f"{super().__str__()}. {'Send what is unsent again later' if self.unsent else again}."


class Client(ABC):
    """A context manager; may be used by several threads at once."""

    @abstractmethod
    def send_message(
        self,
        text: str | None = None,
        *,
        sender_app: str | None = None,
        id: str | None = None,
        chat: str | None = None,
        parse_mode: Literal["HTML", "MarkdownV2"] | None = None,
        disable_notification: bool | None = None,
        protect_content: bool | None = None,
        message_thread_id: int | None = None,
        link_preview_options: Mapping[str, object] | None = None,
        reply_markup: Mapping[str, object] | None = None,
        photo: str | None = None,
        document: str | None = None,
        deliver_at: int | None = None,
        collapse_key: str | None = None,
        renotify: bool | None = None,
        ack: bool | None = None,
        escalate_after: int | None = None,
        urgent: bool | None = None,
    ) -> Delivered | Accepted:
        """Sends a message; the names that Telegram knows mean what they mean in its Bot API.

        text: at most 256 KiB; may be left out with a ``photo`` or a ``document``.
        sender_app: who sends: for Botte's logs, mutes and topics; cut to 64 characters.
        id: idempotency key, 1 to 255 visible ASCII characters: the same id is delivered once. Made if not given.
        chat: the name of one of Botte's chats.
        parse_mode: markup that Telegram refuses is delivered as plain text.
        reply_markup: an inline keyboard with ``url`` buttons.
        photo, document: public https URL, for Telegram to fetch; ``text`` is its caption.
        deliver_at: not before this time, in epoch seconds, at most 30 days ahead.
        collapse_key: names a live message: the next one with this key edits the one in the chat.
        renotify: with ``collapse_key``: a new message with a sound, as a reply to the old one, instead of an edit.
        ack: with ``collapse_key``: buttons to acknowledge the message, or to snooze it for an hour.
        escalate_after: with ``ack``: seconds after which it is sent again, with a sound, unless it was acknowledged.
        urgent: with a sound also in the quiet hours of its chat, and while its sender is muted.

        Raises InvalidMessage, before anything leaves the machine where that can be told there, and BotteError.
        """

    @abstractmethod
    def send_heartbeat(
        self, name: str, *, every: int | str, chat: str | None = None, sender_app: str | None = None
    ) -> float | None:
        """Says that something is alive. If it does not say so again in time, Botte tells the chat; and when it is back.

        name: of what is alive, 1 to 64 visible ASCII characters.
        every: in so many seconds the next one comes; also a text such as ``90m``, ``26h`` or ``2d``.
        chat, sender_app: as of a message; it is the chat that is told.
        Returns when the next one is due at the latest, in epoch seconds; None where nobody answers that.

        It has no id: one that is sent again does no harm. Raises InvalidMessage, and BotteError.
        """

    @abstractmethod
    def close(self) -> None:
        """Closes the connections."""

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def make_message(given: Mapping[str, Any], spare_id: str | None = None) -> Message:
    """The message that the arguments of ``send_message`` make, always with an id. Raises InvalidMessage."""
    fields = {name: given[name] for name in FIELDS if given.get(name) is not None}
    if "heartbeat" in fields:
        raise InvalidMessage("heartbeat", "is sent by send_heartbeat, as it has no id")
    message = Message.from_fields({"id": spare_id or str(uuid.uuid4()), **fields}, now=time.time())
    check_size(to_json(message))
    return message


def make_heartbeat(name: str, every: int | str, chat: str | None, sender_app: str | None) -> Message:
    """The message that the arguments of ``send_heartbeat`` make. Raises InvalidMessage."""
    fields = {"heartbeat": name, "every": every, "chat": chat, "sender_app": sender_app}
    return Message.from_fields(fields, now=time.time())


def check_id(id: str) -> None:
    """Raises InvalidMessage for what cannot be the id of a message."""
    Message(text="-", id=id)


def to_json(message: Message) -> str:
    return json.dumps(message.to_fields(), ensure_ascii=False, separators=(",", ":"))


@contextmanager
def naming(message: Message) -> Iterator[None]:
    """Tells who catches an error the id with which the message can be sent again."""
    try:
        yield
    except BotteError as error:
        error.id = message.id
        raise


def read_invalid(text: str) -> InvalidMessage:
    """The error that Botte words as ``field: reason``."""
    field, colon, reason = text.partition(": ")
    return InvalidMessage(field, reason) if colon else InvalidMessage("body", text)


def address(what: str, given: str | None, variable: str) -> str:
    """What was given, else the environment's. Raises NotFound."""
    found = given or os.environ.get(variable)
    if not found:
        raise NotFound(f"{what} is missing: pass it, or set {variable}")
    return found


def pause(attempt: int, first: float, longest: float) -> float:
    """Seconds to wait after an attempt (0 is the first one): doubling, with jitter."""
    return min(longest, first * 2.0 ** min(attempt, 16)) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
