"""Who deploys to roles within a boundary, as documented, can do so, and cannot make the roles more than they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.ops.conftest import World
from tools.rehearsal.people import PAGE, documented_policies
from tools.rehearsal.senders import run_in_shell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

(SECTION,) = re.findall(r"^## Roles that cannot grow$.*?(?=^## )", PAGE.read_text(), re.DOTALL | re.MULTILINE)
BOUNDARY, STATEMENT = re.findall(r"^```json\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)
(LINES,) = re.findall(r"^```sh\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)
ANYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An account of its own, in which an administrator made the roles, and the deployer may make none."""
    made = World(tmp_path_factory.mktemp("project"))
    (made.project / "boundary.json").write_text(BOUNDARY)
    assert run_in_shell(LINES, made.variables, made.project) == 0
    name = made.hire("deploy").removeprefix("user.")
    policy: Any = documented_policies()["Deploy"]
    kept = [each for each in policy["Statement"] if each["Sid"] != "MakeRoles"]
    document = json.dumps({**policy, "Statement": [*kept, json.loads(STATEMENT)]})
    made.client("iam").put_user_policy(UserName=name, PolicyName="Deploy", PolicyDocument=document)
    yield made
    made.stop()


def test_a_stage_is_deployed_to_roles_that_cannot_grow(world: World) -> None:
    assert world.run("deploy") == 0, world.rights()["lacking"]
    assert world.run("doctor") == 0
    assert world.rights()["lacking"] == []


def test_a_role_that_is_given_any_right_can_do_no_more(world: World) -> None:
    iam = world.client("iam", world.hire("deploy"))
    iam.put_role_policy(RoleName="botte-prod-message", PolicyName="botte-prod-message", PolicyDocument=ANYTHING)
    role = "role.botte-prod-message"
    world.client("ssm", role).get_parameters(Names=["/botte/prod/telegram-bot-token"])
    for service, call, arguments in (
        ("ssm", "get_parameters", {"Names": ["/other/secret"]}),
        ("iam", "create_user", {"UserName": "mallory"}),
        ("lambda", "update_function_code", {"FunctionName": "botte-prod", "ZipFile": b"x"}),
    ):
        with pytest.raises(ClientError, match="is not authorized to perform"):
            getattr(world.client(service, role), call)(**arguments)


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("create_role", {"RoleName": "botte-prod-other", "AssumeRolePolicyDocument": "{}"}),
        ("put_role_policy", {"RoleName": "botte-prod-free", "PolicyName": "x", "PolicyDocument": ANYTHING}),
        ("delete_role_permissions_boundary", {"RoleName": "botte-prod-message"}),
    ],
)
def test_who_deploys_makes_no_role_and_leaves_no_boundary(world: World, call: str, arguments: dict[str, str]) -> None:
    owner = world.client("iam")
    if "botte-prod-free" not in [each["RoleName"] for each in owner.list_roles()["Roles"]]:
        owner.create_role(RoleName="botte-prod-free", AssumeRolePolicyDocument="{}")
    with pytest.raises(ClientError, match="is not authorized to perform"):
        getattr(world.client("iam", world.hire("deploy")), call)(**arguments)
