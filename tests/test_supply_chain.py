"""What is shipped can be told, and what is known to be vulnerable fails; a machine without the network does not."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.doors import RawServer, closed_port, http_answer

ROOT = Path(__file__).resolve().parents[1]
VULNERABILITY = {
    "id": "TEST-2026-1",
    "summary": "it can be told from afar",
    "affected": [{"package": {"name": "urllib3", "ecosystem": "PyPI"}, "ranges": []}],
}


def pinned(file: str, package: str) -> set[str]:
    """The hashes of a package in a file of requirements."""
    found = re.search(rf"^{package}==.*(?:\n[ \t].*)*", (ROOT / file).read_text(), re.MULTILINE)
    assert found is not None
    return set(re.findall(r"sha256:(\w+)", found.group()))


@pytest.mark.slow
def test_the_bill_of_materials_is_valid_and_names_what_the_zip_holds() -> None:
    """tests/test_package.py compares the zip: app, Chalice's runtime and urllib3."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    subprocess.run(["make", "-s", "sbom"], cwd=ROOT, check=True, capture_output=True)
    written = (ROOT / "dist" / "botte.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(written) is None
    bill = json.loads(written)
    assert bill["metadata"]["component"]["name"] == "botte"
    hashes = {
        each["name"]: {hash["content"] for ref in each["externalReferences"] for hash in ref["hashes"]}
        for each in bill["components"]
    }
    assert hashes == {
        "chalice": pinned("requirements-run.txt", "chalice"),
        "urllib3": pinned("botte-app/requirements.txt", "urllib3"),
    }


def audit(url: str) -> tuple[int, str]:
    """The exit status of an audit, and what it says."""
    command = [sys.executable, "-m", "tools.audit"]
    environment = {**os.environ, "OSV_URL": url, "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "status", "told"),
    [
        ({}, 0, "No known vulnerabilities found"),
        ({"vulns": [VULNERABILITY]}, 1, r"urllib3 +2\S+ +TEST-2026-1"),
    ],
    ids=["nothing", "something"],
)
def test_what_is_known_to_be_vulnerable_fails(answer: object, status: int, told: str) -> None:
    with RawServer(http_answer(200, answer)) as server:
        ended, said = audit(server.url)
    assert ended == status
    assert re.search(told, said), said


def test_a_service_that_cannot_be_asked_is_told_and_fails_nothing() -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    assert audit(url) == (0, f"not audited: unreachable: {url}: ConnectionError\n")
    with RawServer(http_answer(503, {})) as server:
        assert audit(server.url) == (0, f"not audited: unreachable: {server.url}: 503 Whatever\n")
