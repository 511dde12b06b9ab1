"""CPU time and memory of a server and its children, from /proc: all threads, whatever the language."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time since the start, also of children that have ended; the resolution is a clock tick, usually
    10 ms."""
    return sum(_cpu_ticks(member) for member in _family(pid)) / _TICKS_PER_SECOND


def proportional_kb(pid: int) -> int:
    """PSS: resident memory, with shared pages divided among their processes."""
    return sum(_rollup(member, "Pss") for member in _family(pid))


def resident_kb(pid: int) -> int:
    """RSS: as in `ps` and `top`."""
    return sum(_rollup(member, "Rss") for member in _family(pid))


def peak_kb(pid: int) -> int:
    """The largest resident memory since the start."""
    return sum(_status(member, "VmHWM") for member in _family(pid))


def _family(pid: int) -> list[int]:
    family = [pid]
    for member in family:
        # A child of PostgreSQL may end while it is looked at.
        with suppress(FileNotFoundError, ProcessLookupError):
            for task in Path(f"/proc/{member}/task").iterdir():
                family += map(int, (task / "children").read_text().split())
    return family


def _cpu_ticks(pid: int) -> int:
    # proc(5): the command, in brackets, may hold spaces; utime, stime, cutime and cstime are the fields 14 to 17. The
    # last two are those of children that have ended.
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(map(int, fields[11:15]))


def _rollup(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise LookupError(f"/proc/{pid}/smaps_rollup has no {name}")


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise LookupError(f"/proc/{pid}/status has no {name}")


def busy_seconds() -> float:
    """CPU seconds of all cores of this machine since it started, for all processes."""
    # proc(5): user nice system idle iowait irq softirq steal; idle and iowait are not work.
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    ticks = [int(field) for field in fields]
    return (sum(ticks) - ticks[3] - ticks[4]) / _TICKS_PER_SECOND
