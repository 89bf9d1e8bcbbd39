"""Which region a role belongs to: what tells it, and what counts more."""

from __future__ import annotations

from typing import Any

import pytest

from tools.ops.roles import check_region, find_roles
from tools.ops.stage import Stage, StageError


class OneRole(Stage):
    """A stage in us-east-1 of whose roles one exists. tag, used: the regions that it tells, and was last used in."""

    def __init__(self, *, tag: str | None, used: str | None, function: bool, stack: bool) -> None:
        super().__init__("prod")
        self._tags = [{"Key": "region", "Value": tag}] if tag else []
        self._used = {"Region": used} if used else {}
        self._function, self._stack = function, stack

    @property
    def region(self) -> str:
        return "us-east-1"

    def find(self, service: str, operation: str, **arguments: object) -> Any:
        if operation == "get_role":
            role = {"RoleName": arguments["RoleName"], "Tags": self._tags, "RoleLastUsed": self._used}
            return {"Role": role} if arguments["RoleName"] == "botte-prod-message" else None
        return {} if self._function else None

    def call(self, service: str, operation: str, **arguments: object) -> Any:
        assert operation == "describe_stacks"
        if self._stack:
            return {"Stacks": [{"StackStatus": "CREATE_COMPLETE"}]}
        return super().call(service, operation, **arguments)


@pytest.mark.parametrize(
    ("tag", "used", "function", "stack", "region"),
    [
        ("us-east-1", None, False, False, "us-east-1"),
        ("eu-west-1", None, True, True, "eu-west-1"),
        ("us-east-1", "eu-west-1", False, False, "us-east-1"),
        (None, "eu-west-1", True, True, "eu-west-1"),
        (None, "us-east-1", False, False, "us-east-1"),
        (None, None, True, False, "us-east-1"),
        (None, None, False, True, "us-east-1"),  # a first deployment that failed after Chalice made the role
    ],
)
def test_the_tag_counts_most_and_then_where_a_role_was_used_and_then_what_is_here(
    tag: str | None, used: str | None, function: bool, stack: bool, region: str
) -> None:
    stage = OneRole(tag=tag, used=used, function=function, stack=stack)
    assert find_roles(stage) == {"botte-prod-message": region}
    if region == "us-east-1":
        check_region(stage)
    else:
        with pytest.raises(
            StageError, match=r"prod is in region eu-west-1, as its role .* set AWS_REGION=eu-west-1; for"
        ):
            check_region(stage)
