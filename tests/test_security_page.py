"""SECURITY.md and docs/deploying-rights.md name what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from chalicelib.settings import BOT_TOKEN, HOOK_TOKENS, HTTP_API_TOKEN, WEBHOOK_SECRET
from tools.rehearsal.people import documented_policies

ROOT = Path(__file__).resolve().parents[1]
SECURITY, RIGHTS = ROOT / "SECURITY.md", ROOT / "docs" / "deploying-rights.md"


@pytest.mark.parametrize("page", [SECURITY, RIGHTS], ids=lambda page: page.name)
def test_verbs_are_those_of_the_makefile(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    verbs = re.findall(r"(?:`|^ {4}|run: )make ([a-z-]+)", page.read_text(), re.MULTILINE)
    assert verbs
    for verb in verbs:
        assert re.search(rf"^{verb}:", makefile, re.MULTILINE), verb


def test_every_secret_is_told_and_nobody_is_asked_to_write_a_mail() -> None:
    text = SECURITY.read_text()
    assert all(f"`{name}`" in text for name in (BOT_TOKEN, HTTP_API_TOKEN, HOOK_TOKENS, WEBHOOK_SECRET))
    assert all(f"`{name}`" in text for name in documented_policies())
    assert not re.search(r"[\w.]@\w", text)


def test_the_workflow_has_no_secret_no_moving_action_and_the_role_of_the_page() -> None:
    text = RIGHTS.read_text()
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert "secrets." not in block
    workflow: Any = yaml.safe_load(block)
    job = workflow["jobs"]["deploy"]
    assert workflow["permissions"] == {}
    assert job["permissions"] == {"contents": "read", "id-token": "write"}
    assert f'environment:{job["environment"]}"' in text  # of the trust policy
    actions = [step["uses"].partition("@") for step in job["steps"] if "uses" in step]
    assert {version for _, _, version in actions} == {"COMMIT"}
    (role,) = [step["with"]["role-to-assume"] for step in job["steps"] if "role-to-assume" in step.get("with", {})]
    assert f"--role-name {role.rpartition('/')[2]} --assume-role-policy-document" in text
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make audit", "make deploy STAGE=prod YES=1"]
