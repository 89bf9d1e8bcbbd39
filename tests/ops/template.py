"""The template .chalice/resources.yaml, as Chalice reads it when it makes its package."""

from __future__ import annotations

from functools import cache
from typing import Any

from chalice.package import YAMLTemplateSerializer

from tools.dev.aws import RESOURCES_FILE


@cache
def template() -> Any:
    """The template, with ``!Sub x`` as ``{"Fn::Sub": "x"}``. To import cfn-lint's reader takes each worker 2 s."""
    return YAMLTemplateSerializer().load_template(RESOURCES_FILE.read_text())
