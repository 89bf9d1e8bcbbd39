"""A request to AWS as IAM sees it: actions on resources, with the values of condition keys.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

import botocore.session
from moto.awslambda.models import lambda_backends
from moto.iam.models import iam_backends

from tools.dev.functions import ACCOUNT_ID, REGION, function_arn, split_function_name
from tools.rehearsal.stack_rights import stack_changes

_PREFIXES = {
    "amazonssm": "ssm",
    "awsevents": "events",
    "dynamodbstreams": "dynamodb",
    "graniteserviceversion20100801": "cloudwatch",
}


class Request(NamedTuple):
    """An action, and the ARN of a resource. context: the values of condition keys, such as ``dynamodb:Attributes``."""

    action: str
    resource: str
    context: Mapping[str, list[str]] = {}


class Call(NamedTuple):
    """A request: IAM's prefix of the service, the operation (or HTTP's method), the path, and the parameters."""

    prefix: str
    name: str
    path: str
    given: Any

    @property
    def action(self) -> str:
        return f"{self.prefix}:{self.name}"


def requests(operation: str, path: str, body: bytes) -> list[Request]:
    """What a call does, as IAM sees it. operation: such as ``DynamoDB.PutItem``, or ``lambda.GET`` with a path."""
    service, _, name = operation.partition(".")
    service = service.lower().partition("_")[0]
    call = Call(_PREFIXES.get(service, service), name, path, _parameters(body))
    if call.prefix in _READERS:
        return list(_READERS[call.prefix](call))
    return [Request(call.action, _RESOURCES[call.prefix](call) if call.prefix in _RESOURCES else "*")]


def _parameters(body: bytes) -> Any:
    """Those of a request in JSON, or in the query protocol."""
    if body.startswith(b"{"):
        return json.loads(body)
    return {name: values[0] for name, values in parse_qs(body.decode("latin-1"), keep_blank_values=True).items()}


def _arn(service: str, place: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT_ID}:{place}"


def _logs(call: Call) -> str:
    group = call.given.get("logGroupName")
    return _arn("logs", f"log-group:{group}:log-stream:") if group else "*"


def _cloudwatch(call: Call) -> str:
    if call.name == "DescribeAlarms":
        return _arn("cloudwatch", "alarm:*")  # whatever alarms are asked for
    return str(call.given.get("ResourceARN", "*"))


# Services of which each call is an action on one resource.
_RESOURCES: dict[str, Callable[[Call], str]] = {
    # Its actions are the methods of HTTP.
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/permissions.html
    "apigateway": lambda call: f"arn:aws:apigateway:{REGION}::{call.path}",
    "cloudwatch": _cloudwatch,
    "events": lambda call: _arn("events", f"rule/{call.given.get('Rule') or call.given.get('Name') or '*'}"),
    "logs": _logs,
    "sns": lambda call: call.given.get("TopicArn") or _arn("sns", str(call.given.get("Name"))),
    "sqs": lambda call: _arn(
        "sqs", str(call.given.get("QueueUrl") or call.given.get("QueueName") or "*").rpartition("/")[2]
    ),
}


def _sts(call: Call) -> Iterator[Request]:
    if call.name != "GetCallerIdentity":  # which everybody may
        yield Request(call.action, "*")


def _iam(call: Call) -> Iterator[Request]:
    role = call.given.get("RoleName")
    known = iam_backends[ACCOUNT_ID]["aws"].roles.values()
    boundaries = [each.permissions_boundary_arn for each in known if each.name == role]
    boundary = call.given.get("PermissionsBoundary") or next(iter(boundaries), None)
    arn = f"arn:aws:iam::{ACCOUNT_ID}:role/{role}" if role else "*"
    yield Request(call.action, arn, {"iam:PermissionsBoundary": [boundary]} if boundary else {})


def _ssm(call: Call) -> Iterator[Request]:
    for each in call.given.get("Names") or [call.given.get("Name") or call.given.get("Path") or "/*"]:
        yield Request(call.action, _arn("ssm", f"parameter{each}"))


def _dynamodb(call: Call) -> Iterator[Request]:
    given = call.given
    if call.name == "BatchWriteItem":
        for table, writes in given["RequestItems"].items():
            for write in writes:
                yield Request(call.action, _table_arn({"TableName": table}), _context(*write.values()))
    elif arn := given.get("StreamArn") or given.get("ResourceArn") or given.get("ShardIterator"):
        yield Request(call.action, str(arn).partition("|")[0])
    else:
        yield Request(call.action, _table_arn(given), _context(given))


def _table_arn(parameters: Mapping[str, Any]) -> str:
    table = str(parameters.get("TableName", "*")).rpartition("/")[2]
    arn = _arn("dynamodb", f"table/{table}")
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


def _cloudformation(call: Call) -> Iterator[Request]:
    """What CloudFormation makes, changes or deletes, it does with the rights of who calls it."""
    stack = str(call.given.get("StackName") or "*").rpartition("stack/")[2].partition("/")[0]
    yield Request(call.action, _arn("cloudformation", f"stack/{stack}/1"))
    for action, resource in stack_changes(call.name, stack, call.given):
        yield Request(action, resource)


def _lambda(call: Call) -> Iterator[Request]:
    name, labels = _lambda_operation(call.name, call.path)
    action = f"lambda:{'InvokeFunction' if name == 'Invoke' else name}"
    function = labels.get("FunctionName") or call.given.get("FunctionName")
    arn = function_arn(split_function_name(function)[0]) if function else "*"
    if "UUID" in labels:
        mapping = _arn("lambda", f"event-source-mapping:{labels['UUID']}")
        yield Request(action, mapping, {"lambda:FunctionArn": _mapped_function(labels["UUID"])})
    elif name == "CreateEventSourceMapping":
        yield Request(action, "*", {"lambda:FunctionArn": [arn]})
    else:
        layers = call.given.get("Layers")
        yield Request(action, labels.get("Resource", arn), {"lambda:Layer": layers} if layers else {})
    if "Role" in call.given:
        yield Request("iam:PassRole", call.given["Role"], {"iam:PassedToService": ["lambda.amazonaws.com"]})
    if name == "CreateFunction" and call.given.get("Tags"):
        yield Request("lambda:TagResource", arn)


def _mapped_function(uuid: str) -> list[str]:
    mappings = lambda_backends[ACCOUNT_ID][REGION].list_event_source_mappings("", "")
    return [each.function_arn for each in mappings if each.uuid == uuid]


def _lambda_operation(method: str, path: str) -> tuple[str, dict[str, str]]:
    """The operation that a method and a path ask for, and what stands in the path."""
    for name, wanted, pattern in _lambda_paths():
        if method == wanted and (found := pattern.fullmatch(path.rstrip("/"))):
            return name, {label: unquote(value) for label, value in found.groupdict().items()}
    return method, {}


@cache
def _lambda_paths() -> list[tuple[str, str, re.Pattern[str]]]:
    """Each operation of Lambda with its method and the pattern of its path, as botocore has them."""
    model = botocore.session.Session().get_service_model("lambda")
    operations = [model.operation_model(name) for name in model.operation_names]
    paths = []
    for operation in operations:
        path = operation.http["requestUri"].partition("?")[0].rstrip("/")
        pattern = re.sub(r"\\\{(\w+)(\\\+)?\\\}", r"(?P<\1>[^/]+)", re.escape(path))
        paths.append((operation.name, operation.http["method"], re.compile(pattern)))
    return paths


_READERS: dict[str, Callable[[Call], Iterator[Request]]] = {
    "cloudformation": _cloudformation,
    "dynamodb": _dynamodb,
    "iam": _iam,
    "lambda": _lambda,
    "ssm": _ssm,
    "sts": _sts,
}
