"""Runs what was deployed: the zip of a function, in a process of its own, with the function's environment and role."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import zipfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moto.awslambda.models import LambdaFunction, lambda_backends

from tools.dev.functions import ACCOUNT_ID, REGION, Answer, function_not_found, split_function_name

RUNTIME = Path(__file__).with_name("runtime.py")
ROLE_KEY = "role."  # an access key id that begins so belongs to the role of that name

WriteLogs = Callable[[str, list[str]], None]


class Environment:
    """An execution environment: a process that answers one invocation after the other."""

    def __init__(self, task_root: Path, variables: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(RUNTIME)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**variables, "LAMBDA_TASK_ROOT": str(task_root)},
            cwd=task_root,
            text=True,
        )

    def invoke(self, event: object, request_id: str, timeout: float) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"event": event, "request_id": request_id, "timeout": timeout}) + "\n")
            self._process.stdin.flush()
            answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        except (OSError, ValueError):
            error = {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: {request_id} Error: Runtime exited"}
            return {"error": error, "logs": [], "over": True}
        return answer

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()


class DeployedFunctions:
    """Lambda's Invoke for what moto was told to deploy.

    write_logs: takes a log group and the lines of an invocation.
    """

    def __init__(self, aws_url: str, write_logs: WriteLogs) -> None:
        self._aws_url = aws_url
        self._write_logs = write_logs
        self._folder = tempfile.TemporaryDirectory(prefix="botte-functions-")
        self._idle: dict[str, list[Environment]] = defaultdict(list)
        self._all: list[Environment] = []
        self._lock = threading.Lock()

    def stop(self) -> None:
        """Ends all processes, also those that are at work."""
        with self._lock:
            for environment in self._all:
                environment.stop()
        self._folder.cleanup()

    def invoke(
        self,
        function: str,
        payload: bytes,
        *,
        invocation_type: str = "RequestResponse",
        qualifier: str | None = None,
    ) -> Answer:
        """Answers as the Invoke API does."""
        name, own_qualifier = split_function_name(function)
        deployed = _deployed(name)
        if deployed is None or (qualifier or own_qualifier) not in (None, "", "$LATEST"):
            return function_not_found(name, qualifier or own_qualifier)
        if invocation_type == "DryRun":
            return Answer(204)
        request_id = str(uuid.uuid4())
        headers = {"x-amzn-RequestId": request_id, "Content-Type": "application/json"}
        event = json.loads(payload) if payload else None
        if invocation_type == "Event":
            thread = threading.Thread(target=self._run, args=[deployed, event, request_id], daemon=True)
            thread.start()
            return Answer(202, headers)
        answer = self._run(deployed, event, request_id)
        if "error" in answer:
            return Answer(200, {**headers, "X-Amz-Function-Error": "Unhandled"}, json.dumps(answer["error"]).encode())
        return Answer(200, headers, json.dumps(answer["result"]).encode())

    def _run(self, deployed: LambdaFunction, event: object, request_id: str) -> dict[str, Any]:
        key = _version(deployed)
        with self._lock:
            idle = self._idle[key]
            environment = idle.pop() if idle else None
        if environment is None:
            environment = self._new_environment(deployed)
        started = time.monotonic()
        answer = environment.invoke(event, request_id, float(deployed.timeout))
        with self._lock:
            if not answer.get("over"):
                self._idle[key].append(environment)
        report = {"requestId": request_id, "metrics": {"durationMs": round((time.monotonic() - started) * 1000, 2)}}
        report_line = json.dumps({"type": "platform.report", "record": report})
        with contextlib.suppress(Exception):  # logging never fails an invocation
            self._write_logs(f"/aws/lambda/{deployed.function_name}", [*answer["logs"], report_line])
        return answer

    def _new_environment(self, deployed: LambdaFunction) -> Environment:
        root = Path(self._folder.name) / hashlib.sha256(deployed.code_bytes).hexdigest()
        with self._lock:
            if not root.exists():
                with zipfile.ZipFile(io.BytesIO(deployed.code_bytes)) as archive:
                    archive.extractall(root)
            environment = Environment(root, self._variables(deployed))
            self._all.append(environment)
        return environment

    def _variables(self, deployed: LambdaFunction) -> dict[str, str]:
        """What the function's process is told; with the twin's own address for AWS, and the key of its role."""
        return {
            "PATH": os.environ.get("PATH", ""),
            "TZ": ":UTC",
            "LANG": "en_US.UTF-8",
            "NO_PROXY": "127.0.0.1",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self._aws_url,
            "AWS_ACCESS_KEY_ID": ROLE_KEY + deployed.role.rpartition("/")[2],
            "AWS_SECRET_ACCESS_KEY": "rehearsal",
            "AWS_LAMBDA_FUNCTION_NAME": deployed.function_name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(deployed.memory_size),
            "_HANDLER": str(deployed.handler),
            **deployed.environment_vars,
        }


def _deployed(name: str) -> LambdaFunction | None:
    functions = {each.function_name: each for each in lambda_backends[ACCOUNT_ID][REGION].list_functions()}
    return functions.get(name)


def _version(deployed: LambdaFunction) -> str:
    """Changes with the code and with every change of the configuration, as execution environments do on AWS."""
    return f"{deployed.function_name} {deployed.code_sha_256} {getattr(deployed, 'generation', 0)}"
