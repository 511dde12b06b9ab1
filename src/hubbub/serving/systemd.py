"""What systemd and a service tell each other: the sockets that the service was started with, and its state.

See sd_listen_fds(3) and sd_notify(3). Both are a few variables of the environment; without systemd nothing happens.
"""

from __future__ import annotations

import contextlib
import os
import socket

FIRST_SOCKET = 3
"""SD_LISTEN_FDS_START."""


def listening_descriptors() -> list[int]:
    """The file descriptors of the sockets that this process was started with. Its own child processes are not told."""
    process, number = os.environ.get("LISTEN_PID"), os.environ.get("LISTEN_FDS", "")
    if process != str(os.getpid()) or not number.isdecimal():
        return []
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    return list(range(FIRST_SOCKET, FIRST_SOCKET + int(number)))


def notify(state: str) -> None:
    """Tell the service manager, if there is one: `READY=1`, `STOPPING=1`."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    # Its first byte is 0 where it has no place in the file system.
    path = f"\0{address[1:]}" if address.startswith("@") else address
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.sendto(state.encode(), path)
