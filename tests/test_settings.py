"""Settings from the environment, parameters from the Parameter Store over sockets."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from chalicelib.aws import Aws
from chalicelib.errors import ParametersUnavailable
from chalicelib.settings import Parameters, ParameterStore, Settings
from tests.doors import CREDENTIALS, Clock, Doors, RawServer, closed_port, http_answer
from tools.dev.aws import EmbeddedAws
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID

POLICIES = Path(__file__).resolve().parents[1] / ".chalice" / "policies"

VALUES = {
    "/p/telegram-bot-token": "1234567890:AA-secret-of-the-test-bot-xxxxxxx",
    "/p/http-api-token": "first-api-token",
    "/p/telegram-chats": '{"default": 1, "ops": -2}',
}


# What every message needs, as one request asks for it.
COMMON_NAMES = ("mutes", "telegram-bot-token", "telegram-chats", "telegram-webhook-secret")
COMMON = [f"/p/{name}" for name in COMMON_NAMES]


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
    assert settings.handler is None
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
            "_HANDLER": "app.message",
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
        handler="app.message",
    )


def test_empty_settings_count_as_missing() -> None:
    names = ["PARAMETERS_PATH", "TASK_TABLE_NAME", "OUTBOX_TABLE_NAME", "TASK_STREAM_ARN", "QUEUE_NAME"]
    names += ["TELEGRAM_API_URL", "_HANDLER"]
    empty = Settings.from_environ({"BOTTE_STAGE": "prod", **dict.fromkeys(names, "")})
    assert empty == Settings.from_environ({"BOTTE_STAGE": "prod"})


def test_one_request_reads_all_parameters(aws: EmbeddedAws, doors: Doors) -> None:
    parameters = Parameters("/botte/local", ParameterStore(Aws(aws.environment)).read)
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
    assert store.asked == [COMMON]


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


def test_what_was_not_there_stays_away_while_the_store_cannot_be_reached(clock: Clock) -> None:
    """It is no error: no message is lost for a webhook that there never was."""
    store = Store()
    parameters = Parameters("/p", store, clock=clock)
    assert (parameters.webhook_secret(), parameters.mutes(), parameters.hook_tokens()) == (None, {}, {})
    store.down = True
    clock.now += 3600
    assert (parameters.webhook_secret(), parameters.mutes(), parameters.hook_tokens()) == (None, {}, {})


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
    assert store.asked == [["/p/hook-tokens", "/p/http-api-token", *COMMON]]
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


def _store(url: str, **environ: str) -> ParameterStore:
    return ParameterStore(Aws({**CREDENTIALS, "AWS_ENDPOINT_URL": url, **environ}, sleep=lambda seconds: None))


def _found(**values: str) -> dict[str, object]:
    return {"Parameters": [{"Name": f"/p/{name.replace('_', '-')}", "Value": value} for name, value in values.items()]}


def test_the_store_is_asked_once_for_all_with_their_decryption(clock: Clock) -> None:
    values = {name.removeprefix("/p/"): value for name, value in VALUES.items()}
    with RawServer(http_answer(200, _found(**values))) as server:
        parameters = Parameters("/p", _store(server.url).read, clock=clock)
        assert list(parameters.http_api_tokens()) == ["first-api-token"]
        assert parameters.bot_token() == VALUES["/p/telegram-bot-token"]
        assert parameters.chats() == {"default": 1, "ops": -2}
    (request,) = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert b"x-amz-target: amazonssm.getparameters" in head.lower()
    assert json.loads(body) == {
        "Names": [
            *("/p/http-api-token", "/p/telegram-bot-token", "/p/telegram-chats"),
            *("/p/mutes", "/p/telegram-webhook-secret"),
        ],
        "WithDecryption": True,
    }


def test_a_parameter_that_the_store_does_not_find_is_missing(clock: Clock) -> None:
    with RawServer(http_answer(200, {"Parameters": [], "InvalidParameters": ["/p/telegram-chats"]})) as server:
        parameters = Parameters("/p", _store(server.url).read, clock=clock)
        with pytest.raises(ParametersUnavailable, match="parameter /p/telegram-chats does not exist"):
            parameters.chats()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(http_answer(400, {"__type": "AccessDeniedException"}), "AccessDeniedException", id="no_right"),
        pytest.param(http_answer(400, {"__type": "ThrottlingException"}), "ThrottlingException", id="throttled"),
        pytest.param(http_answer(401, b""), "HTTP status 401", id="not_aws"),
        pytest.param(http_answer(500, b""), "HTTP status 500", id="broken"),
        pytest.param(http_answer(200, b"<html>"), "HTTP status 200", id="not_json"),
        pytest.param(http_answer(200, {}), "no parameters in its answer", id="no_parameter"),
        pytest.param(http_answer(200, {"Parameters": None}), "no parameters in its answer", id="null"),
        pytest.param(http_answer(200, {"Parameters": [{"Name": "x"}]}), "no parameters in its answer", id="no_value"),
        pytest.param(http_answer(200, [1]), "HTTP status 200", id="list"),
        pytest.param(None, "ProtocolError", id="cut"),
    ],
)
def test_a_store_that_does_not_answer_as_it_should_is_an_error(clock: Clock, answer: bytes | None, reason: str) -> None:
    with RawServer(answer) as server:
        parameters = Parameters("/p", _store(server.url).read, clock=clock)
        with pytest.raises(ParametersUnavailable, match=f"the Parameter Store cannot be read: {reason}"):
            parameters.chats()


def test_a_store_that_is_away_for_a_moment_is_asked_again(clock: Clock) -> None:
    busy = http_answer(400, {"__type": "ThrottlingException"})
    with RawServer(None, busy, http_answer(500, b""), http_answer(200, _found(telegram_chats='{"a": 1}'))) as server:
        assert Parameters("/p", _store(server.url).read, clock=clock).chats() == {"a": 1}
    assert len(server.requests) == 4


def test_a_store_that_is_not_there_is_an_error(clock: Clock) -> None:
    parameters = Parameters("/p", _store(f"http://127.0.0.1:{closed_port()}").read, clock=clock)
    with pytest.raises(ParametersUnavailable, match="the Parameter Store cannot be read: NewConnectionError"):
        parameters.chats()


def test_what_cannot_be_read_ahead_is_read_when_it_is_needed(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    store = Store()
    store.down = True
    parameters = Parameters("/p", store, clock=clock)
    parameters.read_ahead(*COMMON_NAMES)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    store.down = False
    assert parameters.chats() == {"default": 1, "ops": -2}
    assert len(store.asked) == 2


def test_what_was_read_ahead_is_not_read_again(clock: Clock) -> None:
    store = Store()
    parameters = Parameters("/p", store, clock=clock)
    parameters.read_ahead("hook-tokens", *COMMON_NAMES)
    parameters.chats()
    parameters.bot_token()
    assert parameters.hook_tokens() == {}
    assert len(store.asked) == 1


@pytest.mark.parametrize(
    ("handler", "names"),
    [
        ("app.message", {*COMMON_NAMES}),
        ("app.dynamodb_message", {*COMMON_NAMES}),
        ("app.sqs_message", {*COMMON_NAMES}),
        ("app.redeliver", {*COMMON_NAMES}),
        ("app.app", {*COMMON_NAMES, "http-api-token"}),
    ],
)
def test_a_function_reads_ahead_what_its_role_lets_it_read(handler: str, names: set[str]) -> None:
    """One name that it may not read, and AWS refuses them all."""
    assert set(Settings.from_environ({"_HANDLER": handler}).parameters) == names
    policy = json.loads(
        (POLICIES / f"prod-{handler.removeprefix('app.').replace('app', 'api_handler')}.json").read_text()
    )
    (readable,) = [each["Resource"] for each in policy["Statement"] if "ssm:GetParameters" in each["Action"]]
    assert {resource.rpartition("/")[2] for resource in readable} >= names


def test_reading_parameters_logs_no_secret_at_any_level(
    aws: EmbeddedAws, doors: Doors, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    environ = {**aws.environment, "AWS_SECRET_ACCESS_KEY": "a-secret-key", "AWS_SESSION_TOKEN": "a-session-token"}
    Parameters("/botte/local", ParameterStore(Aws(environ)).read, clock=clock).http_api_tokens()
    logged = json.dumps([[record.getMessage(), str(vars(record))] for record in caplog.records])
    assert logged != "[]"
    for secret in ("a-secret-key", "a-session-token", TWIN_BOT_TOKEN, "local-token", "second-token"):
        assert secret not in logged
