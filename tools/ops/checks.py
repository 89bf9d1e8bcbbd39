"""What a healthy stage looks like: each check gives findings, and for what is wrong the command that mends it."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.chat_settings import read_chat_settings
from chalicelib.errors import TableUnavailable
from chalicelib.settings import BOT_TOKEN, CHATS, HTTP_API_TOKEN, WEBHOOK_SECRET, chat_ids
from tools.ops.bot import call_bot
from tools.ops.preflight import check_access
from tools.ops.stage import Stage, StageError
from tools.ops.webhook import DEAF, PATH, is_deaf, set_command

_CLOCK_SECONDS = 60.0  # AWS refuses signatures that are five minutes off
_LATE_SECONDS = 300.0
_SET_CLOCK = "timedatectl set-ntp true"


@dataclass(frozen=True)
class Finding:
    """How a part of a stage is; ``mend`` is the command that puts it right, None where all is well."""

    part: str
    told: str
    mend: str | None = None


Check = Callable[[Stage], Iterator[Finding]]


def make(target: str, stage: Stage) -> str:
    return f"make {target} STAGE={stage.name}"


def put_right(stage: Stage) -> str:
    """The command that makes what is missing, and leaves the rest."""
    return "make run" if stage.is_local else make("deploy", stage)


def look_at_logs(stage: Stage) -> str:
    """Where to read why something failed."""
    return "read what make run printed" if stage.is_local else make("logs", stage)


def check_account(stage: Stage) -> Iterator[Finding]:
    """Whether AWS lets us in, or the twin runs: without that nothing else can be checked."""
    try:
        stage.check_twin()
        yield Finding("account", check_access(stage))
    except StageError as error:
        mend = "make run" if stage.is_local else "aws configure, or AWS_PROFILE and AWS_REGION"
        yield Finding("account", str(error), _SET_CLOCK if _is_of_the_clock(str(error)) else mend)


def check_clock(stage: Stage, clock: Callable[[], float] = time.time) -> Iterator[Finding]:
    """Whether this machine's clock is right: AWS refuses requests with a wrong time."""
    answer = stage.call("ssm", "get_parameters", Names=[f"{stage.parameters_path}/{CHATS}"])
    date = answer["ResponseMetadata"]["HTTPHeaders"]["date"]
    off = clock() - email.utils.parsedate_to_datetime(date).timestamp()
    wrong = abs(off) > _CLOCK_SECONDS
    yield Finding("clock", f"{abs(off):.0f} s off AWS's", _SET_CLOCK if wrong else None)


def check_parameters(stage: Stage) -> Iterator[Finding]:
    """Whether the parameters are there, hold what they should, and the secret ones are SecureStrings."""
    mend = put_right(stage)
    names = [f"{stage.parameters_path}/{name}" for name in (BOT_TOKEN, HTTP_API_TOKEN, CHATS)]
    answer = stage.call("ssm", "get_parameters", Names=names, WithDecryption=True)
    found = {each["Name"].rpartition("/")[2]: each for each in answer["Parameters"]}
    for name in (BOT_TOKEN, HTTP_API_TOKEN, CHATS):
        if name not in found:
            yield Finding(name, f"parameter {stage.parameters_path}/{name} does not exist", mend)
            continue
        value, kind = str(found[name]["Value"]), found[name]["Type"]
        problem = {BOT_TOKEN: _bot_token_problem, HTTP_API_TOKEN: _http_tokens_problem, CHATS: _chats_problem}[name](
            value
        )
        if name != CHATS and kind != "SecureString":
            told = f"is a {kind}, and must be a SecureString"
            yield Finding(name, told, f"aws ssm delete-parameter --name {found[name]['Name']} && {mend}")
        elif problem:
            yield Finding(name, problem, f"aws ssm delete-parameter --name {found[name]['Name']} && {mend}")
        elif name == HTTP_API_TOKEN and len(value.strip().splitlines()) > 1:
            count = len(value.strip().splitlines())
            yield Finding(name, f"{count} are live; {make('rotate-token', stage)} takes the old ones out")
        else:
            yield Finding(name, f"is there, a {kind}")
        if name == CHATS and not problem:
            anew = f"aws ssm put-parameter --overwrite --type String --name {found[name]['Name']} --value '...'"
            for fault in read_chat_settings(value)[1]:
                yield Finding(name, fault, anew)


def check_bot(stage: Stage) -> Iterator[Finding]:
    """Whether Telegram knows the bot, and the bot its chats."""
    mend = put_right(stage)
    bot = call_bot(stage, "getMe", {})
    yield Finding("bot", f"@{bot['username']}, reached at {stage.telegram_api_url}")
    settings, _ = read_chat_settings(stage.parameter(CHATS) or "{}")
    for name, chat_id in stage.chats().items():
        yield _chat(stage, name, chat_id, f"TELEGRAM_CHAT_ID=... {mend}")
        if name in settings and settings[name].topics:
            yield from _topics(stage, name, chat_id, bot)


def check_webhook(stage: Stage) -> Iterator[Finding]:
    """Whether the webhook, if there is one, leads to this stage and works."""
    mend = set_command(stage)
    info = call_bot(stage, "getWebhookInfo", {})
    if not info.get("url"):
        yield Finding("webhook", "none is set; it is needed only for commands and for buttons that act")
    elif info["url"] != stage.http_url() + PATH:
        yield Finding("webhook", f"leads to {info['url']}, not to this stage", mend)
    elif stage.parameter(WEBHOOK_SECRET) is None:
        yield Finding("webhook", f"parameter {stage.parameters_path}/{WEBHOOK_SECRET} does not exist", mend)
    elif is_deaf(info):
        yield Finding("webhook", DEAF, mend)
    elif info.get("last_error_message"):
        yield Finding("webhook", f"last error: {info['last_error_message']}", look_at_logs(stage))
    else:
        yield Finding("webhook", f"{info.get('pending_update_count', 0)} updates wait")


def check_tables(stage: Stage) -> Iterator[Finding]:
    """Whether the two tables, their times to live, the stream of the one and the indexes of the other are there."""
    mend = put_right(stage)
    for name in (stage.task_table_name, stage.outbox_table_name):
        answer = stage.find("dynamodb", "describe_table", TableName=name)
        if answer is None:
            yield Finding("table", f"{name} does not exist", mend)
            continue
        table = answer["Table"]
        yield _stream(table, mend) if name == stage.task_table_name else _indexes(table, stage)
        if not stage.is_local:  # the twin's tables keep every row
            ttl = stage.call("dynamodb", "describe_time_to_live", TableName=name)["TimeToLiveDescription"]
            on = ttl.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
            yield Finding("table", f"{name}, time to live is {'on' if on else 'off'}", None if on else mend)


def check_backlog(stage: Stage) -> Iterator[Finding]:
    """Whether something waits for longer than it should, or was given up."""
    rows, now = list(stage.outbox().scan("PENDING", "SENDING", "FAILED")), time.time()
    parked = sum(row.status == "FAILED" for row in rows)
    waited = [now - (row.turn_ts or row.due_ts or now) for row in rows if row.status != "FAILED"]
    late = [seconds for seconds in waited if seconds > _LATE_SECONDS]
    if late:
        told = f"{messages(len(late))} waiting for more than {_LATE_SECONDS / 60:.0f} minutes"
        told += f", the first for {max(late) / 60:.0f}"
        yield Finding("backlog", told, look_at_logs(stage))
    else:
        yield Finding("backlog", f"{messages(len(waited))} waiting")
    again = f"{make('failed', stage)}, then {make('redrive', stage)} or {make('discard', stage)}"
    yield Finding("parked", f"{messages(parked)} parked", again if parked else None)


def messages(count: int) -> str:
    """Such as ``1 message is`` or ``2 messages are``."""
    return "1 message is" if count == 1 else f"{count} messages are"


def run_check(stage: Stage, part: str, check: Check) -> list[Finding]:
    """What a check finds; that it cannot be made is a finding too."""
    try:
        return list(check(stage))
    except (StageError, TableUnavailable) as error:
        return [Finding(part, str(error).splitlines()[0], put_right(stage))]


def _stream(table: Mapping[str, Any], mend: str) -> Finding:
    name, stream = table["TableName"], table.get("StreamSpecification", {})
    if not stream.get("StreamEnabled"):
        return Finding("table", f"{name} has no stream", mend)
    if stream.get("StreamViewType") not in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES"):
        return Finding("table", f"the stream of {name} carries {stream.get('StreamViewType')} and not NEW_IMAGE", mend)
    return Finding("table", f"{name}, {table['TableStatus']}, stream {stream['StreamViewType']}")


def _indexes(table: Mapping[str, Any], stage: Stage) -> Finding:
    found = {each["IndexName"] for kind in ("Global", "Local") for each in table.get(f"{kind}SecondaryIndexes", [])}
    name, missing = table["TableName"], [each for each in ("due", "unsent") if each not in found]
    if missing:
        anew = f"{make('destroy', stage)} TABLE=1 && {put_right(stage)}"
        return Finding("table", f"{name} lacks the index {' and '.join(missing)}", anew)
    return Finding("table", f"{name}, {table['TableStatus']}, indexes due and unsent")


def _is_of_the_clock(error: str) -> bool:
    return "Signature expired" in error or "Signature not yet current" in error


def _chat(stage: Stage, name: str, chat_id: int, mend: str) -> Finding:
    try:
        call_bot(stage, "getChat", {"chat_id": chat_id})
    except StageError as error:
        return Finding("chat", f"{name}, {chat_id}: {error}", mend)
    return Finding("chat", f"{name} is {chat_id}, and the bot may see it")


def _topics(stage: Stage, name: str, chat_id: int, bot: Mapping[str, Any]) -> Iterator[Finding]:
    """What keeps a chat that shall have topics from having them."""
    try:
        chat = call_bot(stage, "getChat", {"chat_id": chat_id})
    except StageError:
        return  # that is told already
    is_private = chat["type"] == "private"
    if not (bot.get("has_topics_enabled") if is_private else chat.get("is_forum")):
        mend = "switch on its topics at @BotFather" if is_private else "switch on Topics in the group's settings"
        yield Finding("chat", f"{name} shall have topics, and is no forum: messages appear without", mend)


def _bot_token_problem(value: str) -> str | None:
    head, _, tail = value.strip().partition(":")
    return None if head.isdecimal() and tail else "is not like 1234567890:AA..."


def _http_tokens_problem(value: str) -> str | None:
    lines = [line.split() for line in value.splitlines() if line.strip()]
    good = lines and all(len(words) in (1, 2) for words in lines)
    return None if good else "must have a token in each line, or a name and a token"


def _chats_problem(value: str) -> str | None:
    try:
        chats = chat_ids(value)
    except ValueError as error:
        return str(error)
    return None if "default" in chats else "has no chat that is called default"
