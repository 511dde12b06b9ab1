"""Waiting for a condition that a test can only check repeatedly."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

DEADLINE = 60.0
INTERVAL = 0.01


async def eventually(holds: Callable[[], bool | Awaitable[bool]], *, deadline: float = DEADLINE) -> None:
    """Returns when the condition holds. Raises TimeoutError after the deadline."""
    async with asyncio.timeout(deadline):
        while not await _settled(holds()):  # noqa: ASYNC110 - logs and routes raise no event
            await asyncio.sleep(INTERVAL)


async def _settled(answer: bool | Awaitable[bool]) -> bool:
    return await answer if inspect.isawaitable(answer) else answer
