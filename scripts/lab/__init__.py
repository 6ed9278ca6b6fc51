"""The fault lab: a deployed Tiffin, things that go wrong with it on purpose, and what must hold all the same."""

import laptop  # noqa: F401 - it finds the services' own code, which the lab judges by
