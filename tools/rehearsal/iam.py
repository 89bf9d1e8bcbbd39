"""What a role or a user may do: the request as an action on resources, and the policies that allow it.

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
from urllib.parse import unquote

from moto.iam.models import iam_backends

from tools.dev.functions import ACCOUNT_ID, REGION, function_arn, split_function_name

_KEY = re.compile(r"Credential=(?P<kind>role|user)\.(?P<name>[^/]+)/")
_MATCHES: dict[str, Callable[[str, str], bool]] = {"StringEquals": operator.eq, "StringLike": fnmatchcase}
_INVOKE = re.compile(r"/2015-03-31/functions/(?P<function>[^/]+)/invocations/?")


class Request(NamedTuple):
    """An action, and the ARN of a resource. context: the values of condition keys, such as ``dynamodb:Attributes``."""

    action: str
    resource: str
    context: Mapping[str, list[str]] = {}


def principal(authorization: str) -> tuple[str, str] | None:
    """The kind and the name of who signed a request; None for the owner."""
    found = _KEY.search(authorization)
    return (found["kind"], found["name"]) if found else None


def denied(who: tuple[str, str], wanted: list[Request]) -> Request | None:
    """The first of the wanted actions that no policy of the role or user allows."""
    statements = list(_statements(*who))
    return next((each for each in wanted if not any(_allows(one, each) for one in statements)), None)


def requests(operation: str, path: str, body: bytes) -> list[Request]:
    """What a call does, as IAM sees it. operation: such as ``DynamoDB.PutItem``."""
    service, _, name = operation.partition(".")
    if invocation := _INVOKE.fullmatch(path):
        name = split_function_name(unquote(invocation["function"]))[0]
        return [Request("lambda:InvokeFunction", function_arn(name))]
    parameters = json.loads(body) if body.startswith(b"{") else {}
    if name == "BatchWriteItem":
        return [
            Request(f"dynamodb:{name}", _table_arn({"TableName": table}), _context(*write.values()))
            for table, writes in parameters["RequestItems"].items()
            for write in writes
        ]
    if service == "DynamoDB":
        return [Request(f"dynamodb:{name}", _table_arn(parameters), _context(parameters))]
    if service == "DynamoDBStreams":
        stream = parameters.get("StreamArn") or str(parameters.get("ShardIterator", "*")).partition("|")[0]
        return [Request(f"dynamodb:{name}", stream)]
    if service in ("SSM", "AmazonSSM"):
        names = parameters.get("Names") or [parameters.get("Name", "/*")]
        return [Request(f"ssm:{name}", f"arn:aws:ssm:{REGION}:{ACCOUNT_ID}:parameter{each}") for each in names]
    if service == "SQS":
        queue = str(parameters.get("QueueUrl") or parameters.get("QueueName")).rpartition("/")[2]
        return [Request(f"sqs:{name}", f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{queue}")]
    return [Request(f"{service.lower()}:{name}", "*")]


def _table_arn(parameters: Mapping[str, Any]) -> str:
    table = str(parameters.get("TableName", "*")).rpartition("/")[2]
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/{table}"
    return f"{arn}/index/{parameters['IndexName']}" if "IndexName" in parameters else arn


def _context(parameters: Mapping[str, Any]) -> dict[str, list[str]]:
    """The condition keys of a request for one item, or of a query.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
    """
    context: dict[str, list[str]] = {}
    item = parameters.get("Item") or parameters.get("Key")
    if item is not None:
        context["dynamodb:LeadingKeys"] = [str(item["PK"]["S"])]
    if "ProjectionExpression" in parameters:
        names = parameters.get("ExpressionAttributeNames", {})
        paths = [path.strip() for path in parameters["ProjectionExpression"].split(",")]
        context["dynamodb:Attributes"] = [names.get(path, path) for path in paths]
    elif "Item" in parameters:
        context["dynamodb:Attributes"] = list(parameters["Item"])
    selected = "SPECIFIC_ATTRIBUTES" if "ProjectionExpression" in parameters else "ALL_ATTRIBUTES"
    if "Item" not in parameters:
        context["dynamodb:Select"] = [parameters.get("Select", selected)]
    return context


def _statements(kind: str, name: str) -> Iterator[Mapping[str, Any]]:
    backend = iam_backends[ACCOUNT_ID]["aws"]
    holder = backend.get_role(name) if kind == "role" else backend.get_user(name)
    policies = holder.policies
    documents = policies.values() if isinstance(policies, dict) else [each["policy_document"] for each in policies]
    for document in documents:
        yield from (json.loads(document) if isinstance(document, str) else document)["Statement"]


def _allows(statement: Mapping[str, Any], request: Request) -> bool:
    return (
        statement["Effect"] == "Allow"
        and any(fnmatchcase(request.action.lower(), each.lower()) for each in _list(statement["Action"]))
        and any(fnmatchcase(request.resource, each) for each in _list(statement["Resource"]))
        and all(
            _holds(test, request.context.get(key), _list(values))
            for test, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _holds(test: str, found: list[str] | None, wanted: list[str]) -> bool:
    """Whether a condition holds, as far as operators are needed here. found: None where a request has no such key."""
    kind, for_all = test.removeprefix("ForAllValues:"), test.startswith("ForAllValues:")
    if found is None:
        return for_all or kind.endswith("IfExists")
    matches = _MATCHES[kind.removesuffix("IfExists")]
    return all(any(matches(each, one) for one in wanted) for each in found)


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
