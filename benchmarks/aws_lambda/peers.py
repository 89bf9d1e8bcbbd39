"""Telegram and AWS as a function sees them, over TLS: `python -m benchmarks.aws_lambda.peers BUNDLE`.

They answer canned things, and are no judge of what they are asked: that is what the tests' fakes are for. BUNDLE is
written: certifi's certificates and the one that signed theirs. A line of JSON on stdout has their URLs; each line on
stdin is answered with one that tells what came since the line before.
"""

from __future__ import annotations

import json
import re
import ssl
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import certifi
import trustme

from benchmarks.aws_lambda.doors import PARAMETERS
from benchmarks.aws_lambda.serving import Answer, Request, Server
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID

Item = dict[str, Any]


class Record:
    """What came: how often which operation, and the texts that were sent to Telegram."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: Counter[str] = Counter()
        self._texts: list[str] = []
        self._last_message_id = 0

    def count(self, operation: str) -> None:
        with self._lock:
            self._calls[operation] += 1

    def send(self, text: str) -> int:
        """The message's id."""
        with self._lock:
            self._texts.append(text)
            self._last_message_id += 1
            return self._last_message_id

    def take(self) -> dict[str, object]:
        with self._lock:
            taken: dict[str, object] = {"calls": dict(self._calls), "texts": self._texts}
            self._calls, self._texts = Counter(), []
        return taken


class Telegram:
    def __init__(self, record: Record) -> None:
        self._record = record

    def __call__(self, request: Request) -> Answer:
        address = urlsplit(request.path)
        method = address.path.rpartition("/")[2]
        self._record.count(f"Telegram {method}")
        bot = {"id": int(TWIN_BOT_TOKEN.partition(":")[0]), "is_bot": True, "first_name": "Botte", "username": "a_bot"}
        if method == "getMe":
            return _json({"ok": True, "result": bot})
        if method != "sendMessage":
            return _json({"ok": False, "error_code": 404, "description": "Not Found"}, status=404)
        if "json" in request.headers.get("content-type", ""):
            fields = json.loads(request.body)
        else:
            fields = dict(parse_qsl(address.query) + parse_qsl(request.body.decode()))
        chat = {"id": TWIN_CHAT_ID, "type": "private", "first_name": "You"}
        message = {"message_id": self._record.send(fields["text"]), "from": bot, "chat": chat, "date": 1_800_000_000}
        return _json({"ok": True, "result": {**message, "text": fields["text"]}})


class Aws:
    """The operations that a function of Botte's calls. Conditions of writes hold, as the keys are new each time."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._items: dict[str, Item] = {}

    def __call__(self, request: Request) -> Answer:
        operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
        self._record.count(operation)
        return _json(self._answer(operation, json.loads(request.body)), "application/x-amz-json-1.0")

    def _answer(self, operation: str, asked: dict[str, Any]) -> object:
        if operation == "GetParameters":
            found = [name for name in asked["Names"] if _last(name) in PARAMETERS]
            missing = [name for name in asked["Names"] if name not in found]
            return {"Parameters": [_parameter(name) for name in found], "InvalidParameters": missing}
        if operation == "GetParameter":
            return {"Parameter": _parameter(asked["Name"])}
        if operation in ("Query", "Scan"):
            return {"Items": [], "Count": 0, "ScannedCount": 0}
        key = json.dumps([asked["TableName"], asked["Key"]], sort_keys=True)
        if operation == "UpdateItem":
            item = self._items.setdefault(key, dict(asked["Key"]))
            _update(item, asked)
            return {"Attributes": item}
        if operation == "GetItem":
            return {"Item": self._items[key]} if key in self._items else {}
        if operation == "DeleteItem":
            self._items.pop(key, None)
            return {}
        raise ValueError(f"AWS has no {operation} here")


def _update(item: Item, asked: dict[str, Any]) -> None:
    """Does what an UpdateExpression says, as far as the outbox writes such."""
    names, values = asked["ExpressionAttributeNames"], asked.get("ExpressionAttributeValues", {})
    parts = re.split(r"(?:^| )(SET|REMOVE|ADD) ", asked["UpdateExpression"])[1:]
    clauses = dict(zip(parts[::2], parts[1::2], strict=True))
    for name, default, value in re.findall(r"(#\w+) = (if_not_exists\(#\w+, )?(:\w+)", clauses.get("SET", "")):
        if not default or names[name] not in item:
            item[names[name]] = values[value]
    for name in re.findall(r"#\w+", clauses.get("REMOVE", "")):
        item.pop(names[name], None)
    for name, value in re.findall(r"(#\w+) (:\w+)", clauses.get("ADD", "")):
        count = int(item.get(names[name], {"N": "0"})["N"]) + int(values[value]["N"])
        item[names[name]] = {"N": str(count)}


def _parameter(name: str) -> dict[str, object]:
    return {"Name": name, "Type": "SecureString", "Value": PARAMETERS[_last(name)], "Version": 1}


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _json(answer: object, content_type: str = "application/json", status: int = 200) -> Answer:
    return Answer(json.dumps(answer).encode(), status, {"Content-Type": content_type})


def main() -> None:
    authority = trustme.CA()
    bundle = Path(certifi.where()).read_bytes() + authority.cert_pem.bytes()
    Path(sys.argv[1]).write_bytes(bundle)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    record = Record()
    telegram, aws = Server(Telegram(record), tls), Server(Aws(record), tls)
    urls = {"telegram": f"https://localhost:{telegram.port}", "aws": f"https://localhost:{aws.port}"}
    print(json.dumps(urls), flush=True)
    for _ in sys.stdin:
        print(json.dumps(record.take()), flush=True)


if __name__ == "__main__":
    main()
