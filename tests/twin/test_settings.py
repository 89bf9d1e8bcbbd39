"""What the twin is told by its environment, and what it makes of it."""

from __future__ import annotations

import logging
import os
import socket

import pytest

from tools.dev.logs import ShortFormatter
from tools.dev.settings import Ports, RealTelegram, Settings, TwinError, clean_environment


def test_without_variables_the_ports_are_the_documented_ones_and_telegram_is_the_fake() -> None:
    assert Settings.from_environment({}) == Settings(
        http_port=8000, aws_port=4566, telegram_port=8081, real_telegram=None, telegram_api_url=None
    )


def test_variables_choose_the_ports_and_the_real_telegram() -> None:
    environ = {
        "BOTTE_HTTP_PORT": "0",
        "BOTTE_AWS_PORT": "4567",
        "BOTTE_TELEGRAM_PORT": "8082",
        "TELEGRAM_BOT_TOKEN": "42:secret",
        "TELEGRAM_CHAT_ID": "-1001234567890",
        "TELEGRAM_API_URL": "http://127.0.0.1:9999",
    }
    settings = Settings.from_environment(environ)
    assert (settings.http_port, settings.aws_port, settings.telegram_port) == (0, 4567, 8082)
    assert settings.real_telegram == RealTelegram("42:secret", -1001234567890)
    assert settings.telegram_api_url == "http://127.0.0.1:9999"
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"TELEGRAM_BOT_TOKEN": "42:secret"}, "TELEGRAM_CHAT_ID is not set"),
        ({"TELEGRAM_CHAT_ID": "1"}, "TELEGRAM_BOT_TOKEN is not set"),
        ({"TELEGRAM_BOT_TOKEN": "42:secret", "TELEGRAM_CHAT_ID": "@me"}, "TELEGRAM_CHAT_ID must be a number"),
        ({"BOTTE_HTTP_PORT": "http"}, "BOTTE_HTTP_PORT=http is not a port"),
        ({"BOTTE_AWS_PORT": "65536"}, "BOTTE_AWS_PORT=65536 is not a port"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(environ: dict[str, str], words: str) -> None:
    with pytest.raises(TwinError) as caught:
        Settings.from_environment(environ)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_port_in_use_is_named_with_the_variable_that_changes_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TwinError) as caught:
            Ports(Settings(http_port=0, aws_port=port, telegram_port=0))
    assert str(caught.value).startswith(f"Port {port} (embedded AWS) is in use. ")
    assert "BOTTE_AWS_PORT=" in str(caught.value)


def test_one_port_for_two_is_an_error() -> None:
    port = Ports(Settings(http_port=0, aws_port=0, telegram_port=0)).http.release()
    with pytest.raises(TwinError, match=rf"^Port {port} \(embedded AWS\) is in use\."):
        Ports(Settings(http_port=port, aws_port=port, telegram_port=0))


def test_any_free_port_is_another_one_each_time() -> None:
    ports = Ports(Settings(http_port=0, aws_port=0, telegram_port=0))
    assert ports.telegram is not None
    assert len({ports.http.release(), ports.aws.release(), ports.telegram.release()}) == 3


def test_the_real_telegram_needs_no_port_for_the_fake() -> None:
    settings = Settings(http_port=0, aws_port=0, telegram_port=0, real_telegram=RealTelegram("42:secret", 1))
    assert Ports(settings).telegram is None


def test_nothing_inherited_leads_to_another_aws_or_through_a_proxy() -> None:
    environ = {
        "AWS_PROFILE": "work",
        "AWS_SESSION_TOKEN": "real",
        "AWS_ENDPOINT_URL_DYNAMODB": "https://example.com",
        "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT": "2773",
        "TELEGRAM_BOT_TOKEN": "42:secret",
        "NO_PROXY": "intranet",
        "PATH": "/bin",
    }
    clean_environment(environ)
    assert environ == {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "intranet,127.0.0.1,localhost",
        "no_proxy": "intranet,127.0.0.1,localhost",
        "PATH": "/bin",
    }


def test_a_log_line_is_short_and_ends_with_its_extra_fields() -> None:
    record = logging.makeLogRecord(
        {"name": "botte.relay", "levelname": "WARNING", "msg": "parked", "id": "abc", "attempts": 2, "reason": None}
    )
    assert ShortFormatter().format(record).endswith(" WARNING botte.relay: parked  id='abc'  attempts=2")
