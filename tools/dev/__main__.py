"""`python -m tools.dev`, which is `make run`: runs the local twin until Ctrl-C (SIGINT), SIGTERM or SIGHUP."""

from __future__ import annotations

import contextlib
import gc
import os
import sys

from tools.dev.settings import Ports, Settings, TwinError
from tools.dev.stopping import StopSignals

FAREWELL = "Botte has stopped"


def main() -> int:
    """The exit status: 0 when it was asked to stop, 1 when it could not start."""
    stop = StopSignals(FAREWELL)
    try:
        settings = Settings.from_environment(os.environ)
        ports = Ports(settings)
        # These take a second or two to import; what is wrong with the settings is said before. Nothing of them is ever
        # garbage, and to look for it takes a quarter of that time.
        gc.disable()
        from tools.dev.logs import log_to_stderr
        from tools.dev.paste import how_to_reach, lines_to_paste
        from tools.dev.twin import Twin

        log_to_stderr()
        twin = Twin(settings, ports)
        try:
            twin.start()
            gc.freeze()
            gc.enable()
            other = twin.note_addresses()
            print(lines_to_paste(twin), *([how_to_reach(twin, other)] if other else []), sep="\n")
            print("Botte is running", flush=True)
            stop.wait()
        finally:
            twin.stop()
    except TwinError as exc:
        print(exc, file=sys.stderr)
        return 1
    with contextlib.suppress(OSError):  # the terminal may be gone
        print(FAREWELL, flush=True)
    return 0


if __name__ == "__main__":
    status = main()
    # A handler that still waits for Telegram must neither delay the end nor write into a dying interpreter.
    os._exit(status)
