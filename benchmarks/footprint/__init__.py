"""What Botte is, in counts: the deployed package, what a message imports, which calls of AWS it makes, what it costs.

``python -m benchmarks.footprint`` counts it; twice the same for the same code and the same Python.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APP_DIR = ROOT / "botte-app"

if str(APP_DIR) not in sys.path:
    sys.path.append(str(APP_DIR))
