"""Settings from the environment, parameters from the Parameter Store or its Lambda extension."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.errors import ParametersUnavailable
from chalicelib.settings import Fetch, Parameters, Settings, read_parameter_store
from tests.doors import Clock, Doors, RawServer, closed_port, http_answer
from tools.dev.aws import EmbeddedAws
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram

VALUES = {
    "/p/telegram-bot-token": "1234567890:AA-secret-of-the-test-bot-xxxxxxx",
    "/p/http-api-token": "first-api-token",
    "/p/telegram-chats": '{"default": 1, "ops": -2}',
}


class Store:
    """A Parameter Store: what it holds, whether it can be reached, and what was asked of it."""

    def __init__(self, **changes: str | None) -> None:
        names = {f"/p/{name.replace('_', '-')}": value for name, value in changes.items()}
        self.values: dict[str, str | None] = {**VALUES, **names}
        self.down = False
        self.asked: list[list[str]] = []

    def __call__(self, names: Sequence[str]) -> Mapping[str, str]:
        self.asked.append(sorted(names))
        if self.down:
            raise ParametersUnavailable("the Parameter Store cannot be read")
        found = {name: self.values.get(name) for name in names}
        return {name: value for name, value in found.items() if value is not None}


def test_an_empty_environment_gives_the_settings_of_the_stage_dev() -> None:
    settings = Settings.from_environ({})
    assert settings.stage == "dev"
    assert settings.parameters_path == "/botte/dev"
    assert settings.task_table_name == "botte-dev-tasks"
    assert settings.queue_name is None
    assert settings.telegram_api_url == "https://api.telegram.org"
    assert settings.extension_port is None
    assert ":table/botte-dev-tasks/stream/" in settings.task_stream_arn


def test_every_setting_can_be_given() -> None:
    settings = Settings.from_environ(
        {
            "BOTTE_STAGE": "prod",
            "PARAMETERS_PATH": "/elsewhere",
            "TASK_TABLE_NAME": "tasks",
            "OUTBOX_TABLE_NAME": "outbox",
            "TASK_STREAM_ARN": "arn:aws:dynamodb:eu-west-1:123456789012:table/tasks/stream/1",
            "QUEUE_NAME": "messages",
            "TELEGRAM_API_URL": "http://127.0.0.1:8081/",
            "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT": "2773",
        }
    )
    assert settings == Settings(
        stage="prod",
        parameters_path="/elsewhere",
        task_table_name="tasks",
        outbox_table_name="outbox",
        task_stream_arn="arn:aws:dynamodb:eu-west-1:123456789012:table/tasks/stream/1",
        queue_name="messages",
        telegram_api_url="http://127.0.0.1:8081",
        extension_port=2773,
    )


def test_empty_settings_count_as_missing() -> None:
    names = ["PARAMETERS_PATH", "TASK_TABLE_NAME", "OUTBOX_TABLE_NAME", "TASK_STREAM_ARN", "QUEUE_NAME"]
    names += ["TELEGRAM_API_URL", "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT"]
    empty = Settings.from_environ({"BOTTE_STAGE": "prod", **dict.fromkeys(names, "")})
    assert empty == Settings.from_environ({"BOTTE_STAGE": "prod"})


def test_one_request_reads_all_parameters(aws: EmbeddedAws, doors: Doors) -> None:
    settings = Settings.from_environ({"BOTTE_STAGE": "local"})
    parameters = Parameters("/botte/local", settings.fetch_parameters)
    aws.calls.reset()
    assert "local-token" in parameters.http_api_tokens()
    assert parameters.chats()["default"] == TWIN_CHAT_ID
    assert parameters.bot_token() == TWIN_BOT_TOKEN
    assert aws.calls.by_operation() == {"SSM.GetParameters": 1}


def test_what_needs_no_api_token_does_not_read_it(clock: Clock) -> None:
    store = Store()
    parameters = Parameters("/p", store, clock=clock)
    parameters.chats()
    parameters.bot_token()
    assert store.asked == [["/p/telegram-bot-token", "/p/telegram-chats"]]


def test_parameters_are_read_again_after_five_minutes(clock: Clock) -> None:
    store = Store()
    parameters = Parameters("/p", store, clock=clock)
    parameters.http_api_tokens()
    store.values["/p/http-api-token"] = "next-api-token"
    clock.now += 299
    assert list(parameters.http_api_tokens()) == ["first-api-token"]
    clock.now += 1
    assert list(parameters.http_api_tokens()) == ["next-api-token"]
    assert len(store.asked) == 2


def test_a_fresh_bot_token_is_read_at_once(clock: Clock) -> None:
    store = Store()
    parameters = Parameters("/p", store, clock=clock)
    parameters.bot_token()
    store.values["/p/telegram-bot-token"] = "1:next"
    assert parameters.bot_token() != "1:next"
    assert parameters.bot_token(fresh=True) == "1:next"
    assert parameters.bot_token() == "1:next"
    assert len(store.asked) == 2


def test_a_fresh_bot_token_comes_past_the_cache_of_the_extension(
    doors: Doors, telegram: FakeTelegram, clock: Clock
) -> None:
    cached = http_answer(200, {"Parameter": {"Value": "1:old"}})
    with RawServer(cached) as extension:
        parameters = Parameters(
            "/botte/local", _through_extension(extension.port), fetch_fresh=read_parameter_store, clock=clock
        )
        assert parameters.bot_token() == "1:old"
        assert parameters.bot_token(fresh=True) == TWIN_BOT_TOKEN
        assert parameters.bot_token() == TWIN_BOT_TOKEN


def test_while_the_store_cannot_be_reached_the_last_values_stay_in_use(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store()
    parameters = Parameters("/p", store, clock=clock)
    parameters.http_api_tokens()
    store.down = True
    clock.now += 3600
    assert list(parameters.http_api_tokens()) == ["first-api-token"]
    assert parameters.chats() == {"default": 1, "ops": -2}
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert len(store.asked) == 2  # it is not asked again with every message
    store.down = False
    store.values["/p/http-api-token"] = "next-api-token"
    clock.now += 30
    assert list(parameters.http_api_tokens()) == ["next-api-token"]


def test_a_store_that_was_never_reached_is_an_error(clock: Clock) -> None:
    store = Store()
    store.down = True
    parameters = Parameters("/p", store, clock=clock)
    for read in (parameters.bot_token, parameters.chats, parameters.http_api_tokens):
        with pytest.raises(ParametersUnavailable, match="cannot be read"):
            read()
    store.down = False
    assert parameters.chats() == {"default": 1, "ops": -2}


@pytest.mark.parametrize("name", ["telegram-bot-token", "http-api-token", "telegram-chats"])
def test_a_missing_parameter_is_named(clock: Clock, name: str) -> None:
    store = Store(**{name.replace("-", "_"): None})
    parameters = Parameters("/p", store, clock=clock)
    reads: dict[str, Callable[[], object]] = {
        "telegram-bot-token": parameters.bot_token,
        "http-api-token": parameters.http_api_tokens,
        "telegram-chats": parameters.chats,
    }
    read = reads[name]
    with pytest.raises(ParametersUnavailable, match=f"parameter /p/{name} does not exist"):
        read()
    store.values[f"/p/{name}"] = VALUES[f"/p/{name}"]
    clock.now += 30
    read()


def test_a_parameter_that_was_deleted_is_missing_after_five_minutes(clock: Clock) -> None:
    store = Store()
    parameters = Parameters("/p", store, clock=clock)
    parameters.http_api_tokens()
    store.values["/p/http-api-token"] = None
    clock.now += 300
    with pytest.raises(ParametersUnavailable, match="does not exist"):
        parameters.http_api_tokens()


@pytest.mark.parametrize(
    ("value", "tokens"),
    [
        pytest.param("abc", {"abc": ""}, id="one"),
        pytest.param("abc\n", {"abc": ""}, id="line_end"),
        pytest.param("laptop abc", {"abc": "laptop"}, id="named"),
        pytest.param("abc\nlaptop def", {"abc": "", "def": "laptop"}, id="two"),
        pytest.param("phone abc\r\nlaptop def\r\n", {"abc": "phone", "def": "laptop"}, id="crlf"),
        pytest.param("\n  abc  \n\n\tlaptop \t def \n", {"abc": "", "def": "laptop"}, id="blanks"),
        pytest.param("a note of three words\nabc", {"abc": ""}, id="other_lines"),
        pytest.param(" ", {}, id="blank"),
    ],
)
def test_several_api_tokens_can_be_live(clock: Clock, value: str, tokens: dict[str, str]) -> None:
    assert Parameters("/p", Store(http_api_token=value), clock=clock).http_api_tokens() == tokens


@pytest.mark.parametrize("parameter", ["http_api_token", "hook_tokens"])
def test_a_line_that_is_no_token_is_told_by_its_number_and_never_shown(
    clock: Clock, caplog: pytest.LogCaptureFixture, parameter: str
) -> None:
    """It may hold a token all the same: somebody wrote a name of two words before it."""
    store = Store(**{parameter: "abc\n\nmy laptop secret-token\nlaptop def\nthis is a note\n"})
    parameters = Parameters("/p", store, clock=clock)
    read = parameters.http_api_tokens if parameter == "http_api_token" else parameters.hook_tokens
    assert read() == {"abc": "", "def": "laptop"}
    assert [(record.levelname, vars(record)["line"]) for record in caplog.records] == [("WARNING", 3), ("WARNING", 5)]
    logged = str([vars(record) for record in caplog.records])
    assert not any(word in logged for word in ("secret", "my laptop", "note", "abc", "def "))


def test_hook_tokens_are_read_as_api_tokens_are(clock: Clock) -> None:
    """One a line, with a name or without."""
    parameters = Parameters("/p", Store(hook_tokens="abc\r\ngithub def\n"), clock=clock)
    assert parameters.hook_tokens() == {"abc": "", "def": "github"}


def test_without_their_parameter_there_are_no_hook_tokens(clock: Clock) -> None:
    """Nobody needs them who can set a header; it is looked for again, but not with each message."""
    store = Store()
    parameters = Parameters("/p", store, clock=clock)
    for _ in range(3):
        assert parameters.hook_tokens() == {}
        assert parameters.http_api_tokens() == {"first-api-token": ""}
        assert parameters.chats() == {"default": 1, "ops": -2}
    assert store.asked == [
        ["/p/hook-tokens", "/p/http-api-token", "/p/telegram-bot-token", "/p/telegram-chats"],
    ]
    store.values["/p/hook-tokens"] = "abc"
    clock.now += 30
    assert parameters.hook_tokens() == {"abc": ""}


def test_blanks_around_the_bot_token_are_dropped(clock: Clock) -> None:
    assert Parameters("/p", Store(telegram_bot_token=" 1:abc\r\n"), clock=clock).bot_token() == "1:abc"


@pytest.mark.parametrize(
    "value",
    [
        *("", "x", "[]", "5", "null", '"x"', "{"),
        *('{"default": "@channel"}', '{"default": null}', '{"default": [1]}', '{"default": {}}'),
        *('{"default": NaN}', '{"default": 1e999}', '{"default": true}', '{"default": 1.5}'),
    ],
)
def test_malformed_chats_are_an_error_that_shows_how_they_should_be(clock: Clock, value: str) -> None:
    parameters = Parameters("/p", Store(telegram_chats=value), clock=clock)
    with pytest.raises(ParametersUnavailable, match=r"parameter /p/telegram-chats must be like "):
        parameters.chats()


def test_a_chat_id_may_be_written_as_a_string(clock: Clock) -> None:
    parameters = Parameters("/p", Store(telegram_chats='{"default": "-100123"}'), clock=clock)
    assert parameters.chats() == {"default": -100123}


def test_the_extension_is_asked_for_each_parameter_with_the_session_token(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session-token")
    answers = [http_answer(200, {"Parameter": {"Value": VALUES[f"/p/{name}"]}}) for name in ASKED]
    with RawServer(*answers) as server:
        parameters = Parameters("/p", _through_extension(server.port), clock=clock)
        assert list(parameters.http_api_tokens()) == ["first-api-token"]
        assert parameters.bot_token() == VALUES["/p/telegram-bot-token"]
        assert parameters.chats() == {"default": 1, "ops": -2}
    targets = [urlsplit(request.split()[1].decode()) for request in server.requests]
    assert {target.path for target in targets} == {"/systemsmanager/parameters/get"}
    queries = [{name: values[0] for name, values in parse_qs(target.query).items()} for target in targets]
    assert queries == [{"name": f"/p/{name}", "withDecryption": "true"} for name in ASKED]
    for request in server.requests:
        assert b"x-aws-parameters-secrets-token: session-token" in request.lower()


ASKED = ["http-api-token", "telegram-bot-token", "telegram-chats"]


def test_a_parameter_that_the_extension_does_not_find_is_missing(clock: Clock) -> None:
    missing = http_answer(400, b"an unexpected error occurred while executing request: ParameterNotFound: \n")
    with RawServer(missing) as server:
        parameters = Parameters("/p", _through_extension(server.port), clock=clock)
        with pytest.raises(ParametersUnavailable, match="parameter /p/telegram-chats does not exist"):
            parameters.chats()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(http_answer(400, b"not ready to serve traffic, please wait"), "answered 400", id="not_ready"),
        pytest.param(http_answer(401, b""), "answered 401", id="no_session"),
        pytest.param(http_answer(500, b""), "answered 500", id="broken"),
        pytest.param(http_answer(200, b"<html>"), "cannot be read", id="not_json"),
        pytest.param(http_answer(200, {}), "cannot be read", id="no_parameter"),
        pytest.param(http_answer(200, [1]), "cannot be read", id="list"),
        pytest.param(None, "cannot be read", id="cut"),
    ],
)
def test_an_extension_that_does_not_answer_as_it_should_is_an_error(
    clock: Clock, answer: bytes | None, reason: str
) -> None:
    with RawServer(answer) as server:
        parameters = Parameters("/p", _through_extension(server.port), clock=clock)
        with pytest.raises(ParametersUnavailable, match=reason):
            parameters.chats()


def test_an_extension_that_is_not_there_is_an_error(clock: Clock) -> None:
    parameters = Parameters("/p", _through_extension(closed_port()), clock=clock)
    with pytest.raises(ParametersUnavailable, match="the parameters extension cannot be read"):
        parameters.chats()


def test_reading_parameters_logs_no_secret_at_any_level(
    doors: Doors, telegram: FakeTelegram, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [http_answer(200, {"Parameter": {"Value": VALUES[f"/p/{name}"]}}) for name in ASKED]
    with RawServer(*answers) as server:
        Parameters("/p", _through_extension(server.port), clock=clock).http_api_tokens()
    settings = Settings.from_environ({"BOTTE_STAGE": "local"})
    Parameters("/botte/local", settings.fetch_parameters, clock=clock).http_api_tokens()
    logged = json.dumps([[record.getMessage(), str(vars(record))] for record in caplog.records])
    assert logged != "[]"
    for secret in (*VALUES.values(), TWIN_BOT_TOKEN, "local-token", "second-token"):
        assert secret not in logged


def _through_extension(port: int) -> Fetch:
    return Settings.from_environ({"PARAMETERS_SECRETS_EXTENSION_HTTP_PORT": str(port)}).fetch_parameters
