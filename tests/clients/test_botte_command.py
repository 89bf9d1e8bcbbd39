"""The ``botte`` command, as a shell sees it."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from botte_http_client._cli import _exit_code
from botte_http_client._contract.message import FIELDS
from botte_http_client._run import KEPT_BYTES, Outcome
from tests.clients.conftest import OPS_CHAT_ID, RunningTwin, arrived, texts_about, the_one
from tests.clients.servers import Proxy, Step, answer
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
    command = [sys.executable, "-m", "botte_http_client", *arguments]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, start_new_session=True, **{**pipes, **options})


def in_shell(line: str) -> tuple[int, str]:
    """Runs a line of bash with the command in it; gives the exit code and stderr."""
    command = f'botte() {{ {sys.executable} -m botte_http_client "$@"; }}; {line}'
    options: dict[str, Any] = {"capture_output": True, "text": True, "errors": "replace", "timeout": 30}
    done = subprocess.run(["bash", "-c", command], **options)
    return done.returncode, done.stderr


def test_send_says_that_it_is_delivered(botte: Botte, telegram: FakeTelegram) -> None:
    code, out, err = botte("send", "through the command")
    [message] = arrived(telegram, "through the command")
    assert (code, out, err) == (0, f"Delivered as message {message['message_id']}\n", "")


def test_send_has_an_option_for_every_field(botte: Botte, telegram: FakeTelegram) -> None:
    help_text = botte("send", "--help")[1]
    others = ("text", "heartbeat", "every")
    assert all(f"--{field.replace('_', '-')}" in help_text for field in FIELDS if field not in others)
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


SENT = answer(200, {"message_id": 1, "text": "x"})
NOTED = answer(200, {"heartbeat": "nightly", "due_at": 1_800_000_000})
REFUSED = answer(403, {"Code": "ForbiddenError", "Message": "no"})


def test_send_has_what_a_live_message_takes(botte: Botte, http_proxy: Proxy) -> None:
    lines: dict[str, dict[str, object]] = {
        "--key disk-db1 --ack --escalate-after 10m": {"ack": True, "escalate_after": 600},
        "--collapse-key disk-db1 --renotify --urgent": {"renotify": True, "urgent": True},
        "--key disk-db1 --silent": {"disable_notification": True},
    }
    for line, fields in lines.items():
        http_proxy.follow(SENT)
        assert botte("--url", http_proxy.url, "send", *line.split(), "Disk is full")[0] == 0
        given = {name: value for name, value in http_proxy.requests[-1].json.items() if name != "id"}
        assert given == {"text": "Disk is full", "collapse_key": "disk-db1", **fields}


def test_a_heartbeat_tells_when_the_next_is_due(botte: Botte, http_proxy: Proxy) -> None:
    given = ("--url", http_proxy.url, "heartbeat", "nightly", "--every", "26h")
    http_proxy.follow(NOTED, NOTED)
    code, out, err = botte(*given, "--chat", "ops", "--sender-app", "cron")
    assert (code, err) == (0, "")
    said, when = out.strip().split(" by ")
    assert said == "Noted; the next one is due"
    assert datetime.fromisoformat(when).timestamp() == 1_800_000_000
    assert json.loads(botte(*given, "--json")[1]) == {"heartbeat": "nightly", "due_at": 1_800_000_000}
    sent = {"heartbeat": "nightly", "every": 93_600}
    assert [each.json for each in http_proxy.requests] == [{**sent, "chat": "ops", "sender_app": "cron"}, sent]


def test_a_heartbeat_is_noted_also_where_that_cannot_be_shown(http_proxy: Proxy) -> None:
    http_proxy.follow(NOTED)
    code, err = in_shell(f"botte --url {http_proxy.url} heartbeat nightly --every 26h >/dev/full")
    assert (code, err) == (0, "botte: standard input or output: No space left on device\n")


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
        (["send"], {}, 2, "text: has nothing to show"),
        (["send", "x", "--html", "--markdown"], {}, 2, "give one of"),
        (["send", "x", "--html", "--pre"], {}, 2, "give one of"),
        (["send", "--pre", " "], {}, 2, "text: has nothing to show"),
        (["send", "x", "--reply-markup", "{"], {}, 2, "is not JSON"),
        (["send", "x", "--nonsense"], {}, 2, "--nonsense"),
        (["nonsense"], {}, 2, "nonsense"),
        (["send", "x", "--chat", "nowhere"], {}, 2, "chat: unknown chat"),
        (["send", "x"], {"BOTTE_TOKEN": "wrong"}, 3, "BOTTE_TOKEN"),
        (["send", "x"], {"BOTTE_TOKEN": ""}, 3, "BOTTE_TOKEN"),
        (["send", "x"], {"BOTTE_URL": ""}, 4, "BOTTE_URL is missing: set it, or let botte configure write it to /"),
        (["send", "x"], {"BOTTE_URL": "", "BOTTE_CONFIG": "/no/such/file"}, 4, "/no/such/file, and there is no such"),
        (["send", "x"], {"BOTTE_URL": "", "BOTTE_CONFIG": "/"}, 3, "/ cannot be read: Is a directory"),
        (["status", "nothing"], {}, 4, "no message is kept"),
        (["status", ""], {}, 2, "id: must be"),
        (["send", "x", "--ack"], {}, 2, "ack: makes sense only with collapse_key"),
        (
            ["send", "x", "--key", "k", "--ack", "--escalate-after", "soon"],
            {},
            2,
            "escalate_after: must be a number of",
        ),
        (["send", "x", "--key", "k", "--renotify", "--silent"], {}, 2, "renotify: contradicts disable_notification"),
        (["heartbeat", "nightly"], {}, 2, "--every"),
        (["heartbeat", "nightly", "--every", "soon"], {}, 2, "every: must be a number of seconds, or a text such as"),
        (["heartbeat", "two words", "--every", "1h"], {}, 2, "heartbeat: must be"),
        (["heartbeat", "nightly", "--every", "1h"], {"BOTTE_TOKEN": "wrong"}, 3, "BOTTE_TOKEN"),
        (["heartbeat", "nightly", "--every", "1h"], {"BOTTE_URL": "http://127.0.0.1:1"}, 1, "Try again later."),
        (["run", "--heartbeat", "nightly", "--", "echo", "ran"], {}, 2, "give --heartbeat and --every together"),
        (["run", "--every", "1h", "--", "echo", "ran"], {}, 2, "give --heartbeat and --every together"),
        (["run", "--heartbeat", "nightly", "--every", "1w", "--", "echo", "ran"], {}, 2, "every: must be"),
        (["run", "--heartbeat", "a b", "--every", "1h", "--", "echo", "ran"], {}, 2, "heartbeat: must be"),
        (["run", "--key", "a b", "--", "echo", "ran"], {}, 2, "collapse_key: must be"),
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


@pytest.mark.parametrize("arguments", [["send", "x"], ["status", "x"], ["run", "true"]])
def test_an_address_with_too_much_at_its_end_is_told_by_its_variable(
    botte: Botte, twin: RunningTwin, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setenv("BOTTE_URL", f"{twin.http_url}/message")
    code, _, err = botte(*arguments)
    assert code == (0 if arguments[0] == "run" else 4)
    assert "leave out /message at the end of the address (BOTTE_URL)" in err
    assert "base_url" not in err


def test_what_is_preformatted_arrives_as_it_is(botte: Botte, telegram: FakeTelegram) -> None:
    """In letters of one width, whatever looks like markup in it."""
    text = 'Use%   <b> & "quoted"\n 50%   *_`\\'
    assert botte("send", "--pre", text)[0] == 0
    assert arrived(telegram, text)[0]["entities"] == [{"type": "pre", "offset": 0, "length": len(text)}]
    assert in_shell("printf 'piped\n\033[31m<red>\033[0m\n' | botte send --pre") == (0, "")
    assert [entity["type"] for entity in arrived(telegram, "piped\n<red>")[0]["entities"]] == ["pre"]
    assert botte("send", "--pre", "--photo", "https://example.com/x.png")[0] == 0
    assert the_one(telegram, lambda message: message["method"] == "sendPhoto")["entities"] == []


def test_what_is_preformatted_and_long_keeps_both_its_ends(telegram: FakeTelegram) -> None:
    """Escaping takes room as well, and the file has the characters themselves."""
    code, err = in_shell("seq -f '<&%g>' 1 50000 | botte send --pre")
    assert (code, "are left out" in err) == (0, True)
    shown = the_one(telegram, lambda message: message["text"].startswith("<&1>\n"))["file_text"]
    assert shown.startswith("<&1>\n<&2>\n")
    assert shown.endswith("\n<&49999>\n<&50000>")


def test_the_address_may_be_an_option(botte: Botte, http_proxy: Proxy, telegram: FakeTelegram) -> None:
    assert botte("--url", http_proxy.url, "send", "by option")[0] == 0
    assert len(http_proxy.requests) == 1


@pytest.mark.parametrize("arguments", [["send"], ["send", "-"]])
def test_text_is_read_from_standard_input(telegram: FakeTelegram, arguments: list[str]) -> None:
    """A pipe is read with and without a dash, and bytes that are not UTF-8 are shown as such."""
    given = "from a pipe, é\r\nnot \udcff UTF-8 \x00end\r\n\n".encode(errors="surrogateescape")
    process = start(*arguments, stdin=subprocess.PIPE)
    _, err = process.communicate(given, timeout=30)
    assert (process.returncode, err) == (0, b"")
    arrived(telegram, "from a pipe, é\nnot \ufffd UTF-8 end")


def test_text_is_read_from_a_file(telegram: FakeTelegram, tmp_path: Path) -> None:
    """Standard input that is redirected is read as a pipe is."""
    (tmp_path / "report").write_text("from a file\n")
    assert in_shell(f"botte send --chat ops <{tmp_path}/report") == (0, "")
    assert arrived(telegram, "from a file")[0]["chat_id"] == OPS_CHAT_ID


@pytest.mark.parametrize("arguments", [["TEXT"], ["--photo", "https://example.com/x.png"]])
def test_standard_input_is_left_alone_by_a_message_that_does_not_need_it(
    telegram: FakeTelegram, arguments: list[str]
) -> None:
    """With a TEXT, a photo or a document, what runs next still finds all of the input."""
    reading, writing = os.pipe()
    with open(reading, "rb") as ours, open(writing, "wb") as theirs:
        theirs.write(b"for somebody else")
        theirs.flush()
        process = start("send", *arguments, stdin=ours)
        assert process.wait(30) == 0
        process.communicate()
        theirs.close()
        assert ours.read() == b"for somebody else"


def test_a_caption_is_read_where_a_dash_asks_for_it(telegram: FakeTelegram) -> None:
    """A photo has a caption from standard input for a dash only."""
    assert in_shell("echo read | botte send --photo https://example.com/x.png -") == (0, "")
    assert arrived(telegram, "read")[0]["method"] == "sendPhoto"


def test_a_terminal_is_not_waited_for_silently(telegram: FakeTelegram) -> None:
    """At a terminal, a forgotten TEXT is an error that shows what to write; a dash reads what is typed."""
    keyboard, terminal = os.openpty()
    process = start("send", stdin=terminal)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (
        2, b'botte: TEXT is missing: botte send "Backup done", or some-command | botte send\n',
    )  # fmt: skip
    process = start("send", "-", stdin=terminal)
    os.write(keyboard, b"typed\n\x04")
    process.communicate(timeout=30)
    assert process.returncode == 0
    arrived(telegram, "typed")
    os.close(keyboard)
    os.close(terminal)


def test_a_pipe_that_does_not_block_is_read_to_its_end(telegram: FakeTelegram) -> None:
    """Where another process has made the pipe non-blocking, a pause of the writer is not the end of the text."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    process = start("send", stdin=reading)
    os.close(reading)
    with open(writing, "wb", buffering=0) as pipe:
        for _ in range(3):
            pipe.write(b"x" * 65_536)  # as much as the pipe holds: each one waits for the command to read
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, b"")
    assert the_one(telegram, lambda message: message["text"].startswith("xxx"))["file_size"] == 3 * 65_536


@pytest.mark.parametrize("dash", ["", "-"])
def test_a_long_text_arrives_whole(telegram: FakeTelegram, dash: str) -> None:
    """A long log shows its first lines, and is a file with all of it."""
    assert in_shell(f"seq 1 20000 | botte send {dash}") == (0, "")
    message = the_one(telegram, lambda message: message["text"].startswith("1\n2\n3\n"))
    assert (message["file_name"], message["file_text"]) == ("message.txt", "\n".join(map(str, range(1, 20_001))))


@pytest.mark.parametrize("line", ["a log line", '"' * 9, "\N{PARTY POPPER}\t\\"])
def test_a_text_that_is_too_long_arrives_without_its_middle(telegram: FakeTelegram, tmp_path: Path, line: str) -> None:
    """Who writes more than a message holds is not ended, and both ends arrive; chat and stderr say what does not."""
    text = "first\n" + f"{line}\n" * (1_000_000 // len(line)) + "last"
    (tmp_path / "log").write_text(text)
    code, err = in_shell(f"set -o pipefail; cat {tmp_path}/log | botte send")
    shown = the_one(telegram, lambda message: message["text"].startswith("first\n"))["file_text"]
    beginning, left_out, end = re.split(r"\n… (.*) characters left out …\n", shown)
    assert (code, err.count("\n")) == (0, 1)
    assert err.startswith(f"botte: {left_out} characters in the middle of the text are left out: ")
    assert text.startswith(beginning)
    assert text.endswith(end)
    assert len(beginning) + len(end) + int(left_out.replace(",", "")) == len(text)
    assert abs(len(beginning) - len(end)) <= 1
    assert 250_000 < len(json.dumps(shown, ensure_ascii=False).encode()) < 262_144


def test_what_is_not_shown_takes_no_room(telegram: FakeTelegram, tmp_path: Path) -> None:
    """Of a text that fits without its colours, nothing is left out."""
    (tmp_path / "log").write_text("\x1b[31mred\x1b[0m\x00\n" * 30_000)
    assert in_shell(f"botte send <{tmp_path}/log") == (0, "")
    message = the_one(telegram, lambda message: message["text"].startswith("red\n"))
    assert message["file_text"] == "\n".join(["red"] * 30_000)


@pytest.mark.parametrize("redirection", ["<&-", "</dev/null", "- <&-", "- </dev/null"])
def test_no_input_is_no_text(redirection: str) -> None:
    """In cron, where there is no input, a forgotten text is an error."""
    assert in_shell(f"botte send {redirection}") == (2, "botte: text: has nothing to show\n")


def test_letters_of_another_encoding_are_never_lost(telegram: FakeTelegram, http_proxy: Proxy) -> None:
    """What is no UTF-8 on a command line is seen to be broken: in a text, a name, a label, and the output of run."""
    send = f"e=$(printf '\\351'); botte --url {http_proxy.url} send --sender-app app$e caf$e"
    assert in_shell(f"{send} && botte run --name run$e printf '\\351t\\351'") == (0, "")
    assert len(arrived(telegram, "caf\ufffd")) == 1
    assert http_proxy.requests[0].json["sender_app"] == "app\ufffd"
    [text] = texts_about(telegram, "run\ufffd", 1)
    assert text.splitlines()[1:] == ["\ufffdt\ufffd"]


@pytest.mark.parametrize(
    ("option", "value", "field"),
    [
        ("--chat", "ops\udce9", "chat"),
        ("--id", "\udce9", "id"),
        ("--photo", "https://example.com/\udce9", "photo"),
        ("--document", "https://example.com/\udce9", "document"),
        ("--link-preview-options", '{"url": "https://example.com/\udce9"}', "link_preview_options.url"),
    ],
)
def test_an_option_that_would_go_to_the_wrong_place_is_an_error(
    botte: Botte, telegram: FakeTelegram, option: str, value: str, field: str
) -> None:
    """A chat, an id or an address in another encoding is refused: with U+FFFD in it, it would be another one."""
    code, _, err = botte("send", option, value, "x")
    assert (code, err.startswith(f"botte: {field}: must be ")) == (2, True)
    assert not telegram.messages


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-5 degrees", "'-5 degrees'"),
        ("--- a/file\n+++ b/file\n", "'--- a/file +++ b/file '"),
        ("--x=1", "--x=1"),
        ("-" * 500, "'" + "-" * 40 + "…'"),
    ],
)
def test_a_text_that_begins_with_a_dash_goes_after_two(
    botte: Botte, telegram: FakeTelegram, text: str, shown: str
) -> None:
    """Without them it is taken for an option; the error shows what to write, and that works."""
    reason = "no such option; a text that begins with a dash goes after --"
    assert botte("send", "--silent", text) == (2, "", f"botte: {reason}: botte send -- {shown}\n")
    assert botte("send", "--silent", "--", text)[0] == 0
    arrived(telegram, text.strip())


def test_a_slip_in_an_option_is_told_as_such(botte: Botte) -> None:
    """An option that is nearly right is not taken for a text."""
    code, _, err = botte("send", "--slient", "x")
    assert (code, "--silent" in err, " -- " in err) == (2, True, False)


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


@pytest.mark.parametrize("command", [[], ["send"], ["run"], ["heartbeat"], ["status"], ["configure"]])
def test_help_is_there(botte: Botte, command: list[str]) -> None:
    code, out, _ = botte(*command, "--help")
    assert code == 0
    if command not in (["status"], ["configure"]):
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


@pytest.mark.parametrize(
    ("arguments", "unneeded", "code"),
    [
        (["--help"], ["requests", "rich"], 0),
        (["send", "--help"], ["requests", "rich"], 0),
        (["send", "x", "--html", "--markdown"], ["requests", "rich"], 2),
        (["send", "without rich"], ["rich"], 0),
    ],
)
def test_what_takes_long_to_import_is_imported_only_where_it_is_needed(
    arguments: list[str], unneeded: list[str], code: int
) -> None:
    script = f"import sys; sys.modules.update(dict.fromkeys({unneeded}))\n"
    script += "from botte_http_client.__main__ import main; main()"
    command = [sys.executable, "-c", script, *arguments]
    assert subprocess.run(command, capture_output=True, check=False).returncode == code


def test_a_person_without_rich_sees_no_colours(telegram: FakeTelegram) -> None:
    script = "import sys; sys.modules['rich'] = None; from botte_http_client.__main__ import main; main()"
    screen, terminal = os.openpty()
    assert subprocess.run([sys.executable, "-c", script, "send", "plain"], stdout=terminal, timeout=30).returncode == 0
    assert os.read(screen, 1024).startswith(b"Delivered as message ")
    os.close(screen)
    os.close(terminal)


def test_a_person_sees_colours(telegram: FakeTelegram, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    screen, terminal = os.openpty()
    process = start("send", "in colours", stdout=terminal)
    assert process.communicate(timeout=30)[1] == b""
    assert os.read(screen, 1024).startswith(b"\x1b[32mDelivered\x1b[0m as message ")
    os.close(screen)
    os.close(terminal)


def test_run_passes_output_through_and_tells_how_it_ended(botte: Botte, telegram: FakeTelegram) -> None:
    script = "echo out; echo err >&2; exit 3"
    assert botte("run", "--chat", "ops", "--name", "nightly <1>", "--", "sh", "-c", script) == (3, "out\n", "err\n")
    [text] = texts_about(telegram, "nightly <1>", 1)
    first, *last = text.splitlines()
    assert first.startswith(f"❌ nightly <1> on {socket.gethostname()}: exit code 3, 0.")
    assert first.endswith(" s")
    assert sorted(last) == ["err", "out"]
    message = the_one(telegram, lambda message: "nightly <1>" in message["text"])
    assert message["chat_id"] == OPS_CHAT_ID
    assert [entity["type"] for entity in message["entities"]] == ["bold", "pre"]


def test_run_of_a_silent_command_has_one_line(botte: Botte, telegram: FakeTelegram) -> None:
    assert botte("run", "--silent", "true") == (0, "", "")
    [text] = texts_about(telegram, "true", 1)
    assert text.startswith(f"✅ true on {socket.gethostname()}: exit code 0, ")
    assert "\n" not in text
    assert the_one(telegram, lambda message: "true" in message["text"])["disable_notification"]


def test_run_on_failure_tells_nothing_of_a_success(botte: Botte, http_proxy: Proxy, telegram: FakeTelegram) -> None:
    given = ("--url", http_proxy.url, "run", "--on-failure", "--name", "cron job", "--")
    assert botte(*given, "sh", "-c", "echo fine") == (0, "fine\n", "")
    assert http_proxy.requests == []
    assert botte(*given, "sh", "-c", "echo bad; exit 3") == (3, "bad\n", "")
    [text] = texts_about(telegram, "cron job", 1)
    assert "exit code 3" in text


def of_run(http_proxy: Proxy) -> list[str]:
    """What a run has sent, in its order."""
    return ["beat" if "heartbeat" in request.json else "report" for request in http_proxy.requests]


@pytest.mark.parametrize(
    ("options", "script", "code", "sent"),
    [
        ([], "echo fine", 0, ["report", "beat"]),
        ([], "exit 3", 3, ["report", "beat"]),
        (["--on-failure"], "echo fine", 0, ["beat"]),
        (["--on-failure"], "exit 3", 3, ["report", "beat"]),
    ],
)
def test_run_says_that_the_command_ran_however_it_ended(
    botte: Botte, http_proxy: Proxy, options: list[str], script: str, code: int, sent: list[str]
) -> None:
    http_proxy.follow(*[SENT, NOTED][-len(sent) :])
    given = ("--url", http_proxy.url, "run", "--heartbeat", "nightly", "--every", "26h", "--chat", "ops", *options)
    assert botte(*given, "--", "sh", "-c", script)[::2] == (code, "")
    assert of_run(http_proxy) == sent
    assert http_proxy.requests[-1].json == {"heartbeat": "nightly", "every": 93_600, "chat": "ops"}


def test_run_says_nothing_of_a_command_that_has_not_ended(http_proxy: Proxy) -> None:
    http_proxy.follow(NOTED)
    given = ("--url", http_proxy.url, "run", "--on-failure", "--heartbeat", "nightly", "--every", "26h")
    process = start(*given, "--", "sh", "-c", "echo first; read line", stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"first\n"
    assert of_run(http_proxy) == []
    process.communicate(b"second\n", timeout=30)
    assert process.returncode == 0
    assert of_run(http_proxy) == ["beat"]


@pytest.mark.parametrize(
    ("faults", "unsent"),
    [
        ([REFUSED, NOTED], ["notification"]),
        ([SENT, REFUSED], ["heartbeat"]),
        ([REFUSED, REFUSED], ["notification", "heartbeat"]),
        ([SENT, answer(200, {"ok": True})], ["heartbeat"]),
    ],
)
def test_run_has_the_commands_code_and_sends_the_one_also_when_the_other_fails(
    botte: Botte, http_proxy: Proxy, faults: list[Step], unsent: list[str]
) -> None:
    http_proxy.follow(*faults)
    given = ("--url", http_proxy.url, "run", "--heartbeat", "nightly", "--every", "26h", "--")
    code, _, err = botte(*given, "sh", "-c", "exit 7")
    assert (code, of_run(http_proxy)) == (7, ["report", "beat"])
    said = [line.partition(" was not sent: ")[0] for line in err.splitlines()]
    assert said == [f"botte: the {what}" for what in unsent]


def test_a_report_with_a_key_is_an_edit_unless_it_tells_of_a_failure(botte: Botte, http_proxy: Proxy) -> None:
    """An edit has no sound: it does for a success, and not for a failure, unless no sound is wanted."""
    for options, script, fields in (
        ([], "exit 0", {}),
        ([], "exit 3", {"renotify": True}),
        (["--silent"], "exit 3", {"disable_notification": True}),
    ):
        http_proxy.follow(SENT)
        botte("--url", http_proxy.url, "run", "--key", "backup", *options, "--", "sh", "-c", script)
        sent = http_proxy.requests[-1].json
        assert sent["collapse_key"] == "backup"
        assert {name: sent[name] for name in ("renotify", "disable_notification") if name in sent} == fields


def test_run_says_before_the_command_that_nobody_will_be_told(
    botte: Botte, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the command then succeeds, so that a job is not found unwatched on the day when it fails."""
    monkeypatch.setenv("BOTTE_TOKEN", "")
    _, _, err = botte("run", "--on-failure", "--", "sh", "-c", "echo from the command >&2")
    first, second = err.splitlines()
    assert first.startswith("botte: no notification will be sent: BOTTE_TOKEN is missing: ")
    assert second == "from the command"


def test_run_has_the_commands_code_also_when_the_notification_fails(
    botte: Botte, http_proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for url, fault in [(http_proxy.url, answer(403, {"Code": "ForbiddenError", "Message": "no"})), ("", None)]:
        monkeypatch.setenv("BOTTE_URL", url)
        http_proxy.follow(*[fault] if fault else [])
        code, out, err = botte("run", "--", "sh", "-c", "echo out; exit 7")
        assert (code, out, err.count("\n")) == (7, "out\n", 1)
        assert err.startswith(("botte: the notification was not sent: ", "botte: no notification will be sent: "))


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
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
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
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE)
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
    from botte_http_client._report import _duration

    assert _duration(seconds) == shown


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the file of the command is to be. The environment has nothing that the command looks for."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "of the user"))
    for name in ("BOTTE_URL", "BOTTE_TOKEN"):
        monkeypatch.delenv(name)
    return tmp_path / "of the user" / "botte" / "config"


def write(config: Path, text: str, mode: int = 0o600) -> None:
    config.parent.mkdir(parents=True)
    config.write_text(text)
    config.chmod(mode)


def test_what_configure_writes_is_for_its_owner_and_all_that_the_other_commands_need(
    botte: Botte, twin: RunningTwin, config: Path, telegram: FakeTelegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line in a crontab runs without a variable."""
    write(config, "", mode=0o644)
    monkeypatch.setenv("BOTTE_TOKEN", "local-token")
    assert botte("--url", twin.http_url, "configure") == (0, f"{config} is written; now: botte send Hello\n", "")
    assert [path.name for path in config.parent.iterdir()] == ["config"]
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    bare = f"env -i PATH=$PATH XDG_CONFIG_HOME='{config.parents[1]}' {sys.executable} -m botte_http_client"
    assert in_shell(f"{bare} send --id of-the-file 'of the file' && {bare} run --name cron -- true") == (0, "")
    arrived(telegram, "of the file")
    assert texts_about(telegram, "cron", 1)
    monkeypatch.delenv("BOTTE_TOKEN")
    assert botte("status", "of-the-file")[0] == 0


def test_configure_asks_for_what_it_does_not_know_and_shows_no_token(twin: RunningTwin, config: Path) -> None:
    keyboard, terminal = os.openpty()
    process = start("configure", stdin=terminal, stdout=terminal, stderr=terminal, preexec_fn=own(terminal))
    os.close(terminal)
    seen = b""
    for asked, answered in ((b"Address of Botte: ", twin.http_url), (b"API token: ", "local-token")):
        while not seen.endswith(asked):
            seen += os.read(keyboard, 1024)
        os.write(keyboard, f"{answered}\n".encode())
    assert process.wait(30) == 0
    assert b"local-token" not in seen + os.read(keyboard, 1024)
    os.close(keyboard)
    assert config.read_text() == f"BOTTE_URL={twin.http_url}\nBOTTE_TOKEN=local-token\n"


def own(terminal: int) -> Callable[[], None]:
    """Makes it the terminal of the process that runs this, which then asks there."""

    def take() -> None:
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

    return take


def test_configure_says_where_it_cannot_write(botte: Botte, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTTE_TOKEN", "local-token")
    config.mkdir(parents=True)
    code, _, err = botte("--url", "https://example.com", "configure")
    assert (code, err) == (1, f"botte: Could not open file '{config}': Is a directory\n")
    assert list(config.parent.iterdir()) == [config]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_where_the_disk_is_full_configure_leaves_the_file_as_it_was(
    botte: Botte, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_a_full_disk(*, prefix: str, dir: str) -> tuple[int, str]:
        made = Path(dir, f"{prefix}new")
        made.touch()
        return os.open("/dev/full", os.O_WRONLY), str(made)

    write(config, "as it was")
    monkeypatch.setenv("BOTTE_TOKEN", "local-token")
    monkeypatch.setattr("tempfile.mkstemp", on_a_full_disk)
    assert botte("--url", "https://example.com", "configure")[0] == 1
    assert config.read_text() == "as it was"
    assert list(config.parent.iterdir()) == [config]


def test_an_empty_variable_names_no_file(botte: Botte, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTTE_CONFIG", "")
    code, _, err = botte("send", "x")
    assert (code, err) == (4, f"botte: BOTTE_URL is missing: set it, or let botte configure write it to {config}\n")


def test_configure_writes_nothing_that_cannot_work(botte: Botte, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTTE_TOKEN", "two words")
    assert botte("--url", "https://example.com", "configure")[0] == 3
    monkeypatch.setenv("BOTTE_TOKEN", "local-token")
    assert botte("--url", "example.com", "configure")[0] == 4
    assert not config.exists()


def test_the_file_may_be_written_by_hand_and_the_environment_goes_before_it(
    botte: Botte, twin: RunningTwin, config: Path, telegram: FakeTelegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(config, f"# Botte\n\nexport BOTTE_URL='{twin.http_url}'\n  BOTTE_TOKEN = wrong\n".replace(" = ", "="))
    assert botte("send", "x")[0] == 3
    monkeypatch.setenv("BOTTE_TOKEN", "local-token")
    assert botte("send", "by hand")[0] == 0
    arrived(telegram, "by hand")
    monkeypatch.setenv("BOTTE_CONFIG", str(config.rename(config.with_name("elsewhere"))))
    assert botte("send", "elsewhere")[0] == 0


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_may_read_is_refused(
    botte: Botte, twin: RunningTwin, config: Path, telegram: FakeTelegram, mode: int
) -> None:
    write(config, f"BOTTE_URL={twin.http_url}\nBOTTE_TOKEN=local-token\n", mode)
    said = f"others may read or write {config}, which has the API token: chmod 600 {config}\n"
    assert botte("send", "x") == (3, "", f"botte: {said}")
    assert botte("run", "--", "sh", "-c", "exit 7") == (7, "", f"botte: no notification will be sent: {said}")
    assert not telegram.messages


@pytest.mark.parametrize("line", ["BOTTE_TOKN=local-secret", "local-secret", "\xff"])
def test_a_line_that_is_none_is_told_by_its_number(botte: Botte, config: Path, line: str) -> None:
    write(config, f"BOTTE_URL=http://127.0.0.1:1\n{line}\n")
    said = f"botte: {config}, line 2: must be BOTTE_URL=... or BOTTE_TOKEN=...\n"
    assert botte("send", "x") == (4, "", said)
