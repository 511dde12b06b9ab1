"""One core for the servers, and another one for the load generator."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache


@cache
def cores() -> tuple[int, int]:
    """The server's core and the load generator's, from those that this process may use."""
    given = sorted(os.sched_getaffinity(0))
    return given[0], given[-1]


def pin_generator() -> None:
    """Keeps this process off the server's core."""
    os.sched_setaffinity(0, {cores()[1]})


def on_its_core(command: Sequence[str]) -> list[str]:
    """The command, pinned to the servers' core."""
    # Setting it from outside after the start is too late: Go and Node.js count their cores first.
    return ["taskset", "--cpu-list", str(cores()[0]), *command]
