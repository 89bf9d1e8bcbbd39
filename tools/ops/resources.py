"""What a CloudFormation template makes with its parameters: so two of them can be compared without asking AWS.

A change set would tell the same, but only once there is a stack, and it is itself a change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tools.ops.changes import State, flatten


def resources(text: str, parameters: Mapping[str, str]) -> State:
    """The resources of a template whose conditions hold, with their properties. text: YAML."""
    document = read_template(text)
    defaults = {name: str(each.get("Default", "")) for name, each in document.get("Parameters", {}).items()}
    reader = _Reader(document.get("Conditions", {}), {**defaults, **parameters})
    made: State = {}
    for name, resource in document["Resources"].items():
        if "Condition" in resource and not reader.holds({"Condition": resource["Condition"]}):
            continue
        kind = resource["Type"].rpartition("::")[2]
        properties = reader.read(resource.get("Properties", {}))
        policy = {"DeletionPolicy": resource["DeletionPolicy"]} if "DeletionPolicy" in resource else {}
        made[f"{kind.lower()} {properties.get(f'{kind}Name', name)}"] = dict(flatten({**properties, **policy}))
    return made


def read_template(text: str) -> Any:
    """A template with ``!Sub x`` as ``{"Fn::Sub": "x"}``. text: YAML."""
    from chalice.package import YAMLTemplateSerializer  # the slowest import of all

    return YAMLTemplateSerializer().load_template(text)


class _Reader:
    """Reads the functions of a template that need nothing but its parameters; leaves the others as they are."""

    def __init__(self, conditions: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
        self._conditions = conditions
        self._parameters = parameters

    def read(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.read(each) for each in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, argument),) = value.items()
            if function == "Ref":
                return self._parameters.get(argument, value)
            if function == "Fn::Sub" and isinstance(argument, str):
                return re.sub(r"\$\{(\w+)\}", lambda found: self._parameters.get(found[1], found[0]), argument)
            if function == "Fn::If":
                return self.read(argument[1 if self.holds({"Condition": argument[0]}) else 2])
        return {name: self.read(each) for name, each in value.items()}

    def holds(self, condition: Any) -> bool:
        """Whether a condition is true."""
        ((function, argument),) = condition.items()
        match function:
            case "Condition":
                return self.holds(self._conditions[argument])
            case "Fn::Not":
                return not self.holds(argument[0])
            case "Fn::And":
                return all(self.holds(each) for each in argument)
            case "Fn::Or":
                return any(self.holds(each) for each in argument)
            case _:  # Fn::Equals
                first, second = self.read(argument)
                return bool(first == second)
