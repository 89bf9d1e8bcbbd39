"""A new HTTP API token: first live beside the old one, and then, when every sender has it, alone."""

from __future__ import annotations

import time

from chalicelib.settings import HTTP_API_TOKEN
from tools.ops.console import Console
from tools.ops.doors import http_request
from tools.ops.enrol import new_token_line, show_token_command
from tools.ops.stage import Stage, StageError

_POLL_SECONDS = 1.0
_WAIT_SECONDS = 330.0  # a function keeps what it read for five minutes


def rotate_token(stage: Stage, console: Console) -> int:
    """Makes a new token live, asks, and takes the old ones out. Run again, it goes on where it was left.

    Two live tokens are the sign that a rotation has begun. The tokens themselves are never shown. Raises StageError.
    """
    lines = [line for line in (stage.parameter(HTTP_API_TOKEN) or "").splitlines() if line.strip()]
    if not lines:
        raise StageError(f"parameter {stage.parameters_path}/{HTTP_API_TOKEN} holds no token: make deploy makes one")
    if len(lines) == 1:
        lines.append(new_token_line())
        _store(stage, lines)
        console.step("new", f"{_name(lines[-1])} is stored beside {_name(lines[0])}")
    else:
        console.step("new", f"{_name(lines[-1])} was stored before, beside {', '.join(map(_name, lines[:-1]))}")
    console.say("Waiting until the HTTP door has read it, five minutes at most.")
    console.run("live", lambda: _make_live(stage, lines[-1]))
    console.say(f"Give it to every sender. This prints it: {show_token_command(stage)}")
    if not console.confirm("Has every sender got it, so that the old one can go? [y/n]", "y", "yes"):
        console.say(f"Both are live. make rotate-token STAGE={stage.name} goes on from here.")
        return 0
    console.say("Waiting until the HTTP door has read that, five minutes at most.")
    console.run("out", lambda: _take_out(stage, lines))
    return 0


def _make_live(stage: Stage, line: str) -> str:
    _renew(stage)
    _await(stage, line, taken=True)
    return f"the HTTP door takes {_name(line)}"


def _take_out(stage: Stage, lines: list[str]) -> str:
    """Leaves the last of the tokens alone."""
    _store(stage, lines[-1:])
    _renew(stage)
    for line in lines[:-1]:
        _await(stage, line, taken=False)
    _await(stage, lines[-1], taken=True)
    return f"the HTTP door takes {', '.join(map(_name, lines[:-1]))} no more"


def _store(stage: Stage, lines: list[str]) -> None:
    stage.put_secret(HTTP_API_TOKEN, "\n".join(lines))


def _renew(stage: Stage) -> None:
    """Has the HTTP function begin anew, so that it reads its parameters now and not within five minutes.

    After any change of its configuration a function handles events in new environments:
    https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html
    """
    if stage.is_local:
        return  # the twin is one process, which reads them again after five minutes
    function = stage.handlers["api_handler"]
    told = f"parameters read anew at {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}"
    stage.call("lambda", "update_function_configuration", FunctionName=function, Description=told)
    stage.wait("lambda", "function_updated_v2", FunctionName=function)


def _await(stage: Stage, line: str, *, taken: bool) -> None:
    """Waits until the HTTP door takes a token, or does so no more: it is asked for a message that is not there."""
    ends = time.monotonic() + _WAIT_SECONDS
    while True:
        status, _ = http_request(stage, "GET", "/message/rotate-token", line.split()[-1])
        if (status == 404) if taken else (status == 403):
            return
        if time.monotonic() > ends:
            told = f"the HTTP door still answers {status} to {_name(line)}"
            raise StageError(f"{told}, which is {'' if taken else 'no more '}stored: make doctor STAGE={stage.name}")
        time.sleep(_POLL_SECONDS)


def _name(line: str) -> str:
    words = line.split()
    return words[0] if len(words) == 2 else "the token without a name"
