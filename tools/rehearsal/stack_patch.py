"""Updates of CloudFormation stacks that follow conditions and deletion policies; moto's look at the names of resources.

With moto 5.2.5 a resource whose condition becomes true in an update is not made, and one whose condition becomes false
stays. https://github.com/getmoto/moto/blob/5.2.5/moto/cloudformation/parsing.py
"""

from __future__ import annotations

from typing import Any

from moto.cloudformation.parsing import ResourceMap, parse_and_update_resource


def patch_stack_updates() -> None:
    setattr(ResourceMap, "update", _update)  # noqa: B010 - a method cannot be assigned to


def _update(self: Any, template: dict[str, Any], parameters: dict[str, Any] | None = None) -> None:
    changes = self.build_resource_diff(template, parameters)
    old, before = self._resource_json_map, wanted(self)
    self._template = template
    if parameters:
        self.input_parameters = parameters
    self.load_mapping()
    self.load_parameters()
    self.load_conditions()
    self._resource_json_map = template["Resources"]
    after = wanted(self)
    for name in [each for each in before if each not in after]:
        resource = self._parsed_resources.pop(name, None)
        if resource is not None and old[name].get("DeletionPolicy") != "Retain":
            self._delete_resource(resource, old[name])
    for name in [each for each in after if each not in before]:
        _ = self[name]  # which makes it
    for name in [each for each in changes["Modify"] if each in before and each in after]:
        self._parsed_resources[name] = parse_and_update_resource(
            name, self._resource_json_map[name], self, account_id=self._account_id, region_name=self._region_name
        )


def wanted(stack: Any) -> list[str]:
    """The names of the resources whose condition is true."""
    return [
        name
        for name, resource in stack._resource_json_map.items()
        if "Condition" not in resource or stack.lazy_condition_map[resource["Condition"]]
    ]
