"""The files that a server opens are regular ones.

Opening a FIFO waits until another process opens its other end, and reading a device may never end. A start would hang,
and a signal could not end it.
"""

from __future__ import annotations

import errno
import stat
from pathlib import Path


def check_regular(path: Path) -> None:
    """Raises OSError if there is something at `path` that is neither a regular file nor a link to one."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
