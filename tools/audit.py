"""Looks for known vulnerabilities of all that is pinned: ``python -m tools.audit``, with further options of pip-audit.

pip-audit asks https://osv.dev, or the service at ``OSV_URL``. It ends alike when it finds something and when it cannot
ask; so that it can be asked is seen first. What is found fails, a machine without the network does not.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parents[1]
_PINNED = ("botte-app/requirements.txt", "requirements-dev.txt")
_TIMEOUT_SECONDS = 15.0


def main(options: list[str]) -> int:
    """The exit status: 1 where something is known to be vulnerable, or an audit that began did not end."""
    url = os.environ.get("OSV_URL") or "https://api.osv.dev/v1/query"
    if reason := _unreachable(url):
        print(f"not audited: unreachable: {url}: {reason}")
        return 0
    command = [sys.executable, "-m", "pip_audit", "--vulnerability-service", "osv", "--osv-url", url]
    command += ["--disable-pip", "--require-hashes", "--progress-spinner", "off"]
    for name in _PINNED:
        command += ["--requirement", name]
    return subprocess.run([*command, *options], cwd=ROOT, check=False).returncode


def _unreachable(url: str) -> str | None:
    """Why the service cannot be asked; None where it answers."""
    try:
        query = {"package": {"name": "urllib3", "ecosystem": "PyPI"}, "version": "1.0"}
        answer = requests.post(url, json=query, timeout=_TIMEOUT_SECONDS)
    except requests.RequestException as error:
        return type(error).__name__
    return None if answer.ok else f"{answer.status_code} {answer.reason}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
