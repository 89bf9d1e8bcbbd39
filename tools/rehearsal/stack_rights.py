"""The rights that CloudFormation needs of who calls it: it makes, changes and deletes each resource in their name.

Which calls a type of resource needs is in AWS's own schema of it, under ``handlers``. Here is as much of that as the
template has a use for. https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from chalice.package import YAMLTemplateSerializer
from moto.cloudformation.models import cloudformation_backends
from moto.cloudformation.parsing import ResourceMap, clean_json

from tools.dev.functions import ACCOUNT_ID, REGION
from tools.rehearsal.stack_patch import wanted


class Kind(NamedTuple):
    """A type of resource. name: the property that names one. arn: what its ARN has before that name."""

    name: str
    arn: str
    create: tuple[str, ...]
    read: tuple[str, ...]
    update: tuple[str, ...]
    delete: tuple[str, ...]
    tag: str
    untag: str


def _kind(service: str, name: str, place: str = "", **actions: str) -> Kind:
    named = {each: tuple(f"{service}:{action}" for action in told.split()) for each, told in actions.items()}
    tag, untag = named.pop("tags")
    return Kind(name, f"arn:aws:{service}:{REGION}:{ACCOUNT_ID}:{place}", **named, tag=tag, untag=untag)


KINDS: Mapping[str, Kind] = {
    "AWS::DynamoDB::Table": _kind(
        *("dynamodb", "TableName", "table/"),
        create="CreateTable UpdateTimeToLive UpdateContinuousBackups",
        read="DescribeTable DescribeContinuousBackups DescribeContributorInsights DescribeKinesisStreamingDestination "
        "ListTagsOfResource GetResourcePolicy DescribeTimeToLive",
        update="UpdateTable UpdateTimeToLive UpdateContinuousBackups",
        delete="DeleteTable DescribeTable",
        tags="TagResource UntagResource",
    ),
    "AWS::SQS::Queue": _kind(
        *("sqs", "QueueName"),
        create="CreateQueue GetQueueUrl",
        read="GetQueueAttributes ListQueueTags",
        update="SetQueueAttributes",
        delete="DeleteQueue GetQueueAttributes",
        tags="TagQueue UntagQueue",
    ),
    "AWS::SNS::Topic": _kind(
        *("sns", "TopicName"),
        create="CreateTopic Subscribe",
        read="GetTopicAttributes ListTagsForResource ListSubscriptionsByTopic GetDataProtectionPolicy",
        update="SetTopicAttributes Subscribe Unsubscribe",
        delete="GetTopicAttributes DeleteTopic",
        tags="TagResource UntagResource",
    ),
    "AWS::CloudWatch::Alarm": _kind(
        *("cloudwatch", "AlarmName", "alarm:"),
        create="PutMetricAlarm",
        read="DescribeAlarms ListTagsForResource",
        update="PutMetricAlarm",
        delete="DeleteAlarms DescribeAlarms",
        tags="TagResource UntagResource",
    ),
}


def stack_changes(operation: str, name: str, given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The actions that a call on a stack needs besides itself, and on which resources.

    given: the parameters of the call, in the query protocol.
    """
    before = _existing(name)
    if operation == "DeleteStack":
        yield from _deleted(before, set())
    if operation not in ("CreateStack", "UpdateStack"):
        return
    after = _asked_for(name, given)
    kept = set(wanted(after))
    yield from _deleted(before, kept)
    tagged = any(parameter.startswith("Tags.") for parameter in given)
    old = set(wanted(before)) if before is not None else set()
    for logical_id in sorted(kept):
        kind, arn, has_tags = _resource(after, logical_id)
        tags = (kind.tag, *([kind.untag] if logical_id in old else [])) if tagged or has_tags else ()
        for action in (*(kind.update if logical_id in old else kind.create), *kind.read, *tags):
            yield action, arn


def _deleted(stack: ResourceMap | None, kept: set[str]) -> Iterator[tuple[str, str]]:
    if stack is None:
        return
    for logical_id in sorted(set(wanted(stack)) - kept):
        if stack._resource_json_map[logical_id].get("DeletionPolicy") != "Retain":
            kind, arn, _ = _resource(stack, logical_id)
            for action in kind.delete:
                yield action, arn


def _resource(stack: ResourceMap, logical_id: str) -> tuple[Kind, str, bool]:
    """The kind of a resource, its ARN, and whether it has tags of its own."""
    resource: Any = stack._resource_json_map[logical_id]
    kind = KINDS[resource["Type"]]
    return kind, kind.arn + clean_json(resource["Properties"][kind.name], stack), "Tags" in resource["Properties"]


def _existing(name: str) -> ResourceMap | None:
    """The stack that there is, by its template: moto makes no resource whose condition is named in another one."""
    stacks = cloudformation_backends[ACCOUNT_ID][REGION].stacks.values()
    found = [each for each in stacks if each.name == name and each.status != "DELETE_COMPLETE"]
    return _evaluate(name, str(found[0].template), found[0].parameters) if found else None


def _asked_for(name: str, given: Mapping[str, str]) -> ResourceMap:
    """The stack that a call wants."""
    keys = [parameter for parameter in given if parameter.endswith(".ParameterKey")]
    parameters = {given[key]: given.get(key.replace("ParameterKey", "ParameterValue"), "") for key in keys}
    return _evaluate(name, given["TemplateBody"], parameters)


def _evaluate(name: str, text: str, parameters: dict[str, str]) -> ResourceMap:
    """A template with its parameters and conditions, of which nothing is made."""
    template = YAMLTemplateSerializer().load_template(text)
    stack = ResourceMap("evaluated", name, parameters, {}, REGION, ACCOUNT_ID, template, None)
    stack.load_mapping()
    stack.load_parameters()
    stack.load_conditions()
    stack._resource_json_map = template["Resources"]
    return stack
