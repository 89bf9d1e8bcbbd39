"""A group that became a supergroup: its messages follow it, and its new chat id is remembered."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.aws import Aws
from chalicelib.contract.message import Message
from chalicelib.errors import ParametersUnavailable
from chalicelib.settings import Parameters, ParameterStore
from tests.conftest import OPS_CHAT_ID, NewRelay
from tests.doors import Clock, Doors
from tools.dev.aws import EmbeddedAws
from tools.dev.fake_telegram import TWIN_CHAT_ID, FakeTelegram

NAME = "/botte/local/telegram-chats"
NEW_CHAT_ID = -1009
PLENTY = 60.0


class ChatsParameter:
    """The parameter as its owner sees it."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __call__(self) -> str:
        value: str = self._client.get_parameter(Name=NAME)["Parameter"]["Value"]
        return value

    @property
    def version(self) -> int:
        version: int = self._client.get_parameter(Name=NAME)["Parameter"]["Version"]
        return version

    def put(self, value: str) -> None:
        self._client.put_parameter(Name=NAME, Type="String", Value=value, Overwrite=True)


@pytest.fixture
def chats(aws: EmbeddedAws, doors: Doors, telegram: FakeTelegram) -> Iterator[ChatsParameter]:
    """The parameter telegram-chats, put back afterwards; the group ``ops`` is a supergroup from now on."""
    parameter = ChatsParameter(aws.client("ssm", counted=False))
    before = parameter()
    telegram.set_fault({"kind": "migrate", "migrate_to_chat_id": NEW_CHAT_ID})
    yield parameter
    parameter.put(before)


@pytest.fixture
def store(aws: EmbeddedAws) -> ParameterStore:
    return ParameterStore(Aws(aws.environment))


@pytest.fixture
def written(chats: ChatsParameter, store: ParameterStore) -> Parameters:
    """The parameters as a function of Botte's reads and writes them."""
    return Parameters("/botte/local", store.read, store.put)


def send(relay: Any, clock: Clock, text: str, seconds: float = PLENTY) -> dict[str, Any]:
    outcome = relay.accept(Message(text=text, chat="ops"), deadline=clock() + seconds, spare_id=text)
    result: dict[str, Any] = outcome.result
    return result


def places(telegram: FakeTelegram) -> list[tuple[int, str]]:
    return [(sent["chat_id"], sent["text"]) for sent in telegram.messages]


def alarms(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if getattr(record, "alarm", None) == "chat_migrated"]


def test_the_new_chat_id_is_written_beside_the_other_chats(
    new_relay: NewRelay,
    chats: ChatsParameter,
    written: Parameters,
    telegram: FakeTelegram,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    chats.put(json.dumps({"default": TWIN_CHAT_ID, "ops": OPS_CHAT_ID, "also ops": str(OPS_CHAT_ID), "Grüße": 5}))
    assert send(new_relay(parameters=written), clock, "first")["botte"] == {"mended": ["chat"]}
    moved = {"default": TWIN_CHAT_ID, "ops": NEW_CHAT_ID, "also ops": NEW_CHAT_ID, "Grüße": 5}
    assert json.loads(chats()) == moved
    assert list(json.loads(chats())) == list(moved)
    assert alarms(caplog) == []
    told = [record for record in caplog.records if "became a supergroup" in record.getMessage()]
    assert [(record.levelname, vars(record)["chat"], vars(record)["chat_id"]) for record in told] == [
        ("WARNING", "ops", NEW_CHAT_ID)
    ]


def test_what_else_the_owner_wants_of_a_chat_stays_as_it_is(
    new_relay: NewRelay, chats: ChatsParameter, written: Parameters, clock: Clock
) -> None:
    quiet = {"quiet": "22:00-07:00", "time_zone": "Europe/Rome", "topics": True, "a word": "of the owner's"}
    others = {"default": {"id": TWIN_CHAT_ID, "quiet": "soon"}, "text": str(TWIN_CHAT_ID)}
    chats.put(json.dumps({"ops": {"id": OPS_CHAT_ID, **quiet}, "same": {"id": str(OPS_CHAT_ID)}, **others}))
    send(new_relay(parameters=written), clock, "first")
    assert json.loads(chats()) == {"ops": {"id": NEW_CHAT_ID, **quiet}, "same": {"id": NEW_CHAT_ID}, **others}
    assert written.chats()["ops"] == NEW_CHAT_ID


def test_the_next_process_writes_to_the_supergroup_at_once(
    new_relay: NewRelay, written: Parameters, store: ParameterStore, telegram: FakeTelegram, clock: Clock
) -> None:
    send(new_relay(parameters=written), clock, "first")
    asked = telegram.requests
    later = Parameters("/botte/local", store.read, store.put)
    assert "botte" not in send(new_relay(parameters=later), clock, "second")
    assert telegram.requests - asked == 1
    assert places(telegram) == [(NEW_CHAT_ID, "first"), (NEW_CHAT_ID, "second")]


def test_what_the_owner_put_in_the_meantime_stays(
    new_relay: NewRelay, chats: ChatsParameter, written: Parameters, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    relay = new_relay(parameters=written)
    assert written.chats()["ops"] == OPS_CHAT_ID  # read, and kept for five minutes
    chats.put('{"default": 7,  "ops": -1010}')
    version = chats.version
    send(relay, clock, "first")
    assert (chats(), chats.version) == ('{"default": 7,  "ops": -1010}', version)
    assert written.chats() == {"default": 7, "ops": -1010}
    assert alarms(caplog) == []


def denied(name: str, value: str) -> None:
    raise ParametersUnavailable("the Parameter Store cannot be written: AccessDeniedException")


@pytest.mark.parametrize(
    ("value", "options", "seconds", "reason"),
    [
        pytest.param(None, {"put": denied}, PLENTY, "AccessDeniedException", id="no_right"),
        pytest.param("{", {}, PLENTY, "must be like", id="not_json"),
        pytest.param(None, {}, 21.0, "no time left", id="no_time"),
    ],
)
def test_where_it_cannot_be_written_an_alarm_says_what_to_do_once(
    new_relay: NewRelay,
    chats: ChatsParameter,
    store: ParameterStore,
    telegram: FakeTelegram,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    value: str | None,
    options: dict[str, Any],
    seconds: float,
    reason: str,
) -> None:
    parameters = Parameters("/botte/local", store.read, **{"put": store.put, **options})
    relay = new_relay(parameters=parameters)
    parameters.chats()
    if value is not None:
        chats.put(value)
    before = chats()
    for text in ("first", "second"):
        send(relay, clock, text, seconds)
    assert places(telegram) == [(NEW_CHAT_ID, "first"), (NEW_CHAT_ID, "second")]
    assert chats() == before
    (alarm,) = alarms(caplog)
    assert alarm.levelname == "ERROR"
    assert "put its new chat id into the parameter telegram-chats" in alarm.getMessage()
    assert (vars(alarm)["chat"], vars(alarm)["chat_id"]) == ("ops", NEW_CHAT_ID)
    assert reason in vars(alarm)["reason"]


def test_a_parameter_that_is_gone_is_not_made(chats: ChatsParameter, written: Parameters, aws: EmbeddedAws) -> None:
    client = aws.client("ssm", counted=False)
    client.delete_parameter(Name=NAME)
    with pytest.raises(ParametersUnavailable, match=f"parameter {NAME} does not exist"):
        written.move_chat(OPS_CHAT_ID, NEW_CHAT_ID)
    with pytest.raises(ClientError, match="ParameterNotFound"):
        chats()
