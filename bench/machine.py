"""The machine on which the numbers were measured."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from bench.cores import cores


def describe() -> str:
    server, generator = cores()
    placed = f"server on core {server}, load generator on core {generator}"
    if server == generator:
        placed = "server and load generator on the same core"
    return (
        f"{_first('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores ({placed}), "
        f"{int(_first('/proc/meminfo', 'MemTotal').split()[0]) / 2**20:.0f} GB, "
        f"Linux {platform.release()}, Python {platform.python_version()}, loopback"
    )


def _first(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "0 (unknown)"
