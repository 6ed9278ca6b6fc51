"""What the laptop remembers when its emulator has gone: trace segments, executions, logs and events, in SQLite.

One writer thread per process takes rows from a queue, so that nobody who records waits for the disk. The file is
bounded: when it is full, what is oldest goes. Several emulators may write to the same file at once.
"""

import contextlib
import json
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .. import private

PATH_ENV = "TIFFIN_RECORD"
"""Environment variable: where the file is."""
LIMIT_ENV = "TIFFIN_RECORD_LIMIT"
"""Environment variable: how many bytes the file may have."""
FILE = "record.sqlite"
DEFAULT_LIMIT = 256 * 1024 * 1024
# With rows of a few kilobytes, often enough to stay near the limit and rare enough to cost nothing.
_TRIM_EVERY = 200
_OLDEST_SHARE = 0.1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS traces (trace_id TEXT PRIMARY KEY, at REAL NOT NULL, until REAL NOT NULL);
CREATE INDEX IF NOT EXISTS traces_at ON traces (at);
CREATE TABLE IF NOT EXISTS segments (
  trace_id TEXT NOT NULL, id TEXT NOT NULL, in_progress INTEGER NOT NULL, document TEXT NOT NULL,
  PRIMARY KEY (trace_id, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS annotations (
  key TEXT NOT NULL, value TEXT NOT NULL, trace_id TEXT NOT NULL,
  PRIMARY KEY (key, value, trace_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS annotations_trace ON annotations (trace_id);
CREATE TABLE IF NOT EXISTS executions (
  arn TEXT PRIMARY KEY, order_id TEXT, at REAL NOT NULL, description TEXT NOT NULL, definition TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS executions_order ON executions (order_id);
CREATE TABLE IF NOT EXISTS history (
  arn TEXT NOT NULL, id INTEGER NOT NULL, at REAL NOT NULL, event TEXT NOT NULL, PRIMARY KEY (arn, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS logs (
  at REAL NOT NULL, function TEXT NOT NULL, request_id TEXT NOT NULL, order_id TEXT, message TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS logs_order ON logs (order_id);
CREATE INDEX IF NOT EXISTS logs_at ON logs (at);
CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, order_id TEXT, at REAL NOT NULL, event TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_order ON events (order_id);
"""

_UPSERT_TRACE = """
INSERT INTO traces VALUES (?, ?, ?)
ON CONFLICT (trace_id) DO UPDATE SET at = min(at, excluded.at), until = max(until, excluded.until)
"""
# A segment is sent in progress first, and complete later; over UDP the order is not certain.
_UPSERT_SEGMENT = """
INSERT INTO segments VALUES (?, ?, ?, ?)
ON CONFLICT (trace_id, id) DO UPDATE SET in_progress = excluded.in_progress, document = excluded.document
WHERE excluded.in_progress <= segments.in_progress
"""
_UPSERT_EXECUTION = "INSERT OR REPLACE INTO executions VALUES (?, ?, ?, ?, ?)"
_INSERT_HISTORY = "INSERT OR REPLACE INTO history VALUES (?, ?, ?, ?)"
_INSERT_LOG = "INSERT INTO logs VALUES (?, ?, ?, ?, ?)"
_INSERT_EVENT = "INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?)"

_Statement = tuple[str, tuple[Any, ...]]


class Record:
    """The file, open for writing and for X-Ray's queries. Safe to use from any thread.

    Args:
        path: the file; it is made if need be.
        limit: bytes that the file may have.
    """

    def __init__(self, path: Path, limit: int = DEFAULT_LIMIT) -> None:
        self.path, self._limit = path, limit
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives its companions the file's own mode, if it makes them anew.
        for companion in (path.with_name(path.name + end) for end in ("-wal", "-shm")):
            with contextlib.suppress(FileNotFoundError):
                companion.chmod(0o600)
        private.file(path)
        with contextlib.closing(_open(path)) as connection:
            connection.executescript(_SCHEMA)
        self._written = 0
        self._queue: queue.Queue[list[_Statement] | threading.Event | None] = queue.Queue()
        self._writer = threading.Thread(target=self._write, name="record", daemon=True)
        self._writer.start()

    @classmethod
    def from_environment(cls) -> "Record | None":
        """The record that the launcher asks for, if it does."""
        path = os.environ.get(PATH_ENV)
        return cls(Path(path), int(os.environ.get(LIMIT_ENV, DEFAULT_LIMIT))) if path else None

    def add_segment(self, document: dict[str, Any]) -> None:
        """Keep a segment document, or a subsegment sent on its own.

        Args:
            document: as X-Ray takes it (X-Ray developer guide, "Segment documents").
        """
        trace_id, start = document["trace_id"], float(document["start_time"])
        statements: list[_Statement] = [
            (_UPSERT_TRACE, (trace_id, start, float(document.get("end_time", start)))),
            (
                _UPSERT_SEGMENT,
                (trace_id, document["id"], int(bool(document.get("in_progress"))), json.dumps(document)),
            ),
        ]
        statements += [
            ("INSERT OR IGNORE INTO annotations VALUES (?, ?, ?)", (key, str(value), trace_id))
            for node in nodes(document)
            for key, value in (node.get("annotations") or {}).items()
        ]
        self._queue.put(statements)

    def add_execution(self, description: dict[str, Any], definition: str, order_id: str | None, at: float) -> None:
        """Keep, or replace, what `DescribeExecution` says of an execution."""
        row = (description["executionArn"], order_id, at, json.dumps(description), definition)
        self._queue.put([(_UPSERT_EXECUTION, row)])

    def add_history(self, arn: str, event: dict[str, Any], at: float) -> None:
        """Keep one event of an execution's history."""
        self._queue.put([(_INSERT_HISTORY, (arn, event["id"], at, json.dumps(event)))])

    def add_log(self, at: float, function: str, request_id: str, order_id: str | None, message: str) -> None:
        """Keep one line that a function wrote."""
        self._queue.put([(_INSERT_LOG, (at, function, request_id, order_id, message))])

    def add_event(self, event: dict[str, Any], order_id: str | None, at: float) -> None:
        """Keep one event that the bus took."""
        self._queue.put([(_INSERT_EVENT, (event["id"], order_id, at, json.dumps(event)))])

    def flush(self, timeout: float = 10.0) -> None:
        """Wait until everything added so far is in the file."""
        done = threading.Event()
        self._queue.put(done)
        done.wait(timeout)

    def close(self) -> None:
        """Write what is left, and stop."""
        self._queue.put(None)
        # Whoever stops the emulator waits for as long as this machine needs, and no longer.
        self._writer.join(timeout=60)

    def rows(self, sql: str, arguments: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """Ask the file."""
        with contextlib.closing(_open(self.path)) as connection:
            return connection.execute(sql, tuple(arguments)).fetchall()

    def size(self) -> int:
        """Bytes in use, free pages not counted."""
        with contextlib.closing(_open(self.path)) as connection:
            return _used(connection)

    def _write(self) -> None:
        connection = _open(self.path)
        going = True
        while going:
            batch = [self._queue.get()]
            with contextlib.suppress(queue.Empty):
                while len(batch) < 500:
                    batch.append(self._queue.get_nowait())
            statements = [s for item in batch if isinstance(item, list) for s in item]
            try:
                _commit(connection, statements)
                self._written += len(statements)
                if self._written >= _TRIM_EVERY:
                    self._written = 0
                    self._trim(connection)
            except sqlite3.Error as error:
                # What is remembered is a help; losing some of it must not stop the emulator.
                print(f"record: {error}", flush=True)
            for item in batch:
                if isinstance(item, threading.Event):
                    item.set()
                going = going and item is not None
        connection.close()

    def _trim(self, connection: sqlite3.Connection) -> None:
        """Forget the oldest traces, and all else from before the oldest that stay, until there is room."""
        while _used(connection) > self._limit:
            (count,) = connection.execute("SELECT count(*) FROM traces").fetchone()
            gone = max(1, int(count * _OLDEST_SHARE))
            kept = connection.execute("SELECT at FROM traces ORDER BY at LIMIT 1 OFFSET ?", (gone,)).fetchone()
            before = kept[0] if kept else time.time()
            old = "SELECT trace_id FROM traces WHERE at < ?"
            _commit(
                connection,
                [
                    (f"DELETE FROM segments WHERE trace_id IN ({old})", (before,)),  # noqa: S608 - a constant
                    (f"DELETE FROM annotations WHERE trace_id IN ({old})", (before,)),  # noqa: S608 - a constant
                    ("DELETE FROM traces WHERE at < ?", (before,)),
                    ("DELETE FROM history WHERE arn IN (SELECT arn FROM executions WHERE at < ?)", (before,)),
                    ("DELETE FROM executions WHERE at < ?", (before,)),
                    ("DELETE FROM logs WHERE at < ?", (before,)),
                    ("DELETE FROM events WHERE at < ?", (before,)),
                ],
            )
            if not kept:
                return


def nodes(document: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """A segment document and all subsegments in it."""
    yield document
    for child in document.get("subsegments") or []:
        yield from nodes(child)


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def _commit(connection: sqlite3.Connection, statements: list[_Statement]) -> None:
    if not statements:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for sql, arguments in statements:
            connection.execute(sql, arguments)
        connection.execute("COMMIT")
    except sqlite3.Error:
        connection.execute("ROLLBACK")
        raise


def _used(connection: sqlite3.Connection) -> int:
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    return int(size * (pages - free))
