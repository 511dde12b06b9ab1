"""Checks that the database's files are still those that were opened.

If a file is removed or replaced while it is open, the system continues to write into the file that has no name any
more, and every later commit is lost with it. A file that was emptied keeps its name, but what is written into it later
makes no database. So a commit counts only after both files were seen under their names, and the database's was not
empty.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from hubbub.errors import Unavailable

log = logging.getLogger("hubbub")


class OpenFiles:
    """The files of an open SQLite database: it and its log. Any thread may use it."""

    def __init__(self, path: Path) -> None:
        database = str(path.absolute())
        self._names = [database, f"{database}-wal"]
        self._known: dict[str, tuple[int, int] | None] = {name: _identity(name) for name in self._names}
        self._filled = database
        self.problem: str | None = None
        """What is wrong with them, as a sentence for the log; None if `check` has found nothing wrong."""

    def check(self) -> None:
        """Check both files, and keep what was found in `problem`. It takes a microsecond or two."""
        problem = None
        for name in self._names:
            known, found = self._known[name], _identity(name, filled=name == self._filled)
            if known is None:
                # SQLite makes the log when it first needs it.
                self._known[name] = found
            elif found != known and problem is None:
                problem = f"{name} was removed, emptied or replaced while the server uses it"
        if problem != self.problem:
            self.problem = problem
            if problem:
                log.error("%s: nothing is stored until it is put back, or the server is started again", problem)
            else:
                log.info("the database's files are back in their place")

    def require(self) -> None:
        """Check both files now. Raises `Unavailable` unless both are in their place."""
        self.check()
        self.require_as_seen()

    def require_as_seen(self) -> None:
        """The same, as the last check has found it."""
        if self.problem:
            raise Unavailable("nothing can be stored now: the database's files were removed", retry_after=1000)


def _identity(name: str, *, filled: bool = False) -> tuple[int, int] | None:
    try:
        found = os.stat(name)  # noqa: PTH116 - twice in each commit
    except OSError:
        return None
    if filled and not found.st_size:
        return None
    return found.st_dev, found.st_ino
