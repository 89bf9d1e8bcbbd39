"""The delivery proof: real handlers, killed at random under a Telegram that fails, and what became of every message.

``python -m benchmarks.chaos`` runs it. Two deliberately broken consumers, and a queue that gives up too soon, go
through the same storm: a proof that does not fail on them would prove nothing.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APP_DIR = ROOT / "botte-app"

if str(APP_DIR) not in sys.path:
    sys.path.append(str(APP_DIR))
