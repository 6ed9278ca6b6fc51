"""Models for estimates: simulated orders, what is learnt from them, its file, and how fast such a file is loaded."""

import laptop  # noqa: F401 - it finds the services' own code: what a model is, the service says
