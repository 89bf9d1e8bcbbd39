"""What the first screen of README.md promises, done as it says."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from tests.doors import Doors, texts
from tests.recipes.page import ROOT
from tools.dev.fake_telegram import FakeTelegram

[PLUG] = re.findall(r"^```sh\n(for n .*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.slow  # Telegram takes one message a second
def test_ten_messages_sent_while_telegram_is_down_arrive_once_and_in_order(
    doors: Doors, telegram: FakeTelegram
) -> None:
    telegram.set_fault({"kind": "down"})
    line = PLUG.replace("http://127.0.0.1:8000", doors.url).replace("curl ", "curl --silent --show-error ")
    printed = subprocess.run(["sh", "-ec", line], env=os.environ, capture_output=True, text=True, check=True).stdout
    assert printed.count('"status":"accepted"') == 10, printed
    assert telegram.messages == []
    telegram.set_fault({"kind": "none"})
    assert doors.redeliver().function_error is None
    assert texts(telegram.messages) == [f"Backup {number} is done" for number in range(1, 11)]
