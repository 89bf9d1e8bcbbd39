"""Writes the private copies that the clients ship of files they have in common; ``--check`` only compares them.

There is one source for each: the contract's are the app's own, the others belong to one of the clients. A shared
package instead would break the installation of two clients from one Git repository.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CLIENTS = ("http", "lambda", "dynamodb", "sqs")
CONTRACT = "botte-app/chalicelib/contract"


def package(client: str) -> str:
    """Where the package of a client is."""
    return f"clients/botte-{client}-client/src/botte_{client}_client"


# Each source, the name of its copies, and the clients that have one.
COPIES = (
    (f"{CONTRACT}/message.py", "_message.py", CLIENTS),
    (f"{CONTRACT}/task.py", "_task.py", ("dynamodb",)),
    (f"{package('http')}/_client.py", "_client.py", ("lambda", "dynamodb", "sqs")),
    (f"{package('lambda')}/_aws.py", "_aws.py", ("dynamodb", "sqs")),
    (f"{package('dynamodb')}/_batch.py", "_batch.py", ("sqs",)),
)


def differing(root: Path = ROOT) -> Iterator[tuple[Path, Path]]:
    """The source and the place of each copy that is missing, or is not like its source."""
    for source, name, clients in COPIES:
        for client in clients:
            copy = root / package(client) / name
            if not copy.exists() or copy.read_bytes() != (root / source).read_bytes():
                yield root / source, copy


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(prog="python tools/sync_contract.py", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 if a copy differs")
    check: bool = parser.parse_args(arguments).check
    found = list(differing(root))
    for source, copy in found:
        print(f"{copy.relative_to(root)} {'differs from' if check else 'is now'} {source.relative_to(root)}")
        if not check:
            shutil.copyfile(source, copy)
    return 1 if check and found else 0


if __name__ == "__main__":
    sys.exit(main())
