"""What a role or a user may do: the policies that allow a request, and a record of those that did.

A credential whose access key id is ``role.NAME`` or ``user.NAME`` is held to the inline policies of that role or user;
every other one is the account's owner, who may do everything.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from moto.iam.models import iam_backends

from tools.dev.functions import ACCOUNT_ID
from tools.rehearsal.actions import Request

_KEY = re.compile(r"Credential=(?P<kind>role|user)\.(?P<name>[^/]+)/")
_MATCHES: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": operator.eq,
    "StringLike": fnmatchcase,
    "ArnLike": fnmatchcase,
}


class Use(NamedTuple):
    """A right that was used: of whom, by the ``Sid`` of which statement, and which of its actions and resources."""

    holder: str
    statement: str
    action: str
    resource: str


class Rights:
    """Holds roles and users to their policies. ``used``: the rights that were; ``lacking``: what was refused, told."""

    def __init__(self) -> None:
        self.used: set[Use] = set()
        self.lacking: list[str] = []

    def refuse(self, who: tuple[str, str], wanted: list[Request]) -> str | None:
        """What is missing for the first of the wanted actions that no policy allows, as IAM says it; else None."""
        statements, boundary = list(_statements(*who)), _boundary(*who)
        for request in wanted:
            uses = [use for one in statements for use in _uses(who[1], one, request)]
            bounded = boundary is not None and not any(use for one in boundary for use in _uses("", one, request))
            if not uses or bounded:
                told = f"{who[0]} {who[1]} is not authorized to perform: {request.action} on resource: "
                self.lacking.append(told + request.resource)
                return self.lacking[-1]
            self.used.update(uses)
        return None


def principal(authorization: str) -> tuple[str, str] | None:
    """The kind and the name of who signed a request; None for the owner."""
    found = _KEY.search(authorization)
    return (found["kind"], found["name"]) if found else None


def denied(who: tuple[str, str], wanted: list[Request]) -> bool:
    """Whether no policy of the role or user allows one of the wanted actions."""
    return Rights().refuse(who, wanted) is not None


def _statements(kind: str, name: str) -> Iterator[Mapping[str, Any]]:
    backend = iam_backends[ACCOUNT_ID]["aws"]
    holder = backend.get_role(name) if kind == "role" else backend.get_user(name)
    policies = holder.policies
    documents = policies.values() if isinstance(policies, dict) else [each["policy_document"] for each in policies]
    for document in documents:
        yield from (json.loads(document) if isinstance(document, str) else document)["Statement"]


def _boundary(kind: str, name: str) -> list[Mapping[str, Any]] | None:
    """The statements of a role's permissions boundary: it may do only what they allow as well. None without one."""
    backend = iam_backends[ACCOUNT_ID]["aws"]
    arn = backend.get_role(name).permissions_boundary_arn if kind == "role" else None
    if not arn:
        return None
    policy = backend.get_policy(arn)
    (document,) = [each.document for each in policy.versions if each.version_id == policy.default_version_id]
    statements: list[Mapping[str, Any]] = json.loads(document)["Statement"]
    return statements


def _uses(holder: str, statement: Mapping[str, Any], request: Request) -> Iterator[Use]:
    """The actions and resources of a statement that allow a request."""
    if statement["Effect"] != "Allow" or not _holds_all(statement.get("Condition", {}), request.context):
        return
    for action in _list(statement["Action"]):
        for resource in _list(statement["Resource"]):
            if fnmatchcase(request.action.lower(), action.lower()) and fnmatchcase(request.resource, resource):
                yield Use(holder, statement.get("Sid", ""), action, resource)


def _holds_all(conditions: Mapping[str, Mapping[str, Any]], context: Mapping[str, list[str]]) -> bool:
    return all(
        _holds(test, context.get(key), _list(values))
        for test, keys in conditions.items()
        for key, values in keys.items()
    )


def _holds(test: str, found: list[str] | None, wanted: list[str]) -> bool:
    """Whether a condition holds, as far as operators are needed here. found: None where a request has no such key."""
    if test == "Null":
        return wanted == ["true" if found is None else "false"]
    kind, for_all = test.removeprefix("ForAllValues:"), test.startswith("ForAllValues:")
    if found is None:
        return for_all or kind.endswith("IfExists")
    matches = _MATCHES[kind.removesuffix("IfExists")]
    return all(any(matches(each, one) for one in wanted) for each in found)


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
