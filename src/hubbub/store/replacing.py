"""Puts a restored file in the database's place, in steps that the next start finishes if they are cut short.

A database is several files, and no system renames several at once. So the restored file first gets a name that says it
is complete. From then on, the next process that locks the directory puts it in place.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from hubbub.store.parts import make_names_durable

SUFFIX = ".restored"


def restored(path: Path) -> Path:
    """The name of a complete file that will replace the database `path`."""
    return path.with_name(path.name + SUFFIX)


def finish(path: Path) -> Path | None:
    """Put the restored file in place, if there is one. Returns where the replaced database is now, if there was one.

    The caller holds the data directory's lock. Raises `OSError`.
    """
    new = restored(path)
    if not new.exists():
        return None
    # The name is the same, however often this is begun.
    moment = datetime.fromtimestamp(new.stat().st_mtime, UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    aside = path.with_name(f"{path.stem}-replaced-{moment}.db")
    # The logs are moved first: beside the new file, they would be taken for its own.
    for suffix in ("-journal", "-wal", ""):
        old = path.with_name(path.name + suffix)
        if old.exists():
            old.replace(aside.with_name(aside.name + suffix))
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    new.replace(path)
    make_names_durable(path.parent)
    return aside if aside.exists() else None
