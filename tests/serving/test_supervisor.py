"""The supervisor's bookkeeping, with small programs as workers, so that a test decides when each of them serves."""

import asyncio
import os
import sys
from typing import Any

import pytest

from hubbub.serving.listening import SharedPort
from hubbub.serving.supervisor import Supervisor
from hubbub.settings import Settings
from tests.waiting import eventually


async def test_a_worker_that_dies_while_it_is_replaced_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start_process = asyncio.create_subprocess_exec
    serves = [os.pipe() for _ in range(3)]
    third_may_start = asyncio.Event()
    started = 0
    processes: list[asyncio.subprocess.Process] = []

    async def start_worker(*_: str, pass_fds: list[int], **options: Any) -> asyncio.subprocess.Process:
        nonlocal started
        number, link = started, pass_fds[-1]
        started += 1
        if number == 2:
            await third_may_start.wait()
        wait = serves[number][0]
        # It says that it serves when the test lets it, and ends when the supervisor says stop.
        program = f"import os; os.read({wait}, 1); os.write({link}, b'r'); os.read({link}, 1)"
        process = await start_process(sys.executable, "-S", "-c", program, pass_fds=[link, wait], **options)
        processes.append(process)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start_worker)
    up = asyncio.Event()
    supervisor = Supervisor(SharedPort(Settings(port=0)), 1, options={}, on_ready=up.set)
    os.write(serves[0][1], b"x")
    running = asyncio.create_task(supervisor.run())
    await up.wait()
    (place,) = supervisor._places
    first = place.worker
    assert first is not None

    supervisor._replace_all()
    await eventually(lambda: len(supervisor._living) == 2)
    first.process.kill()
    await eventually(lambda: started == 3)
    os.write(serves[1][1], b"x")
    await eventually(lambda: place.worker is not first)
    os.write(serves[2][1], b"x")
    third_may_start.set()

    # The third one is not needed any more: it is told to stop.
    await eventually(lambda: len(processes) == 3 and processes[2].returncode == 0)
    await eventually(lambda: supervisor._living == {place.worker})
    supervisor._stop()
    assert await running == 0
    for pipe in serves:
        for end in pipe:
            os.close(end)
