"""What the document tells in words, and no schema can: a message that is valid by its schema is made valid by them."""

from __future__ import annotations

import json
from typing import Any

import schemathesis
from schemathesis import Case, GenerationMode, HookContext

KNOWN: dict[str, Any] = {
    "chat": "default",
    "message_thread_id": 7,
    "deliver_at": 0,
    "photo": "https://example.org/1",
    "document": "https://example.org/1",
    "link_preview_options": {"url": "https://example.org"},
    "reply_markup": {"inline_keyboard": [[{"text": "Open", "url": "https://example.org"}]]},
    "escalate_after": 600,
    "every": "26h",
}
# What asks something of other fields, which may be in the body while it is in the query.
DEMANDING = {"renotify", "ack", "escalate_after", "urgent"}
OF_HEARTBEATS = {"chat", "sender_app"}


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """A configured chat, integers without a point and not too far ahead, public hosts, words that show, and a new id.

    A field is in the body or in the query, which fit together, and an object in a form is JSON.
    """
    if case.path == "/hook/{name}" and case.query and "collapse_key" in case.query:
        case.query["collapse_key"] = case.id  # the edits of one message are two seconds apart
    is_valid = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
    if case.path not in ("/message", "/heartbeat/{name}") or not is_valid:
        return
    if isinstance(case.body, str):
        case.body = f"Hello {case.body}"
    body = case.body if isinstance(case.body, dict) else {}
    query = case.query or {}
    is_heartbeat = body.get("heartbeat") is not None
    kept = {*query} & OF_HEARTBEATS if is_heartbeat else {*query} - DEMANDING
    for name in ({*query} - kept) | (body.keys() & query.keys()) if case.path == "/message" else ():
        del query[name]
    for fields in (body, query):
        known = {**KNOWN, "id": case.id, "collapse_key": case.id, "text": f"Hello {fields.get('text')}"}
        fields.update({name: known[name] for name in fields.keys() & known.keys() if fields[name] is not None})
    if case.media_type != "application/json":
        body.update({name: json.dumps(value) for name, value in body.items() if isinstance(value, dict)})
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = case.id
        if is_heartbeat:
            del case.headers["Idempotency-Key"]
