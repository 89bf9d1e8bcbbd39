"""Faults in how the messages of a key take each other's place, and in how the chat is edited."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from chalicelib.errors import Ambiguous, MessageGone
from chalicelib.outbox import states
from chalicelib.outbox.states import EVENTS
from chalicelib.relay import live
from chalicelib.telegram.live import LiveDelivery
from tests.simulation.mutations.registry import Patched, mutation


@mutation
def shown_whatever_came_meanwhile() -> Patched:
    """Words are noted as shown although others took their place while they were sent."""
    any_version = {
        name: EVENTS[name]._replace(sources=("SENDING, our lease",)) for name in ("shown", "shown, and rings")
    }
    return patch.object(states, "EVENTS", {**EVENTS, **any_version})


@mutation
def earlier_takes_over_later() -> Patched:
    """A message takes the place of one that was accepted after it."""
    joining = live._joining

    def join(seen: Any, content: Any, *given: Any) -> Any:
        return joining(seen, content._replace(turn=max(content.turn, seen.turn_ts if seen else 0.0)), *given)

    return patch.object(live, "_joining", join)


@mutation
def not_modified_is_a_refusal() -> Patched:
    """An edit that was made before, and whose answer was lost, parks the message."""

    def edit(self: LiveDelivery, sender: Any, message_id: int, part: Any, fields: Any) -> Any:
        return sender.call("editMessageText", {**fields, "message_id": message_id})

    return patch.object(LiveDelivery, "_edit", edit)


@mutation
def lost_edit_is_sent_anew() -> Patched:
    """When the answer to an edit is lost, the words are sent as a new message."""
    edit = LiveDelivery._edit

    def edit_or_send(self: LiveDelivery, *given: Any) -> Any:
        try:
            return edit(self, *given)
        except Ambiguous as error:
            raise MessageGone(error.reason) from None

    return patch.object(LiveDelivery, "_edit", edit_or_send)


@mutation
def repeats_not_counted() -> Patched:
    """The same words again change nothing."""
    return patch.object(live, "_lines", lambda *given: [])
