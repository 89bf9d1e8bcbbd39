"""What developers and operators use; none of it is deployed."""

import sys
from pathlib import Path

# The app's own modules lie where Chalice wants them.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "botte-app"))
