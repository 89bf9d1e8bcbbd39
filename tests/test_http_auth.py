"""Who may use the HTTP door."""

from __future__ import annotations

import logging
from base64 import b64encode

import pytest

from tests.conftest import WEBHOOK_SECRET
from tests.doors import Doors, event, texts
from tools.dev.fake_telegram import FakeTelegram


def basic(credentials: str) -> str:
    """The Authorization header that curl -u makes."""
    return f"Basic {b64encode(credentials.encode()).decode()}"


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param("local-token", id="token"),
        pytest.param("Bearer local-token", id="auth_bearer_prefix"),
        pytest.param("bearer  local-token", id="auth_bearer_in_small_letters"),
        pytest.param("second-token", id="second_live_token"),
        pytest.param("Bearer second-token", id="second_live_token_with_prefix"),
        pytest.param(basic("botte:local-token"), id="auth_basic"),
        pytest.param(basic(":second-token"), id="auth_basic_without_a_name"),
        pytest.param(basic("local-token:second-token"), id="auth_basic_the_password_counts"),
        pytest.param(basic("botte:local-token").replace("Basic ", "BASIC   "), id="auth_basic_in_capitals"),
    ],
)
def test_each_live_token_is_taken_alone_and_in_the_usual_schemes(
    doors: Doors, telegram: FakeTelegram, authorization: str
) -> None:
    assert doors.post({"text": "Hello"}, token=authorization).status_code == 200
    assert texts(telegram.messages) == ["Hello"]


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        pytest.param(None, 401, "UnauthorizedError", id="no_auth"),
        pytest.param("", 401, "UnauthorizedError", id="empty_auth"),
        pytest.param("Bearer ", 401, "UnauthorizedError", id="auth_bearer_alone"),
        pytest.param("local-toke", 403, "ForbiddenError", id="auth_prefix"),
        pytest.param("local-token2", 403, "ForbiddenError", id="auth_longer"),
        pytest.param("LOCAL-TOKEN", 403, "ForbiddenError", id="auth_other_case"),
        pytest.param("local-token\n", 403, "ForbiddenError", id="auth_trailing_newline"),
        pytest.param("local-token second-token", 403, "ForbiddenError", id="auth_two_at_once"),
        pytest.param("laptop", 403, "ForbiddenError", id="auth_name_of_a_token"),
        pytest.param("laptop second-token", 403, "ForbiddenError", id="auth_line_of_the_parameter"),
        pytest.param("Basic local-token", 403, "ForbiddenError", id="auth_basic_not_encoded"),
        pytest.param("Basic", 401, "UnauthorizedError", id="auth_basic_alone"),
        pytest.param("Basic ", 401, "UnauthorizedError", id="auth_basic_and_a_blank"),
        pytest.param(basic("local-token"), 401, "UnauthorizedError", id="auth_basic_without_a_colon"),
        pytest.param(basic("local-token:"), 401, "UnauthorizedError", id="auth_basic_token_as_name"),
        pytest.param(basic("botte:wrong"), 403, "ForbiddenError", id="auth_basic_wrong"),
        pytest.param(basic("botte:local-token:x"), 403, "ForbiddenError", id="auth_basic_longer"),
        pytest.param(basic("botte:local-token") + "=", 403, "ForbiddenError", id="auth_basic_bad_base64"),
        pytest.param("Basic Ov8=", 403, "ForbiddenError", id="auth_basic_not_utf8"),
        pytest.param("Digest local-token", 403, "ForbiddenError", id="auth_other_scheme"),
        pytest.param("local-hook-token", 403, "ForbiddenError", id="hook_token_on_message"),
        pytest.param("Bearer second-hook-token", 403, "ForbiddenError", id="named_hook_token_on_message"),
        pytest.param("A" * 10_000, 403, "ForbiddenError", id="auth_10KB"),
        pytest.param("tökén", 403, "ForbiddenError", id="auth_not_ascii"),
        pytest.param("\udcff", 403, "ForbiddenError", id="auth_not_utf8"),
        pytest.param(WEBHOOK_SECRET, 403, "ForbiddenError", id="webhook_secret_on_message"),
    ],
)
def test_anything_else_is_refused_and_sends_nothing(
    doors: Doors, telegram: FakeTelegram, authorization: str | None, status: int, code: str
) -> None:
    request = event("apigateway_post")
    request["headers"].pop("Authorization")
    if authorization is not None:
        request["headers"]["Authorization"] = authorization
    answer = doors.rest(request)
    assert answer["statusCode"] == status
    assert answer["body"]["Code"] == code
    assert "token" in answer["body"]["Message"]
    assert "local-token" not in str(answer)
    assert telegram.messages == []


@pytest.mark.parametrize(
    ("line", "status"),
    [
        pytest.param(b"", 401, id="no_auth"),
        pytest.param(b"Authorization:\r\n", 401, id="empty_auth"),
        pytest.param(b"Authorization: local-toke\r\n", 403, id="auth_prefix"),
        pytest.param(b"Authorization: local-token\r\n \r\n", 403, id="auth_folded_line"),
        pytest.param(b"Authorization: \xff\xfe\r\n", 403, id="auth_not_utf8"),
        pytest.param(b"X-Authorization: local-token\r\n", 401, id="auth_in_another_header"),
        pytest.param(b"aUTHORIZATION: local-token\r\n", 200, id="header_name_in_any_case"),
    ],
)
def test_the_header_as_it_comes_over_the_wire_decides(doors: Doors, line: bytes, status: int) -> None:
    head = b"POST /message HTTP/1.1\r\nHost: localhost\r\n" + line
    answer = doors.raw(head + b'Content-Length: 17\r\n\r\n{"text": "Hello"}')
    assert answer[0] == status


@pytest.mark.parametrize("authorization", ["Basic local-token", basic("local-token:"), basic("local-token")])
def test_who_gives_the_token_elsewhere_than_as_password_is_told_where(doors: Doors, authorization: str) -> None:
    """``curl -u TOKEN:`` is what many services take."""
    reason = doors.post({"text": "Hello"}, token=authorization).json()["Message"]
    assert reason == "Authorization: Basic takes any name with the API token as its password, in base64"


def test_the_status_of_a_message_needs_a_token_too(doors: Doors) -> None:
    doors.post({"text": "Hello", "id": "k1"})
    assert doors.get("/message/k1", token=None).status_code == 401
    assert doors.get("/message/k1", token="wrong").status_code == 403
    assert doors.get("/message/k1", token="Bearer second-token").status_code == 200


def test_a_token_in_the_query_string_is_not_taken(doors: Doors) -> None:
    assert doors.raw(b"GET /message/k1?Authorization=local-token HTTP/1.1\r\nHost: localhost\r\n\r\n")[0] == 401


def test_the_token_is_asked_for_before_the_body_is_read(doors: Doors) -> None:
    assert doors.post("not JSON", token=None).status_code == 401
    assert doors.post("not JSON", token="wrong").status_code == 403


def test_the_log_tells_the_name_of_the_token_and_not_the_token(doors: Doors, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "botte")
    doors.post({"text": "Hello"}, token="second-token")
    assert [getattr(record, "api_token", None) for record in caplog.records if record.name == "botte.http"] == [
        "laptop"
    ]
    assert "second-token" not in str([vars(record) for record in caplog.records])
