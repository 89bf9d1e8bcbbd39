"""The functions' roles: they belong to the whole account, and all else of a stage to one region, which they tell."""

from __future__ import annotations

from typing import Any

from tools.ops.deployed import HANDLERS, function_name, role_name
from tools.ops.stack import find_stack
from tools.ops.stage import Stage, StageError

_REGION_TAG = "region"


def tag_roles(stage: Stage) -> None:
    """Notes on each role to which stage and region it belongs, for whoever deploys or destroys from elsewhere.

    One that a stage's configuration has replaced by a role of its own is not there.
    """
    wanted = {"app": "botte", "stage": stage.name, _REGION_TAG: stage.region}
    listed = [{"Key": key, "Value": value} for key, value in wanted.items()]
    for handler in stage.handlers:
        name = role_name(stage, handler)
        answer = stage.find("iam", "get_role", RoleName=name)
        if answer is not None and not wanted.items() <= _tags(answer).items():
            stage.call("iam", "tag_role", RoleName=name, Tags=listed)


def find_roles(stage: Stage) -> dict[str, str | None]:
    """The region of each role of the stage that exists; None where nothing tells it."""
    found = {}
    for handler in HANDLERS:
        name = role_name(stage, handler)
        answer = stage.find("iam", "get_role", RoleName=name)
        if answer is not None:
            used = answer["Role"].get("RoleLastUsed", {}).get("Region")
            found[name] = _tags(answer).get(_REGION_TAG) or used or _here(stage, handler)
    return found


def check_region(stage: Stage) -> None:
    """Raises StageError where the stage's roles are those of another region: a second one would share them."""
    for name, region in find_roles(stage).items():
        if region != stage.region:
            raise StageError(elsewhere(stage, name, region))


def elsewhere(stage: Stage, role: str, region: str | None) -> str:
    """What to do about a role that is not of this region."""
    if region:
        return (
            f"{stage.name} is in region {region}, as its role {role} tells, and this is {stage.region}: set "
            f"AWS_REGION={region}; for a second region, make a second stage"
        )
    return (
        f"the role {role} is there, and nothing else of {stage.name} in region {stage.region}: set AWS_REGION to the "
        f"region of {stage.name}; if it has none, make the role one of this region: "
        f"aws iam tag-role --role-name {role} --tags Key={_REGION_TAG},Value={stage.region}"
    )


def find_statements(stage: Stage, role: str) -> list[Any] | None:
    """Those of all inline policies of a role; None if there is no role."""
    names = stage.find("iam", "list_role_policies", RoleName=role)
    if names is None:
        return None
    found = [stage.call("iam", "get_role_policy", RoleName=role, PolicyName=name) for name in names["PolicyNames"]]
    return [each for policy in found for each in as_list(policy["PolicyDocument"]["Statement"])]


def as_list(value: Any) -> list[Any]:
    """A value of a policy, which may stand alone where there is one."""
    return value if isinstance(value, list) else [value]


def delete_role(stage: Stage, name: str) -> None:
    """Deletes a role, with its policies."""
    for policy in list(stage.pages("iam", "list_role_policies", "PolicyNames", RoleName=name)):
        stage.call("iam", "delete_role_policy", RoleName=name, PolicyName=policy)
    for attached in list(stage.pages("iam", "list_attached_role_policies", "AttachedPolicies", RoleName=name)):
        stage.call("iam", "detach_role_policy", RoleName=name, PolicyArn=attached["PolicyArn"])
    stage.call("iam", "delete_role", RoleName=name)


def _tags(answer: Any) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in answer["Role"].get("Tags", [])}


def _here(stage: Stage, handler: str) -> str | None:
    """This region, where a role that was never used belongs to it: its function is here, or was to be.

    The stack is made before the roles, and deleted after them.
    """
    function = function_name(stage, handler)
    if stage.find("lambda", "get_function_configuration", FunctionName=function) is not None:
        return stage.region
    return stage.region if find_stack(stage) is not None else None
