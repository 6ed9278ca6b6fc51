"""Where an order is, and why: facts from every source, joined into one timeline and told in one sentence."""

import laptop  # noqa: F401 - it finds the services' own code, which knows the ends
