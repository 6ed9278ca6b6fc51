"""Estimates, a listener: how long an accepted order will take to arrive, by a model larger than a package may be."""

import tiffin as tiffin  # first: what it sets holds for all that is imported after it
