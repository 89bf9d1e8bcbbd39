"""Live messages after crashes and lost answers: the chat comes to show what is wanted, and nothing rings twice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest

from chalicelib.contract.message import Message
from chalicelib.errors import Ambiguous, Unavailable
from chalicelib.relay import Relay
from chalicelib.relay.attempt import LEASE_SECONDS
from tests.conftest import NewRelay
from tests.doors import Clock, Killed

pytestmark = pytest.mark.outbox("memory")

PLENTY = 3600.0


class Chat:
    """Stands in for Telegram. fails_at: by the number of a call, what is raised once it is made, or instead of it."""

    def __init__(self) -> None:
        self.texts: dict[int, str] = {}
        self.fails_at: dict[int, BaseException] = {}
        self.calls = 0

    def call(self, method: str, fields: Mapping[str, Any], file: tuple[str, bytes] | None = None) -> Any:
        del file
        if method == "getMe":
            return {"id": 42}
        self.calls += 1
        error = self.fails_at.get(self.calls)
        if error is not None and not isinstance(error, (Ambiguous, Killed)):
            raise error
        id = fields.get("message_id", len(self.texts) + 1)
        if method == "deleteMessage":
            del self.texts[id]
        else:
            self.texts[id] = fields["text"]
        if error is not None:
            raise error
        return {"message_id": id}


def fire(relay: Relay, clock: Clock, text: str, **more: Any) -> None:
    clock.now += 5.0
    relay.accept(
        Message.from_fields({"text": text, "collapse_key": "disk", **more}, now=clock()),
        deadline=clock() + PLENTY,
        spare_id=relay.new_id(),
    )


@pytest.mark.parametrize("error", [Ambiguous("lost"), Killed()], ids=["lost", "crash"])
def test_the_words_before_come_back_after_an_edit_of_which_nobody_knows(
    new_relay: NewRelay, clock: Clock, error: BaseException
) -> None:
    chat = Chat()
    fire(new_relay(sender=chat), clock, "fine")
    chat.fails_at[2] = error
    try:
        fire(new_relay(sender=chat), clock, "full")
    except Killed:
        clock.now += LEASE_SECONDS
    assert chat.texts == {1: "full"}
    fire(new_relay(sender=chat), clock, "fine")
    clock.now += LEASE_SECONDS
    new_relay(sender=chat).redeliver(deadline=clock() + PLENTY)
    assert chat.texts == {1: "fine"}


@pytest.mark.parametrize("error", [Unavailable("500"), Killed()], ids=["error", "crash"])
def test_an_escalation_that_broke_off_goes_on_and_does_not_ring_again(
    new_relay: NewRelay, clock: Clock, error: BaseException
) -> None:
    chat = Chat()
    text = f"{'x' * 4000}\n\n{'y' * 4000}"
    fire(new_relay(sender=chat), clock, text, ack=True, escalate_after=600)
    clock.now += 600.0
    chat.fails_at[4] = error  # the second part of what rings
    with suppress(Killed):
        new_relay(sender=chat).redeliver(deadline=clock() + PLENTY)
    del chat.fails_at[4]
    clock.now += LEASE_SECONDS
    new_relay(sender=chat).redeliver(deadline=clock() + PLENTY)
    rung = [text for text in chat.texts.values() if text.startswith("x")]
    told = [text for text in chat.texts.values() if "1 of 3" in text]
    doubled = isinstance(error, Killed)  # the second part: it was taken, and nobody knows of it
    assert (len(rung), len(told)) == (2, 1 + doubled), json.dumps([text[-40:] for text in chat.texts.values()])
