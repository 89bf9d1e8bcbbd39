"""An execution environment of Lambda: its own runtime client in a process, and the Runtime API that it asks for work.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.aws_lambda.cpu import MEGABYTES_PER_CORE, Share
from benchmarks.aws_lambda.serving import Answer, Request, Server

REGION = "us-east-1"
TIMEOUT_SECONDS = 60


class Function(NamedTuple):
    """What runs, and with how much memory (MB). python: that of Lambda, with boto3 and the runtime client."""

    name: str
    python: Path
    task_root: Path
    handler: str
    memory: int
    variables: Mapping[str, str]


class Spent(NamedTuple):
    """Milliseconds that passed, and those of them in which the process was on a core: the latter mind no neighbours."""

    ms: float
    cpu_ms: float


class Invocation(NamedTuple):
    """An answer of a handler; ``spent`` from when the event left until the answer came."""

    answer: Any
    spent: Spent


class Failed(Exception):
    """A function failed, or gave no answer; the text has what it printed."""


class Environment:
    """A process that answers one invocation after the other.

    share: of the cores; full until the process asks for its first event. None: always full.
    """

    def __init__(self, function: Function, share: Share | None = None) -> None:
        self._function = function
        self._share = share
        self._events: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Invocation | str] = queue.SimpleQueue()
        self._began = self._cpu_began = 0.0
        self.init: Spent | None = None
        self._api = Server(self._answer)
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - it stays open until __exit__
        self._started = time.perf_counter()
        self._process = subprocess.Popen(
            [str(function.python), "-m", "awslambdaric", function.handler],
            cwd=function.task_root,
            env=self._variables(),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )
        if share is not None:
            share.add(self._process.pid)
        threading.Thread(target=self._watch, daemon=True).start()

    def __enter__(self) -> Environment:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._api.stop()
        self._output.close()
        if self._share is not None:
            self._share.remove()

    def invoke(self, event: object) -> Invocation:
        """Raises Failed."""
        if self._share is not None and self.init is not None:
            self._share.refill()
        self._events.put(event)
        try:
            answer = self._answers.get(timeout=TIMEOUT_SECONDS)
        except queue.Empty:
            answer = f"no answer within {TIMEOUT_SECONDS} s"
        if isinstance(answer, str):
            self._output.seek(0)
            raise Failed(f"{self._function.handler}: {answer}\n{self._output.read().decode(errors='replace')[-3000:]}")
        return answer

    def _cpu_seconds(self) -> float:
        """What the process has used. The clock's number is what clock_getcpuclockid(3) makes of a process id."""
        return time.clock_gettime(~self._process.pid << 3 | 2)

    def _watch(self) -> None:
        self._answers.put(f"its process ended with {self._process.wait()}")

    def _answer(self, request: Request) -> Answer:
        """The Runtime API."""
        now, cpu_now = time.perf_counter(), self._cpu_seconds()
        kind = request.path.rpartition("/")[2]
        if kind == "next":
            if self.init is None:
                self.init = Spent((now - self._started) * 1000, cpu_now * 1000)
            event = json.dumps(self._events.get()).encode()
            headers = {
                "Lambda-Runtime-Aws-Request-Id": str(uuid.uuid4()),
                "Lambda-Runtime-Deadline-Ms": str(round((time.time() + TIMEOUT_SECONDS) * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": (
                    f"arn:aws:lambda:{REGION}:123456789012:function:{self._function.name}"
                ),
            }
            if self._share is not None:
                self._share.set_cores(self._function.memory / MEGABYTES_PER_CORE)
            self._cpu_began, self._began = self._cpu_seconds(), time.perf_counter()
            return Answer(event, headers=headers)
        if kind == "response":
            spent = Spent((now - self._began) * 1000, (cpu_now - self._cpu_began) * 1000)
            self._answers.put(Invocation(json.loads(request.body), spent))
        else:
            self._answers.put(request.body.decode())
        return Answer(b'{"status": "OK"}', 202)

    def _variables(self) -> dict[str, str]:
        """Those of Lambda, and of the function. Nothing can write bytecode there, so nothing does here."""
        function = self._function
        return {
            "PATH": os.environ.get("PATH", ""),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONDONTWRITEBYTECODE": "1",
            "LAMBDA_TASK_ROOT": str(function.task_root),
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "_HANDLER": function.handler,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._api.port}",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "ASIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "AWS_SESSION_TOKEN": "IQoJb3JpZ2luX2VjEXAMPLE" * 30,
            **function.variables,
        }
