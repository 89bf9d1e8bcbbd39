"""The ``botte`` command, as a shell sees it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from botte_http_client._cli import _exit_code
from botte_http_client._message import FIELDS
from botte_http_client._run import KEPT_BYTES, Outcome
from tests.clients.conftest import OPS_CHAT_ID, SOURCES, arrived, texts_about
from tests.clients.servers import Proxy, answer
from tools.dev.fake_telegram import FakeTelegram

pytestmark = pytest.mark.slow

Result = tuple[int, str, str]
Botte = Callable[..., Result]


@pytest.fixture
def botte(capfd: pytest.CaptureFixture[str]) -> Botte:
    """Runs the command in this process; gives its exit code, stdout and stderr."""

    def run(*arguments: str) -> Result:
        code = _exit_code(list(arguments))
        return (code, *capfd.readouterr())

    return run


def start(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """Starts the command as a process of its own, without a terminal."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCES[0])}
    command = [sys.executable, "-m", "botte_http_client", *arguments]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=environment, start_new_session=True, **{**pipes, **options})


def in_shell(line: str) -> tuple[int, str]:
    """Runs a line of bash with the command in it; gives the exit code and stderr."""
    command = f'botte() {{ {sys.executable} -m botte_http_client "$@"; }}; {line}'
    environment = {**os.environ, "PYTHONPATH": str(SOURCES[0])}
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stderr


def test_send_says_that_it_is_delivered(botte: Botte, telegram: FakeTelegram) -> None:
    code, out, err = botte("send", "through the command")
    [message] = arrived(telegram, "through the command")
    assert (code, out, err) == (0, f"Delivered as message {message['message_id']}\n", "")


def test_send_has_an_option_for_every_field(botte: Botte, telegram: FakeTelegram) -> None:
    help_text = botte("send", "--help")[1]
    assert all(f"--{field.replace('_', '-')}" in help_text for field in FIELDS if field != "text")
    keyboard = {"inline_keyboard": [[{"text": "Open", "url": "https://example.com/"}]]}
    options = {
        "--sender-app": "cli", "--id": "cli-1", "--chat": "ops", "--message-thread-id": "3", "--deliver-at": "1",
        "--link-preview-options": '{"is_disabled": true}', "--reply-markup": json.dumps(keyboard),
    }  # fmt: skip
    given = [word for option in options.items() for word in option]
    assert botte("send", "--html", "--silent", "--protect-content", *given, "<b>all</b> options")[0] == 0
    [message] = arrived(telegram, "all options")
    assert message["chat_id"] == OPS_CHAT_ID
    assert message["disable_notification"]
    assert message["protect_content"]
    assert message["message_thread_id"] == 3
    assert message["link_preview_options"] == {"is_disabled": True}
    assert message["reply_markup"] == keyboard
    assert message["entities"] == [{"type": "bold", "offset": 0, "length": 3}]
    for kind in ("photo", "document"):
        assert botte("send", f"--{kind}", "https://example.com/x.png", f"a {kind}")[0] == 0
        assert arrived(telegram, f"a {kind}")[0]["method"] == f"send{kind.capitalize()}"
    assert botte("send", "--markdown", "*in* MarkdownV2")[0] == 0
    assert arrived(telegram, "in MarkdownV2")[0]["entities"]


def test_json_tells_all(botte: Botte, telegram: FakeTelegram) -> None:
    code, out, _ = botte("send", "--json", "--id", "cli-json", "as JSON, Grüße")
    result = json.loads(out)
    assert (code, result["status"], result["message"]["text"]) == (0, "delivered", "as JSON, Grüße")
    telegram.set_fault({"kind": "down"})
    assert json.loads(botte("send", "--json", "--id", "cli-later", "x")[1]) == {"status": "accepted", "id": "cli-later"}
    status = json.loads(botte("status", "--json", "cli-json")[1])
    assert status == {
        "id": "cli-json", "status": "SENT", "attempts": 1, "message_ids": [result["message_id"]],
        "last_error": None, "due_at": None,
    }  # fmt: skip


def test_what_is_accepted_can_be_asked_for(botte: Botte, telegram: FakeTelegram) -> None:
    telegram.set_fault({"kind": "down"})
    id = "cli-" + "x" * 200
    assert botte("send", "--id", id, "x") == (0, f"Accepted; botte status {id} tells when it is delivered\n", "")
    code, out, _ = botte("status", id)
    lines = {line[:13].strip(): line[13:] for line in out.splitlines()}
    assert (code, lines["id"], lines["status"], lines["message ids"]) == (0, id, "PENDING", "-")
    assert datetime.fromisoformat(lines["due at"]).timestamp() > time.time() - 60


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "text"),
    [
        (["send", "x"], {"BOTTE_URL": "http://127.0.0.1:1"}, 1, "Send it again later, with the id"),
        (["send"], {}, 2, "text: is required"),
        (["send", "x", "--html", "--markdown"], {}, 2, "give one of"),
        (["send", "x", "--reply-markup", "{"], {}, 2, "is not JSON"),
        (["send", "x", "--nonsense"], {}, 2, "--nonsense"),
        (["nonsense"], {}, 2, "nonsense"),
        (["send", "x", "--chat", "nowhere"], {}, 2, "chat: unknown chat"),
        (["send", "x"], {"BOTTE_TOKEN": "wrong"}, 3, "BOTTE_TOKEN"),
        (["send", "x"], {"BOTTE_TOKEN": ""}, 3, "BOTTE_TOKEN"),
        (["send", "x"], {"BOTTE_URL": ""}, 4, "BOTTE_URL"),
        (["status", "nothing"], {}, 4, "no message is kept"),
        (["status", ""], {}, 2, "id: must be"),
    ],
)
def test_what_goes_wrong_is_one_line_and_an_exit_code(
    botte: Botte,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    environment: dict[str, str],
    code: int,
    text: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    got, out, err = botte(*arguments)
    assert (got, out, err.count("\n")) == (code, "", 1)
    assert err.startswith("botte: ")
    assert text in err


def test_a_refusal_has_an_exit_code(botte: Botte, telegram: FakeTelegram) -> None:
    telegram.set_fault({"kind": "forbidden"})
    code, _, err = botte("send", "x")
    assert (code, "bot was blocked by the user" in err) == (5, True)


def test_the_address_may_be_an_option(botte: Botte, http_proxy: Proxy, telegram: FakeTelegram) -> None:
    assert botte("--url", http_proxy.url, "send", "by option")[0] == 0
    assert len(http_proxy.requests) == 1


def test_text_is_read_from_standard_input(telegram: FakeTelegram) -> None:
    for text, shown in [(b"from a pipe\n", "from a pipe"), (b"not \xff UTF-8 \x00", "not \ufffd UTF-8 ")]:
        process = start("send", "-", stdin=subprocess.PIPE)
        _, err = process.communicate(text, timeout=30)
        assert (process.returncode, err) == (0, b"")
        arrived(telegram, shown.strip())


def test_endless_input_is_refused_and_not_read_to_its_end() -> None:
    words = subprocess.Popen(["yes", "word"], stdout=subprocess.PIPE)
    process = start("send", "-", stdin=words.stdout)
    assert words.stdout is not None
    words.stdout.close()
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err.count(b"\n")) == (2, b"", 1)
    assert words.wait(30) == -signal.SIGPIPE


@pytest.mark.parametrize("redirection", ["<&-", "</dev/null"])
def test_no_input_is_no_text(redirection: str) -> None:
    assert in_shell(f"botte send - {redirection}") == (2, "botte: text: has nothing to show\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("redirection", [">&-", ">/dev/full", "| true"])
def test_what_is_delivered_is_delivered_also_where_the_result_cannot_be_shown(
    telegram: FakeTelegram, monkeypatch: pytest.MonkeyPatch, redirection: str, unbuffered: str
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    for options in ("", "--json "):
        text = f"unseen {options}{redirection}"
        code, err = in_shell(f"set -o pipefail; botte send {options}'{text}' {redirection}")
        assert (code, err.count("\n")) == (0, 0 if redirection == ">&-" else 1), err
        arrived(telegram, text)


def test_a_status_that_cannot_be_shown_is_an_error_of_one_line(botte: Botte, telegram: FakeTelegram) -> None:
    botte("send", "--id", "unseen-status", "x")
    wanted = (1, "botte: standard input or output: No space left on device\n")
    for command in ("status unseen-status", "status --json unseen-status", "--help"):
        assert in_shell(f"botte {command} >/dev/full") == wanted


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", ">&- 2>&-"])
def test_where_nobody_can_be_told_what_goes_wrong_the_code_stays(
    monkeypatch: pytest.MonkeyPatch, redirection: str
) -> None:
    monkeypatch.setenv("BOTTE_TOKEN", "wrong")
    assert in_shell(f"botte send x {redirection}")[0] == 3
    assert in_shell(f"botte run -- sh -c 'echo out; echo err >&2; exit 7' {redirection}")[0] == 7


def test_a_command_runs_also_without_standard_output_and_error(telegram: FakeTelegram) -> None:
    script = "for n in 1 2 3; do echo out $n; sleep 0.1; echo err $n >&2; sleep 0.1; done; exit 7"
    assert in_shell(f"botte run --name closed -- sh -c '{script}' <&- >&- 2>&-") == (7, "")
    lines = texts_about(telegram, "closed", 1)[0].splitlines()
    assert lines[1:] == ["out 1", "err 1", "out 2", "err 2", "out 3", "err 3"]


@pytest.mark.parametrize("command", [[], ["send"], ["run"], ["status"]])
def test_help_is_there(botte: Botte, command: list[str]) -> None:
    code, out, _ = botte(*command, "--help")
    assert code == 0
    if command != ["status"]:
        assert "Examples:\n  botte send" in out or "Examples:\n    botte" in out
    assert "Exit codes" in out or command


def test_alone_it_shows_its_help(botte: Botte) -> None:
    assert botte() == botte("--help")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete_it(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], shell: str) -> None:
    monkeypatch.setenv("_BOTTE_COMPLETE", f"{shell}_source")
    monkeypatch.setattr("click.shell_completion.BashComplete._check_version", staticmethod(lambda: None))
    with pytest.raises(SystemExit):
        _exit_code([])
    assert "_BOTTE_COMPLETE" in capfd.readouterr().out


def test_run_passes_output_through_and_tells_how_it_ended(botte: Botte, telegram: FakeTelegram) -> None:
    script = "echo out; echo err >&2; exit 3"
    assert botte("run", "--chat", "ops", "--name", "nightly <1>", "--", "sh", "-c", script) == (3, "out\n", "err\n")
    [text] = texts_about(telegram, "nightly <1>", 1)
    first, *last = text.splitlines()
    assert first.startswith("❌ nightly <1>: exit code 3, 0.")
    assert first.endswith(" s")
    assert sorted(last) == ["err", "out"]
    message = telegram.messages[-1]
    assert message["chat_id"] == OPS_CHAT_ID
    assert [entity["type"] for entity in message["entities"]] == ["bold", "pre"]


def test_run_of_a_silent_command_has_one_line(botte: Botte, telegram: FakeTelegram) -> None:
    assert botte("run", "--silent", "true") == (0, "", "")
    [text] = texts_about(telegram, "true", 1)
    assert text.startswith("✅ true: exit code 0, ")
    assert "\n" not in text
    assert telegram.messages[-1]["disable_notification"]


def test_run_has_the_commands_code_also_when_the_notification_fails(
    botte: Botte, http_proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for url, fault in [(http_proxy.url, answer(403, {"Code": "ForbiddenError", "Message": "no"})), ("", None)]:
        monkeypatch.setenv("BOTTE_URL", url)
        http_proxy.follow(*[fault] if fault else [])
        code, out, err = botte("run", "--", "sh", "-c", "echo out; exit 7")
        assert (code, out, err.count("\n")) == (7, "out\n", 1)
        assert err.startswith("botte: the notification was not sent: ")


@pytest.mark.parametrize(
    ("command", "code"), [("no-such-command", 127), (os.devnull, 126), (os.fsdecode(b"caf\xe9"), 127)]
)
def test_run_of_what_cannot_be_started_is_told_as_well(
    botte: Botte, telegram: FakeTelegram, command: str, code: int
) -> None:
    got, _, err = botte("run", "--", command)
    shown = command.encode(errors="surrogateescape").decode(errors="replace")
    assert (got, err.startswith(f"{shown}: ")) == (code, True)
    assert f"exit code {code}" in texts_about(telegram, os.path.basename(shown), 1)[0]


def test_run_of_what_a_signal_ends_has_the_shells_code(botte: Botte, telegram: FakeTelegram) -> None:
    assert botte("run", "--name", "killed", "--", "sh", "-c", "kill -KILL $$")[0] == 137
    assert "exit code 137 (SIGKILL)" in texts_about(telegram, "killed", 1)[0]


def test_any_output_goes_through_byte_for_byte_and_only_the_last_of_it_is_kept(
    telegram: FakeTelegram, tmp_path: Path
) -> None:
    # Binary, a line without an end, and the last lines: half a megabyte more than a pipe and what is kept can hold.
    content = bytes(range(256)) * 500 + b"x" * 400_000 + b"\n" + b"\n".join(b"line %d" % n for n in range(100))
    (tmp_path / "content").write_bytes(content)
    process = start("run", "--lines", "3", "--name", "binary", "cat", str(tmp_path / "content"))
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out == content, err) == (0, True, b"")
    assert texts_about(telegram, "binary", 1)[0].splitlines()[1:] == ["line 97", "line 98", "line 99"]


def test_a_long_progress_leaves_the_lines_before_it(botte: Botte, telegram: FakeTelegram) -> None:
    """A progress bar that is written over for long does not drive other lines out of the report."""
    script = f"print('before')\nfor n in range({KEPT_BYTES}): print(n, end='\\r')\nprint('100%\\nafter')"
    code, out, _ = botte("run", "--name", "progress", "--", sys.executable, "-c", script)
    assert (code, out.count("\r"), out.endswith("\r100%\nafter\n")) == (0, KEPT_BYTES, True)
    assert texts_about(telegram, "progress", 1)[0].splitlines()[1:] == ["before", "100%", "after"]


def test_output_comes_while_the_command_runs(telegram: FakeTelegram) -> None:
    process = start("run", "--", "sh", "-c", "echo first; read line; echo $line", stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"first\n"
    process.stdin.write(b"second\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"second\n"
    assert process.wait(30) == 0
    process.communicate()


def test_a_reader_that_goes_away_ends_the_command_as_without_botte(telegram: FakeTelegram) -> None:
    process = start("run", "--name", "endless", "yes")
    assert process.stdout is not None
    assert process.stdout.readline() == b"y\n"
    process.stdout.close()
    assert process.wait(30) == 128 + signal.SIGPIPE
    assert "exit code 141 (SIGPIPE)" in texts_about(telegram, "endless", 1)[0]
    process.communicate()


def test_a_slow_reader_gets_all_of_it(telegram: FakeTelegram) -> None:
    process = start("run", "--", sys.executable, "-c", "import sys; sys.stdout.write('x' * 100_000)")
    time.sleep(1.0)
    assert process.stdout is not None
    assert len(process.stdout.read()) == 100_000
    assert process.wait(30) == 0
    process.communicate()


def test_what_the_command_leaves_running_is_not_waited_for(telegram: FakeTelegram) -> None:
    started = time.monotonic()
    process = start("run", "--name", "leaver", "--", "sh", "-c", "sleep 30 & echo $!")
    out, _ = process.communicate(timeout=20)
    os.kill(int(out), signal.SIGKILL)
    assert process.returncode == 0
    assert time.monotonic() - started < 15
    assert texts_about(telegram, "leaver", 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_signals_go_to_the_command(telegram: FakeTelegram, number: signal.Signals) -> None:
    script = f"trap 'echo got it; exit 9' {number.name[3:]}; echo ready; while :; do sleep 0.05; done"
    process = start("run", "--name", number.name, "--", "sh", "-c", script)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    assert process.stdout.readline() == b"got it\n"
    assert process.wait(30) == 9
    assert "exit code 9" in texts_about(telegram, number.name, 1)[0]
    process.communicate()


def test_a_signal_from_the_keyboard_reaches_the_command_once(telegram: FakeTelegram) -> None:
    script = "import signal, time\ngot = []\nsignal.signal(2, lambda *_: got.append(1))\nprint('ready', flush=True)\n"
    script += "time.sleep(1)\nprint('got', len(got), 'in all')"
    run = [sys.executable, "-m", "botte_http_client", "run", "--name", "keyboard", "--", sys.executable, "-c", script]
    in_terminal = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    command = [sys.executable, "-c", in_terminal, *run]
    environment = {**os.environ, "PYTHONPATH": str(SOURCES[0])}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        seen = b""
        while b"ready" not in seen:
            seen += process.stdout.read(1024)
        process.stdin.write(b"\x03")
        while b"in all" not in seen:
            seen += process.stdout.read(1024)
        assert process.wait(30) == 0
    assert b"got 1 in all" in seen
    assert "got 1" in texts_about(telegram, "keyboard", 1)[0]


def test_a_hangup_that_nohup_ignores_is_ignored(telegram: FakeTelegram) -> None:
    script = "echo ready; sleep 0.5; echo survived"
    command = ["sh", "-c", f"trap '' HUP; exec {sys.executable} -m botte_http_client run -- sh -c '{script}'"]
    environment = {**os.environ, "PYTHONPATH": str(SOURCES[0])}
    process = subprocess.Popen(command, env=environment, start_new_session=True, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    os.killpg(process.pid, signal.SIGHUP)
    assert process.stdout.readline() == b"survived\n"
    assert process.wait(30) == 0
    process.communicate()


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        (b"", ""),
        (b"one\ntwo\n", "one\ntwo"),
        (b"\x1b[1;31mred\x1b[0m \x1b]8;;https://x\x07link\x1b]8;;\x1b\\", "red link"),
        (b"10%\r50%\r100%\r\ndone\r\n", "100%\ndone"),
        (b"10%\r20%\r100% done\n", "100% done"),
        (b"\r\x1b[2K50%\r\x1b[2K100%\r\x1b[?25h\n\r\r\nend\r", "100%\n\nend"),
        (b"\x1b(B\x1b[m\x1b[32mgreen\x1b(B\x1b[m\x1b=", "green"),
        (b"\xff\xfe half \xe2\x82", "\ufffd\ufffd half \ufffd"),
        (b"\n".join(b"%d" % number for number in range(50)), "45\n46\n47\n48\n49"),
        (b"x" * KEPT_BYTES, "x" * 100),
        ("x\N{PARTY POPPER}".encode() * 1000, "x\N{PARTY POPPER}" * 33),
    ],
)
def test_the_last_lines_are_shown_as_a_terminal_shows_them(output: bytes, shown: str) -> None:
    assert Outcome(0, 0.0, output).last_lines(5, 100) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.04, "0.0 s"), (59.9, "59.9 s"), (61, "1 min 1 s"), (3600, "1 h 0 min"), (90_061, "25 h 1 min")],
)
def test_durations_are_for_people(seconds: float, shown: str) -> None:
    from botte_http_client._cli import _duration

    assert _duration(seconds) == shown
