"""The people of a rehearsal: each has the rights that docs/deploying-rights.md gives for what they do, and no other."""

from __future__ import annotations

import json
import re
from typing import Any

from tools.rehearsal.project import ROOT

PAGE = ROOT / "docs" / "deploying-rights.md"
# Which policies who runs a command has; everybody else has those of "".
_DEPLOYER = ("Operate", "Deploy")
_POLICIES = {"deploy": _DEPLOYER, "rollback": _DEPLOYER, "destroy": ("Operate", "Destroy"), "": ("Operate",)}


def documented_policies(stage: str = "prod") -> dict[str, Any]:
    """The policies of the page by their headings, for a stage."""
    blocks: list[tuple[str, str]] = re.findall(r"^### (\w+)$.*?^```json\n(.*?)^```$", PAGE.read_text(), re.S | re.M)
    return {
        name: json.loads(text.replace("botte-prod", f"botte-{stage}").replace("/botte/prod", f"/botte/{stage}"))
        for name, text in blocks
    }


def hire(iam: Any, command: str, stage: str) -> str:
    """The access key id of who runs a command of `tools.ops` on a stage, who is made if need be.

    iam: boto3's client, of the account's owner.
    """
    role = command if command in _POLICIES else ""
    name, policies = f"botte-{stage}-{role or 'operate'}", documented_policies(stage)
    if name not in [user["UserName"] for user in iam.list_users()["Users"]]:
        iam.create_user(UserName=name)
        for each in _POLICIES[role]:
            iam.put_user_policy(UserName=name, PolicyName=each, PolicyDocument=json.dumps(policies[each]))
    return f"user.{name}"
