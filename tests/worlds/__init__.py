"""What tests share: the world that each subject stands in, with its tables, stand-ins and senders. No tests in here."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The repository."""
