"""What can go wrong, split by what the caller does next.

::

    InvalidMessage (contract)         the sender has to change the message; names the field
    BotteError
    ├── Refused                       permanent: Telegram will never take this message
    │   ├── MarkupRefused             ... but it takes the same words as plain text
    │   ├── ThreadNotFound            ... but it takes it without the thread
    │   ├── MediaNotFetched           ... but it takes the link as text
    │   ├── KeyboardRefused           ... but it takes it without the buttons
    │   ├── NotModified               ... an edit: the chat shows just that already
    │   ├── MessageGone               ... an edit: there is no such message any more, or none that can be edited
    │   └── ChatMigrated              ... but it takes it at the supergroup's ``chat_id``
    ├── Unavailable                   transient: again later, after ``retry_after`` seconds where they are known
    │   ├── Ambiguous                 ... and it may have been delivered all the same
    │   ├── BotTokenRejected          ... once the owner has put the bot token right
    │   ├── ParametersUnavailable     ... the Parameter Store cannot be read
    │   │   └── ParameterMissing      ... or does not have the parameter
    │   └── TableUnavailable          ... a table cannot be used; what was to be written is surely not
    │       ├── TableAnswerLost       ... or perhaps it is
    │       └── WriteRefused          ... and never will be: it does not fit into the row, or into a row at all
    ├── IdReused                      the id names a message with another body
    └── MessageInFlight               the id names a message that is being sent right now

The facts behind the mapping of Telegram's answers: https://core.telegram.org/bots/api#making-requests
"""

from __future__ import annotations

import re

from .contract.message import InvalidMessage
from .contract.task import InvalidTask

__all__ = [
    "Ambiguous",
    "BotTokenRejected",
    "BotteError",
    "ChatMigrated",
    "IdReused",
    "InvalidMessage",
    "InvalidTask",
    "KeyboardRefused",
    "MarkupRefused",
    "MediaNotFetched",
    "MessageGone",
    "MessageInFlight",
    "NotModified",
    "ParameterMissing",
    "ParametersUnavailable",
    "Refused",
    "TableAnswerLost",
    "TableUnavailable",
    "ThreadNotFound",
    "Unavailable",
    "WriteRefused",
    "redact",
]

# A bot token is the bot's id, a colon and 35 characters; a part of one is hidden as well. An address or a page of HTML
# may hold it encoded, once or more. The ARN of a queue or a topic looks alike, behind what it begins with.
_BOT_TOKEN = re.compile(
    r"(\barn:aws[a-z-]*:[a-z]+:[a-z0-9-]*:[0-9]{12}:)"
    r"|(?<![0-9])[0-9]{6,}(?::|%(?:25)*3[Aa]|&#(?:58|[Xx]3[Aa]);)(?:[A-Za-z0-9_-]|%(?:25)*(?:2[Dd]|5[Ff])){16,}"
)


def redact(text: str) -> str:
    """The text with everything in it that looks like a bot token blacked out."""
    return _BOT_TOKEN.sub(lambda found: found[1] or "[bot token]", text)


class BotteError(Exception):
    """Anything that kept a message from being delivered now; its text never holds a secret."""

    def __init__(self, reason: str) -> None:
        self.reason = redact(reason)
        super().__init__(self.reason)


class Refused(BotteError):
    """Permanent: Telegram refused the message, and would again; ``reason`` is Telegram's description."""


class MarkupRefused(Refused):
    """The entities of the text cannot be parsed."""


class ThreadNotFound(Refused):
    """The chat has no such ``message_thread_id``, or the thread is closed."""


class MediaNotFetched(Refused):
    """Telegram cannot fetch the photo or the document from its URL, or cannot use what it finds there."""


class KeyboardRefused(Refused):
    """A button of the keyboard is not to Telegram's liking, such as one with an address in the local network."""


class NotModified(Refused):
    """The message is as the edit would make it."""


class MessageGone(Refused):
    """The message cannot be edited: it was deleted, or it is of another kind."""


class ChatMigrated(Refused):
    """The group became a supergroup; ``chat_id`` is the new one."""

    def __init__(self, reason: str, chat_id: int) -> None:
        super().__init__(reason)
        self.chat_id = chat_id


class Unavailable(BotteError):
    """Transient: not delivered, may work later; ``retry_after`` is in seconds, None where nobody said."""

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Ambiguous(Unavailable):
    """The answer was lost: Telegram may have delivered the message, or not."""


class BotTokenRejected(Unavailable):
    """Telegram does not know the bot token, also after it was read once more."""


class ParametersUnavailable(Unavailable):
    """A parameter cannot be read, or does not hold what it should."""


class ParameterMissing(ParametersUnavailable):
    """The Parameter Store has no such parameter."""


class TableUnavailable(Unavailable):
    """A table cannot be used, and what was to be written is surely not in it."""


class TableAnswerLost(TableUnavailable):
    """The table's answer was lost: it may have written what it was asked to write, or not."""


class WriteRefused(TableUnavailable):
    """The table is there, but refuses what was to be written, and would again: it is too large, or of a wrong type."""


class IdReused(BotteError):
    """The id already names a message with another body."""


class MessageInFlight(BotteError):
    """The message with this id is being sent right now."""
