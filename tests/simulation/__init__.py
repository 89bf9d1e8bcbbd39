"""The simulator: the relay whole, in a world where time, chance and death are in the hands of a seed.

``world`` plays a history, ``auditor`` judges it, and ``mutations`` break the relay to see whether it is found.
"""

import sys
from pathlib import Path

# For ``python -m tests.simulation``; pytest has it in its path already.
APP_DIR = Path(__file__).resolve().parents[2] / "botte-app"
if str(APP_DIR) not in sys.path:
    sys.path.append(str(APP_DIR))
