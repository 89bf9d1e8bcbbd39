"""What is measured: Botte as `make deploy` would upload it, the usual way, and the floor."""

from __future__ import annotations

import json
import py_compile
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from chalice.config import Config

from benchmarks.aws_lambda.doors import PARAMETERS, Door
from benchmarks.aws_lambda.environment import Function
from benchmarks.aws_lambda.installed import PACKAGE, PYTHON, TUNED, USUAL
from benchmarks.aws_lambda.names import BOTTE, FLOOR, USUAL_ENV, USUAL_TUNED, USUAL_WAY
from tools.dev.fake_telegram import TWIN_CHAT_ID
from tools.ops.package import chalice_package
from tools.ops.stage import ROOT, Stage

STAGE = "prod"
_HANDLERS = Path(__file__).parent


def build_package(folder: Path) -> Path:
    """Unpacks the stage's zip, made as `make deploy` makes it, into a folder; a copy is kept, for later comparisons."""
    package = folder / "package"
    with zipfile.ZipFile(chalice_package(Stage(STAGE), folder / "chalice")) as archive:
        archive.extractall(package)
    shutil.rmtree(PACKAGE, ignore_errors=True)
    shutil.copytree(package, PACKAGE)
    return package


class Functions:
    """The functions of each contender, on the peers whose variables are given.

    package: Botte's, unpacked. folder: for the floor's.
    """

    def __init__(self, package: Path, folder: Path, peers: Mapping[str, str]) -> None:
        self._stage = Stage(STAGE)
        self._package = package
        self._floor = folder / "floor"
        self._peers = peers
        shutil.copy(_HANDLERS / "usual.py", USUAL)
        _copy_compiled("usual.py", TUNED)
        self._floor.mkdir()
        _copy_compiled("floor.py", self._floor)

    def memory(self, door: Door) -> int:
        """What .chalice/config.json gives the door's function, in MB."""
        config = json.loads((ROOT / ".chalice" / "config.json").read_text())
        return Config(STAGE, door.function, config_from_disk=config).lambda_memory_size

    def of(self, door: Door, memory: int) -> dict[str, Function]:
        """Those of the contenders that have such a door, with so much memory; Botte's comes first."""
        botte = {**self._stage.environment, **self._peers}
        if door.function == "sqs_message":
            botte["QUEUE_NAME"] = f"botte-{STAGE}-messages"
        parameters = {**self._peers, "PARAMETERS_PATH": self._stage.parameters_path}
        secrets = {
            **self._peers,
            "TELEGRAM_BOT_TOKEN": PARAMETERS["telegram-bot-token"],
            "TELEGRAM_CHAT_ID": str(TWIN_CHAT_ID),
            "HTTP_API_TOKEN": PARAMETERS["http-api-token"],
        }

        def function(task_root: Path, handler: str, variables: Mapping[str, str]) -> Function:
            return Function(f"botte-{STAGE}-{door.function}", PYTHON, task_root, handler, memory, variables)

        functions = {BOTTE: function(self._package, door.handler, botte)}
        if door.shape is not None:
            functions[USUAL_WAY] = function(USUAL, f"usual.{door.shape}", parameters)
            functions[USUAL_ENV] = function(USUAL, f"usual.{door.shape}", secrets)
            functions[USUAL_TUNED] = function(TUNED, f"usual.{door.shape}", secrets)
            functions[FLOOR] = function(self._floor, f"floor.{door.shape}", secrets)
        return functions


def _copy_compiled(name: str, folder: Path) -> None:
    copy = str(shutil.copy(_HANDLERS / name, folder))
    py_compile.compile(copy, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
