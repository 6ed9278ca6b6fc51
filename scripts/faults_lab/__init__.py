"""The fault run: a deployed Tiffin, things that go wrong with it on purpose, and what must hold all the same."""

import sys
from pathlib import Path

# How an order's id follows from customer and key is the orders service's to say.
_SERVICES = Path(__file__).resolve().parents[2] / "services"
sys.path[:0] = [str(_SERVICES / name) for name in ("shared", "orders", "payments")]
