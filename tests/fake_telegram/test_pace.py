"""How fast a chat may be written to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.fake_telegram.conftest import Clock
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, FakeTelegram, Pace

PRIVATE, GROUP, OTHER = 1, -2, 3


@pytest.fixture
def slow_fake(clock: Clock) -> Iterator[FakeTelegram]:
    pace = Pace(private_burst=2, private_per_second=1.0, group_burst=1, group_per_second=0.25)
    with FakeTelegram(chats={PRIVATE: "Ada", GROUP: "Family", OTHER: "Bob"}, pace=pace, clock=clock) as running:
        yield running


def send(fake: FakeTelegram, http: requests.Session, chat_id: int, text: str = "x") -> requests.Response:
    return http.post(f"{fake.url}/bot{TWIN_BOT_TOKEN}/sendMessage", json={"chat_id": chat_id, "text": text}, timeout=5)


def test_a_burst_passes_and_then_a_wait_is_asked_for(slow_fake: FakeTelegram, http: requests.Session) -> None:
    answers = [send(slow_fake, http, PRIVATE) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].json()["parameters"] == {"retry_after": 1}
    assert answers[-1].headers["Retry-After"] == "1"
    assert len(slow_fake.messages) == 2


def test_a_message_passes_when_the_wait_is_over(slow_fake: FakeTelegram, http: requests.Session, clock: Clock) -> None:
    assert [send(slow_fake, http, GROUP).status_code for _ in range(2)] == [200, 429]
    clock.now += 1.5
    assert send(slow_fake, http, GROUP).json()["parameters"]["retry_after"] == 3
    clock.now += 2.4
    early = send(slow_fake, http, GROUP)
    assert (early.status_code, early.json()["parameters"]["retry_after"]) == (429, 1)
    clock.now += 0.1
    assert [send(slow_fake, http, GROUP).status_code for _ in range(2)] == [200, 429]


def test_a_group_is_slower_and_its_wait_is_whole_seconds(slow_fake: FakeTelegram, http: requests.Session) -> None:
    assert [send(slow_fake, http, GROUP).headers.get("Retry-After") for _ in range(2)] == [None, "4"]


def test_each_chat_has_its_own_pace(slow_fake: FakeTelegram, http: requests.Session) -> None:
    assert [send(slow_fake, http, chat).status_code for chat in (PRIVATE, PRIVATE, OTHER, GROUP)] == [200] * 4


def test_a_refused_message_takes_no_place(slow_fake: FakeTelegram, http: requests.Session) -> None:
    assert send(slow_fake, http, GROUP, " ").status_code == 400
    assert send(slow_fake, http, GROUP).status_code == 200


def test_the_burst_never_grows_beyond_itself(slow_fake: FakeTelegram, http: requests.Session, clock: Clock) -> None:
    send(slow_fake, http, PRIVATE)
    clock.now += 1000
    assert [send(slow_fake, http, PRIVATE).status_code for _ in range(3)] == [200, 200, 429]


def test_the_default_pace_lets_150_messages_pass_and_refuses_the_next(http: requests.Session, clock: Clock) -> None:
    with FakeTelegram(chats={PRIVATE: "Ada"}, clock=clock) as fake:
        statuses = [send(fake, http, PRIVATE).status_code for _ in range(151)]
    assert statuses == [200] * 150 + [429]


def test_without_a_pace_nothing_waits(http: requests.Session, clock: Clock) -> None:
    with FakeTelegram(chats={GROUP: "Family"}, pace=None, clock=clock) as fake:
        assert {send(fake, http, GROUP).status_code for _ in range(30)} == {200}
