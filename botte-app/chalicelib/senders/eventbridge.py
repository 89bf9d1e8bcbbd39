"""Any event of EventBridge, AWS's own or somebody's: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events.html"""

from __future__ import annotations

import re

from .notice import Fields, Notice, lines_or_details
from .payload import Payload, part, text, texts
from .unknown import named_values

_STATES = ("state", "status", "build-status", "lastStatus", "statusCode")
_FAILED = ("FAILED", "FAILURE", "FAULT", "ERROR", "ABORTED", "TIMED_OUT", "EXPIRED")
_DONE = ("SUCCEEDED", "SUCCESS", "COMPLETED")
_SENTENCES = ("message", "description", "reason", "cause", "title", "summary")


def read(payload: Payload) -> Fields | None:
    """An event: its type and state, what it says in sentences, and whatever else is in it; None for anything else."""
    kind = text(payload, "detail-type")
    if not kind or not text(payload, "source") or "detail" not in payload:
        return None
    detail = part(payload, "detail") or {"detail": payload["detail"]}
    state_name = next((name for name in _STATES if text(detail, name)), "")
    state = text(detail, state_name)
    values = [(name, value) for name, value in named_values(detail) if name != state_name]
    sentences = [value for name, value in values if _is_sentence(name, value)]
    facts = [f"{name}: {value}" for name, value in values if not _is_sentence(name, value)]
    lines, details = lines_or_details(facts)
    known = " ".join(lines)
    resources = [arn for arn in texts(payload, "resources") if re.split("[/:]", arn)[-1] not in known]
    place = ", ".join(filter(None, (text(payload, name) for name in ("source", "account", "region"))))
    is_done = state.upper() in _DONE
    return Notice(
        mark="🟢" if is_done else "🔴" if state.upper() in _FAILED else "",
        title=": ".join(filter(None, (kind, state))),
        lines=[*lines, ", ".join(map(_short, resources)), place],
        body="\n\n".join(dict.fromkeys(sentences)),
        details=details,
        is_quiet=is_done,
    ).to_fields()


def _is_sentence(name: str, value: str) -> bool:
    """Whether somebody wrote it to be read: not JSON in a string, nor one word such as ``PutObject``."""
    return name.lower().endswith(_SENTENCES) and " " in value.strip() and not value.lstrip().startswith(("{", "["))


def _short(arn: str) -> str:
    """The resource that an ARN names, without partition, service, region and account."""
    return arn.split(":", 5)[-1]
