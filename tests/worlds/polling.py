"""Waiting for what happens elsewhere, with a deadline: the laptop's own way, under the name that tests know it by."""

from laptop.pace import eventually

__all__ = ["eventually"]
