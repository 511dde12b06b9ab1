"""Starts servers from a process that has imported their modules already: in a tenth of the time.

Most of a server's start is the import of FastAPI and Pydantic: almost a second of processor time, and the tests start
hundreds of servers. So `start` has a warm interpreter fork. The child runs `python -m hubbub.cli serve …` in its own
folder, with its own environment and log, and ends as any interpreter does. Only Linux has what this needs.

This file is also the program of that interpreter.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

IMPORTED = (
    "hubbub.serving.server",
    "hubbub.serving.app",
    "hubbub.serving.addresses",
    "hubbub.store.sqlite",
    "hubbub.store.postgres",
    "httptools",
    "psycopg",
    "typer",
    "uvicorn.lifespan.on",
    "uvicorn.loops.uvloop",
)
INTERVAL = 0.005


class WarmProcess:
    """A running server. Its methods are those of `subprocess.Popen`."""

    def __init__(self, command: Sequence[str], report: socket.socket) -> None:
        self.command = command
        pid = report.recv(64)
        assert pid, "the warm interpreter has ended: see what it wrote to stderr"
        self.pid = int(pid)
        self.returncode: int | None = None
        self._report = report
        self._report.setblocking(False)
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        with self._lock:
            if self.returncode is None:
                try:
                    self.returncode = int(self._report.recv(64))
                except BlockingIOError:
                    return None
                self._report.close()
            return self.returncode

    def wait(self, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(self.command, timeout)
            time.sleep(INTERVAL)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def can_start(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether this is a Python module that needs no interpreter of its own."""
    if list(command[:2]) != [sys.executable, "-m"] or sys.platform != "linux":
        return False
    # Only a new interpreter loads what LD_PRELOAD names. With these options a server starts further interpreters.
    return "LD_PRELOAD" not in environment and not {"--workers", "--reload"} & set(command)


def start(command: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: int) -> WarmProcess:
    """Run `command` in `cwd`, with its output in the open file `log`. See `can_start`."""
    request = json.dumps({"module": command[2], "arguments": command[3:], "cwd": str(cwd), "environment": dict(env)})
    report, theirs = _channel()
    with theirs:
        socket.send_fds(_warm_interpreter(), [request.encode()], [theirs.fileno(), log])
    return WarmProcess(command, report)


def _channel() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


@cache
def _warm_interpreter() -> socket.socket:
    """Where it takes requests."""
    requests, theirs = _channel()
    with theirs:
        command = [sys.executable, "-P", __file__, str(theirs.fileno())]
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
    atexit.register(_end, process, requests)
    return requests


def _end(process: subprocess.Popen[bytes], requests: socket.socket) -> None:
    # It ends when nobody can ask it any more. If this process is killed, the system closes the socket.
    requests.close()
    process.wait()


# What follows runs in the warm interpreter.


def wait_for_request(requests: socket.socket) -> tuple[dict[str, Any], int]:
    """Returns in the process that is to be the server: what it is to run, and its log."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, 1_000_000, 2)
        if not message:
            os._exit(0)
        report, log = descriptors
        if os.fork() == 0:
            requests.close()
            if is_server(socket.socket(fileno=report)):
                return json.loads(message), log
        os.close(report)
        os.close(log)


def is_server(report: socket.socket) -> bool:
    """Forks once more. The parent reports the child's process id, and its exit status when it has ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    server = os.fork()
    if server:
        report.send(str(server).encode())
        _, status = os.waitpid(server, 0)
        report.send(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    report.close()
    return True


def become(request: dict[str, Any], log: int) -> None:
    os.chdir(request["cwd"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.path[:0] = [request["cwd"], *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv = [request["module"], *request["arguments"]]


if __name__ == "__main__":
    for name in IMPORTED:
        importlib.import_module(name)
    # An application imports more when its routes are made.
    importlib.import_module("hubbub.serving.app").create_app(importlib.import_module("hubbub.settings").Settings())
    # The collector would write to each object, and so copy the memory that all servers share.
    gc.freeze()
    server, server_log = wait_for_request(socket.socket(fileno=int(sys.argv[1])))
    become(server, server_log)
    runpy.run_module(server["module"], run_name="__main__", alter_sys=True)
