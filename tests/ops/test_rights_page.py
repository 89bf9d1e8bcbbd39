"""The policies of docs/deploying-rights.md, and the rights of CloudFormation, beside AWS's own lists of actions."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.ops.template import template
from tools.rehearsal.people import documented_policies
from tools.rehearsal.stack_rights import KINDS

POLICIES = documented_policies()
MOST_CHARACTERS = 6144  # of a managed policy, without its white space


@cache
def cfn_lint() -> Path:
    """Where cfn-lint has AWS's lists; to import it takes seconds."""
    spec = find_spec("cfnlint")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "data"


def arn_formats(action: str) -> list[str] | None:
    """The patterns of the ARNs that an action can be allowed on; None where it can be allowed on anything only.

    Raises KeyError if AWS has no such action.
    """
    service, _, name = action.partition(":")
    known = json.loads((cfn_lint() / "AdditionalSpecs" / "Policies.json").read_text())[service]
    kinds = known["Actions"][name.lower()].get("Resources")
    if not kinds:
        return None
    formats = [each for kind in kinds for each in known["Resources"][kind.lower()]["ARNFormats"]]
    filled = {"Partition": "aws", "Region": "us-east-1", "Account": "123456789012"}
    return [re.sub(r"\$\{(\w+)\}", lambda found: filled.get(found[1], ".*"), each) for each in formats]


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_fits_into_a_managed_policy(name: str) -> None:
    assert len(json.dumps(POLICIES[name], separators=(",", ":"))) <= MOST_CHARACTERS


@pytest.mark.slow
@pytest.mark.parametrize("name", POLICIES)
def test_each_action_is_one_of_aws_on_a_resource_that_it_can_be_allowed_on(name: str) -> None:
    for statement in POLICIES[name]["Statement"]:
        for action in statement["Action"]:
            formats = arn_formats(action)
            for resource in statement["Resource"]:
                if resource == "*":  # without a resource, or narrowed by a condition
                    assert formats is None or "lambda:FunctionArn" in statement["Condition"]["ArnLike"], action
                else:
                    assert formats is not None, action
                    assert any(re.fullmatch(each, resource) for each in formats), (action, resource)


@pytest.mark.parametrize("name", POLICIES)
def test_what_is_named_is_named_after_the_stage(name: str) -> None:
    """But for what AWS names itself: APIs, and alarms, which can only be listed all together."""
    for statement in POLICIES[name]["Statement"]:
        for resource in statement["Resource"]:
            named = re.search(r"botte-prod\b|/botte/prod\b", resource)
            assert named or "/restapis" in resource or resource == "*" or statement["Sid"] == "AllAlarms", resource


def test_the_rights_that_cloudformation_needs_are_those_of_awss_schemas() -> None:
    schemas = {}
    for path in (cfn_lint() / "schemas" / "resources").glob("*.json"):
        text = path.read_text()
        if any(f'"typeName": "{kind}"' in text for kind in KINDS):
            schema: Any = json.loads(text)
            schemas[schema["typeName"]] = {name: set(each["permissions"]) for name, each in schema["handlers"].items()}
    assert {resource["Type"] for resource in template()["Resources"].values()} <= set(KINDS) == set(schemas)
    for name, kind in KINDS.items():
        handlers = schemas[name]
        assert set(kind.read) == handlers["read"]
        assert {*kind.create, kind.tag} <= handlers["create"]
        assert {*kind.update, kind.tag, kind.untag} <= handlers["update"]
        assert set(kind.delete) == handlers["delete"]
