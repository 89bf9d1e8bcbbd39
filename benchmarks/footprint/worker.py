"""One Lambda function in a fresh interpreter: it imports the app, handles events, and prints which modules there are.

Runs as a file, isolated: what it finds is the standard library, and the package.
argv: as JSON, the package's folder, the name of a handler, and the events.
"""

from __future__ import annotations

import json
import sys


class Context:
    """What a handler reads of Lambda's context."""

    def __init__(self, number: int) -> None:
        self.aws_request_id = f"request-{number}"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def main() -> None:
    package, handler, events = json.loads(sys.argv[1])
    sys.path.insert(0, package)
    import app

    imported = sorted(sys.modules)
    for number, event in enumerate(events):
        getattr(app, handler)(event, Context(number))
    print(json.dumps({"imported": imported, "handled": sorted(sys.modules)}))


if __name__ == "__main__":
    main()
