"""What every Tiffin service shares: events, consumer, outbox, money, identifiers, problems, clients, telemetry."""

import gc
import os

# Python looks for unreachable circles each time that 700 objects more are made than freed: in INIT, where modules are
# made and nothing is thrown away, a hundred times for nothing. A request makes too few for it to matter.
gc.set_threshold(100_000)
# pydantic imports zoneinfo, which else reads how Python itself was built to learn where time zones lie. They lie here.
os.environ.setdefault("PYTHONTZPATH", "/usr/share/zoneinfo")
