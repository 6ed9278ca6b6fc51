"""Estimates, a listener: how long an accepted order will take to arrive, by a model larger than a package may be."""
