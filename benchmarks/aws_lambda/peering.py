"""The process of the peers, as a benchmark sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.aws_lambda.installed import HARNESS
from tools.ops.stage import ROOT


class Came(NamedTuple):
    """What came to the peers: how often which operation, and the texts of the messages."""

    calls: dict[str, int]
    texts: list[str]


class Peers:
    """Telegram and AWS over TLS. ``variables`` lead a function to them. folder: for the certificates."""

    def __init__(self, folder: Path) -> None:
        bundle = str(folder / "certificates.pem")
        paths = [str(ROOT), str(ROOT / "botte-app"), str(HARNESS)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.aws_lambda.peers", bundle],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        urls = self._read()
        self.variables = {
            "TELEGRAM_API_URL": urls["telegram"],
            "AWS_ENDPOINT_URL": urls["aws"],
            **dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"), bundle),
        }

    def __enter__(self) -> Peers:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()

    def take(self) -> Came:
        """What came since the last time."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        came = self._read()
        return Came(came["calls"], came["texts"])

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line: dict[str, Any] = json.loads(self._process.stdout.readline())
        return line
