"""The ``botte`` command.

The client, which stands on requests, and rich are imported where they are needed: they take most of the time to start.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from . import __version__
from ._contract.message import PARSE_MODES, InvalidMessage, check_field, parse_duration, parse_json
from ._report import preformatted, write_report
from ._settings import find_settings, settings_file, write_settings
from ._shared.client import (
    Accepted,
    AuthenticationError,
    BotteError,
    Delivered,
    NotFound,
    Refused,
    Unavailable,
    make_heartbeat,
)
from ._standard_input import read_text

if TYPE_CHECKING:
    from ._http import BotteHttpClient

_EXIT_CODES: dict[type[Exception], int] = {
    Unavailable: 1,
    InvalidMessage: 2,
    AuthenticationError: 3,
    NotFound: 4,
    Refused: 5,
}
_SHOWN_CHARACTERS = 40  # of a text, in an error


def main() -> None:
    # Where standard input, output or error is closed, what is opened next would take its number.
    while (spare := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(spare)
    sys.exit(_exit_code(sys.argv[1:]))


def _exit_code(arguments: list[str]) -> int:
    """Runs the command; what goes wrong is one line on stderr."""
    try:
        code: int | None = botte.main(arguments, prog_name="botte", standalone_mode=False)
    except click.ClickException as error:
        return _complain(error.format_message(), error.exit_code)
    except (BotteError, InvalidMessage) as error:
        return _complain(str(error), _EXIT_CODES[type(error)])
    except (click.Abort, KeyboardInterrupt):
        return _complain("interrupted", 130)
    except OSError as error:
        return _give_up_output(error, 1)
    return code or 0


def _complain(reason: str, code: int) -> int:
    with suppress(OSError):  # who cannot be told still gets the code
        os.write(2, f"botte: {' '.join(reason.split())}\n".encode(errors="backslashreplace"))
    return code


def _give_up_output(error: OSError, code: int) -> int:
    # What is left in the buffer would be tried again at the end, and change the exit code.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return _complain(f"standard input or output: {error.strerror}", code)


def _connect(url: str | None) -> BotteHttpClient:
    """The client, which is not imported before. Raises BotteError."""
    from ._http import BotteHttpClient

    return BotteHttpClient(*find_settings(url))


def _parsed(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Any:
    try:
        return None if value is None else parse_json(value)
    except InvalidMessage as error:
        raise click.BadParameter(error.reason) from None


def _seconds(_context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    return None if value is None else parse_duration(str(parameter.name), value)


def _checked(_context: click.Context, parameter: click.Parameter, value: str | None) -> Any:
    return None if value is None else check_field(str(parameter.name), value)


class _Send(click.Command):
    """A command whose only argument is a text."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)  # parsing empties it
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.possibilities:
                raise
            text = next(word for word in given if word.startswith(error.option_name))
            shown = shlex.quote(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…")
            raise click.UsageError(
                f"no such option; a text that begins with a dash goes after --: {ctx.command_path} -- {shown}"
            ) from None


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  botte send "Backup done"
  df -h | botte send --chat ops --silent
  botte run -- backup.sh /home
  botte heartbeat nightly --every 26h
  botte status 34sVCw69dftbK1MSWtRkv6T8vGp
\b
Exit codes of send, heartbeat and status:
  0  delivered, or accepted and going to be
  1  not accepted as far as anybody knows; send it again later, with the same --id
  2  the message or the command line is wrong
  3  the API token is missing or wrong, or others may read its file
  4  wrong or missing address, or no message is kept under the id
  5  Telegram refused the message for good
run has the exit code of its command; 126 and 127 if it cannot be started, 128 + n after signal n.
\b
Shell completion (zsh and fish alike):
  eval "$(_BOTTE_COMPLETE=bash_source botte)"
""",
)
@click.option("--url", envvar="BOTTE_URL", show_envvar=True, help="Address of Botte.")
@click.version_option(__version__)
@click.pass_context
def botte(context: click.Context, url: str | None) -> None:
    """Sends messages to your Telegram chat.

    The API token is read from BOTTE_TOKEN. What is not in the environment is read from the file of botte configure.
    """
    context.obj = url
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@botte.command(
    cls=_Send,
    epilog="""\b
Examples:
  botte send "Backup done"
  some-command 2>&1 | botte send
  botte send --silent < report.txt
  botte send -- "-5 degrees"
  df -h | botte send --pre
  botte send --chat ops --html --silent "<b>Disk</b> is full"
  botte send --photo https://example.com/chart.png "Today"
  botte send --deliver-at "$(date -d 9:00 +%s)" --id standup-42 "Standup"
  botte send --key disk-db1 --ack --escalate-after 10m "Disk is full"
  botte send --key disk-db1 --silent "Disk has room again"
""",
)
@click.argument("text", required=False)
@click.option("--sender-app", metavar="NAME", help="Who sends: for logs, mutes and topics.")
@click.option("--id", metavar="KEY", help="Idempotency key: the same one is delivered once.")
@click.option("--chat", metavar="NAME", help="One of Botte's chats.")
@click.option("--parse-mode", type=click.Choice(PARSE_MODES), help="The markup of the text.")
@click.option("--html", is_flag=True, help="Same as --parse-mode HTML.")
@click.option("--markdown", is_flag=True, help="Same as --parse-mode MarkdownV2.")
@click.option("--pre", is_flag=True, help="As it is, in letters of one width.")
@click.option("--silent", "--disable-notification", "disable_notification", is_flag=True, help="No sound.")
@click.option("--protect-content", is_flag=True, help="Neither forwarded nor saved.")
@click.option("--message-thread-id", metavar="N", type=int, help="Topic of a forum.")
@click.option("--link-preview-options", metavar="JSON", callback=_parsed, help='Such as {"is_disabled": true}.')
@click.option("--reply-markup", metavar="JSON", callback=_parsed, help="Inline keyboard with url buttons.")
@click.option("--photo", metavar="URL", help="Public https URL; TEXT is the caption.")
@click.option("--document", metavar="URL", help="Public https URL; TEXT is the caption.")
@click.option("--deliver-at", metavar="SECONDS", type=int, help="Not before, in epoch seconds.")
@click.option(
    "--key", "--collapse-key", "collapse_key", metavar="KEY", help="The next message with this key edits this one."
)
@click.option("--renotify", is_flag=True, help="With --key: a new message, with a sound, instead of an edit.")
@click.option("--ack", is_flag=True, help="With --key: buttons to acknowledge or snooze it.")
@click.option(
    "--escalate-after", metavar="TIME", callback=_seconds, help="With --ack: until it is sent again, such as 10m."
)
@click.option("--urgent", is_flag=True, help="With a sound also in quiet hours.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def send(
    url: str | None, /, text: str | None, html: bool, markdown: bool, pre: bool, as_json: bool, **fields: Any
) -> None:
    """Sends TEXT, or what comes from a pipe or a file.

    They are read to their end; of more than 250 KB the middle is left out, and the message and stderr say so.
    - for TEXT reads also a terminal, and the caption of a photo or document.
    """
    if text is None and fields["photo"] is None and fields["document"] is None:
        if os.isatty(0):
            raise click.UsageError('TEXT is missing: botte send "Backup done", or some-command | botte send')
        text = "-"
    if html + markdown + pre + (fields["parse_mode"] is not None) > 1:
        raise click.UsageError("give one of --parse-mode, --html, --markdown and --pre")
    fields["parse_mode"] = "HTML" if html or pre else "MarkdownV2" if markdown else fields["parse_mode"]
    # A switch that is not given leaves its field out.
    given = {name: value for name, value in fields.items() if value is not False}
    with _connect(url) as client:
        result = client.send_message(_read_text(text, preformatted if pre else str), **given)
    try:
        _show(result, as_json)
    except OSError as error:
        _give_up_output(error, 0)  # Botte has the message: nobody shall send it again


@botte.command(
    epilog="""\b
Examples:
  botte heartbeat nightly --every 26h
  botte heartbeat db1 --every 90m --chat ops
""",
)
@click.argument("name")
@click.option("--every", metavar="TIME", required=True, help="Until the next one comes, such as 90m, 26h, 2d.")
@click.option("--chat", metavar="NAME", help="The one of Botte's chats that is told.")
@click.option("--sender-app", metavar="NAME", help="Who sends: for logs, mutes and topics.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def heartbeat(url: str | None, /, name: str, as_json: bool, **fields: Any) -> None:
    """Says that what is called NAME is alive.

    If it does not say so again in time, Botte tells the chat; and tells it when it is back.
    """
    with _connect(url) as client:
        due_at = client.send_heartbeat(name, **fields)
    try:
        if as_json:
            click.echo(json.dumps({"heartbeat": name, "due_at": due_at}))
        else:
            _print(("Noted", "green"), f"; the next one is due by {_local(due_at)}")
    except OSError as error:
        _give_up_output(error, 0)


@botte.command()
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="Print the status as JSON.")
@click.pass_obj
def status(url: str | None, /, id: str, as_json: bool) -> None:
    """Tells what became of a message that was accepted, or sent with an --id."""
    with _connect(url) as client:
        found = asdict(client.get_status(id))
    if as_json:
        click.echo(json.dumps(found))
        return
    if found["due_at"] is not None:
        found["due_at"] = _local(found["due_at"])
    for name, value in found.items():
        shown = ", ".join(map(str, value)) if isinstance(value, tuple) else value
        _print((f"{name.replace('_', ' '):13}", "bold"), "-" if shown in (None, "") else str(shown))


@botte.command(
    "run",
    context_settings={"allow_interspersed_args": False},
    epilog="""\b
Examples:
  botte run -- backup.sh /home
  botte run --chat ops --name "nightly backup" -- sh -c 'dump | upload'
  botte run --key backup -- backup.sh
\b
In a crontab, after botte configure:
  0 3 * * *  botte run --on-failure --heartbeat nightly --every 26h -- backup.sh
""",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--on-failure", is_flag=True, help="Tell only if the exit code is not 0.")
@click.option(
    "--heartbeat", metavar="NAME", help="Say that it ran, also if it failed; if it does not run, Botte tells the chat."
)
@click.option("--every", metavar="TIME", help="With --heartbeat: until it has run again, such as 26h.")
@click.option(
    "--key",
    "collapse_key",
    metavar="KEY",
    callback=_checked,
    help="The report edits that of the run before; that of a failure is a new message, with a sound.",
)
@click.option("--name", help="What to call the command; else the name of its file.")
@click.option(
    "--lines", default=20, show_default=True, type=click.IntRange(0), help="How many of its last lines to send."
)
@click.option("--sender-app", metavar="NAME", help="Who sends: for logs, mutes and topics.")
@click.option("--chat", metavar="NAME", help="One of Botte's chats.")
@click.option("--silent", is_flag=True, help="No sound.")
@click.option("--message-thread-id", metavar="N", type=int, help="Topic of a forum.")
@click.pass_obj
def run_command(
    url: str | None,
    /,
    command: tuple[str, ...],
    on_failure: bool,
    heartbeat: str | None,
    every: str | None,
    name: str | None,
    lines: int,
    silent: bool,
    **fields: Any,
) -> int:
    """Runs COMMAND, and then tells you how it ended.

    Its output and the signals go through as they come. The message has its name, the host's, the exit code, the
    duration and the last lines.
    """
    from ._run import run  # it needs the signals of POSIX

    if (heartbeat is None) != (every is None):
        raise click.UsageError("give --heartbeat and --every together: --heartbeat nightly --every 26h")
    if heartbeat is not None and every is not None:
        make_heartbeat(heartbeat, every, fields["chat"], fields["sender_app"])  # what is wrong is told before COMMAND
    try:
        client = _connect(url)  # before COMMAND, which may be an upgrade of what it stands on, or run for hours
    except Exception as error:  # whatever it is, the command runs
        _complain(f"no notification will be sent: {error}", 1)
        return run(command).code
    outcome = run(command)
    with client:
        if outcome.code or not on_failure:
            with _told("notification"):
                client.send_message(
                    write_report(name or os.path.basename(command[0]), outcome, lines),
                    parse_mode="HTML",
                    link_preview_options={"is_disabled": True},
                    disable_notification=silent or None,
                    # An edit has no sound, and a failure is to be heard.
                    renotify=bool(fields["collapse_key"] and outcome.code and not silent) or None,
                    **fields,
                )
        if heartbeat is not None and every is not None:
            with _told("heartbeat"):
                client.send_heartbeat(heartbeat, every=every, chat=fields["chat"], sender_app=fields["sender_app"])
    return outcome.code


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Complains of whatever keeps something from being sent: the code of the command that has ended is what counts."""
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        _complain(f"the {what} was not sent: {error or type(error).__name__}", 1)


@botte.command()
@click.pass_obj
def configure(url: str | None, /) -> None:
    """Keeps the address and the API token in a file.

    They are those of --url or BOTTE_URL, and of BOTTE_TOKEN, or asked for. Only you may read
    the file, ~/.config/botte/config or what BOTTE_CONFIG names. The other commands then need no environment.
    """
    from ._http import BotteHttpClient

    url = url or click.prompt("Address of Botte")
    token = os.environ.get("BOTTE_TOKEN") or click.prompt("API token", hide_input=True)
    BotteHttpClient(url, token).close()  # it refuses what cannot be an address or a token
    try:
        write_settings(url, token)
    except OSError as error:
        raise click.FileError(settings_file(), error.strerror) from None
    click.echo(f"{settings_file()} is written; now: botte send Hello")


def _read_text(text: str | None, written: Callable[[str], str]) -> str | None:
    """The text as it stands in the message. written: puts it into its markup."""
    if text is None:
        return None
    if text != "-":
        return written(text)
    read, left_out = read_text(written)
    if left_out:
        advice = "a message has no room for them; for the end alone: | tail -c 200000 | botte send"
        _complain(f"{left_out:,} characters in the middle of the text are left out: {advice}", 0)
    return written(read)


def _show(result: Delivered | Accepted, as_json: bool) -> None:
    if as_json:
        status = "delivered" if isinstance(result, Delivered) else "accepted"
        click.echo(json.dumps({"status": status, **asdict(result)}))
    elif isinstance(result, Delivered):
        _print(("Delivered", "green"), f" as message {result.message_id}")
    else:
        _print(("Accepted", "yellow"), f"; botte status {result.id} tells when it is delivered")


def _local(epoch_seconds: float) -> str:
    return datetime.fromtimestamp(epoch_seconds).astimezone().isoformat(" ", "seconds")


def _print(styled: tuple[str, str], plain: str) -> None:
    """Prints a line, in colours where a person reads it."""
    line = styled[0] + plain
    if os.isatty(1):
        with suppress(ModuleNotFoundError):  # without the extra, click may be there and rich not
            line = _in_colours(styled, plain)
    click.echo(line)


def _in_colours(styled: tuple[str, str], plain: str) -> str:
    from rich.console import Console
    from rich.text import Text

    console = Console(soft_wrap=True)
    with console.capture() as captured:  # to print it itself, it would exit where nobody reads
        console.print(Text.assemble(styled, plain), end="")
    return captured.get()
