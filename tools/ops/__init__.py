"""What an operator does with a deployed stage, or with the local twin."""

import sys
from pathlib import Path

# The app's own modules lie where Chalice wants them.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "botte-app"))
