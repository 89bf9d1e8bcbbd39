"""Leaves EC2's machine types out of moto, which reads them all when it imports CloudFormation: a sixth of the start."""

from __future__ import annotations

from typing import Any

from moto.utilities import utils

_load_resource = utils.load_resource


def leave_out_machine_types() -> None:
    """Once is enough, before moto imports its EC2."""
    utils.load_resource = _load_all_but_machine_types


def _load_all_but_machine_types(resource: str) -> Any:
    if resource == "ec2/resources/instance_types.json":
        return {}
    if resource.startswith("ec2/resources/instance_type_offerings/"):
        return []
    return _load_resource(resource)
