"""What the press of a button does. It is believed only if its data was signed here.

Whatever it does can be done again: Telegram may bring a press more than once, and people press twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from ..errors import TableUnavailable
from ..outbox.table import Outbox
from ..settings import Parameters
from ..telegram.buttons import keyboard, read
from .chats import Chats
from .courier import Courier
from .live import time_of_day
from .parked import DISCARD, REDRIVE, buttons, find_parked, forget, send_again, why_it_cannot_go

WORK_SECONDS = 10.0  # on parked messages: who pressed is told within fifteen, or Telegram takes no answer any more

_STALE = "This button does nothing any more"
_NOT_NOW = "It cannot be done right now: press again later"
_NONE_LEFT = "They were sent again, or discarded, before"

_log = logging.getLogger("botte.relay")

Show = Callable[[], object]
Act = Callable[..., tuple[str, Show] | None]


class Press(NamedTuple):
    """Somebody pressed a button below a message of the bot.

    query_id: what Telegram wants to be answered. text: of the message. who: fit to be shown.
    """

    update_id: int
    query_id: str
    chat_id: int
    message_id: int
    text: str
    data: str
    who: str


class Call(NamedTuple):
    """Of the Bot API."""

    method: str
    fields: Mapping[str, object]


class Presses:
    """Does what buttons say, and shows it. clock: epoch seconds.

    acts: by the name of an action, what it does: called with its argument, and with ``update_id``, ``who`` and
    ``deadline`` by their names; it gives what is told to who pressed, and what then shows it to all, or None where the
    argument names nothing any more.
    """

    def __init__(
        self,
        courier: Courier,
        chats: Chats,
        outbox: Outbox,
        parameters: Parameters,
        acts: Mapping[str, Act],
        *,
        clock: Callable[[], float],
    ) -> None:
        self._courier = courier
        self._chats = chats
        self._outbox = outbox
        self._parameters = parameters
        self._acts = acts
        self._clock = clock

    def press(self, press: Press, *, deadline: float) -> None:
        """Does what the button says, and tells who pressed it. deadline: epoch seconds.

        Raises ParametersUnavailable.
        """
        try:
            said, show = self._act(press, deadline)
        except TableUnavailable as error:
            _log.error("a press does nothing", extra={"update_id": press.update_id, "reason": error.reason})
            said, show = _NOT_NOW, None
        answer = {"callback_query_id": press.query_id, "text": said}
        self._courier.try_call("answerCallbackQuery", answer, deadline=deadline)
        if show is not None:
            show()

    def _act(self, press: Press, deadline: float) -> tuple[str, Show | None]:
        """What is told to who pressed, and what shows it to all."""
        secret = self._parameters.webhook_secret()
        signed = None if secret is None else read(secret, press.data)
        if secret is None or signed is None:
            _log.warning("a press that was not signed here", extra={"update_id": press.update_id})
            return _STALE, None
        action, argument = signed
        if action in (REDRIVE, DISCARD):
            said, edit = self._settle(secret, action, argument, press)
            return said, partial(self._courier.try_call, edit.method, edit.fields, deadline=deadline)
        act = self._acts.get(action)
        done = act and act(argument, update_id=press.update_id, who=press.who, deadline=deadline)
        return done or (_STALE, None)

    def _settle(self, secret: str, action: str, argument: str, press: Press) -> tuple[str, Call]:
        """Sends again, or discards, what was parked up to the notice, as far as the time goes."""
        ends = self._clock() + WORK_SECONDS
        chats, rows = self._chats.names(), find_parked(self._outbox, until=float(argument))
        left, done, stay = len(rows), 0, 0
        for row in rows:
            now = self._clock()
            if now >= ends:
                break
            try:
                if action == DISCARD:
                    done += forget(self._outbox, row, now)
                elif why_it_cannot_go(row, chats, now):
                    stay += 1
                else:
                    done += send_again(self._outbox, row, now)
            except TableUnavailable as error:
                _log.error("parked messages are left", extra={"reason": error.reason})
                break
            left -= 1
        said = _say(action, done, stay, left) if rows else _NONE_LEFT
        actions = (REDRIVE, DISCARD) if left else (DISCARD,) if stay else ()
        fields = {
            "chat_id": press.chat_id,
            "message_id": press.message_id,
            "reply_markup": keyboard(buttons(secret, argument, *actions)),
        }
        if not done:  # an update that comes again finds nothing to do: what was shown before stays
            return said, Call("editMessageReplyMarkup", fields)
        text = f"{press.text}\n{said} ({press.who}, {time_of_day(self._clock())})"
        return said, Call("editMessageText", {**fields, "text": text})


def _say(action: str, done: int, stay: int, left: int) -> str:
    said = [_count(done, "sent again" if action == REDRIVE else "discarded")]
    if stay:
        said.append(f"{stay} cannot be sent and {'stays' if stay == 1 else 'stay'} parked")
    if left:
        said.append(f"{left} {'is' if left == 1 else 'are'} left, press again")
    return ", ".join(said)


def _count(count: int, what: str) -> str:
    return f"1 message is {what}" if count == 1 else f"{count} messages are {what}"
