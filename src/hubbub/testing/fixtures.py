"""The same as pytest fixtures: `pytest_plugins = ["hubbub.testing.fixtures"]` in the top-level conftest.py.

    async def test_a_message_reaches_the_room(serve: Serve) -> None:
        server = await serve(app)
        async with server.connect("/chat/ws/chat/general?username=alice") as alice:
            await alice.send({"text": "hello"})
            await alice.expect("message", text="hello")

It needs a plugin that runs `async` tests and fixtures: anyio's, which is installed with FastAPI (`anyio_mode =
"auto"`), or pytest-asyncio (`asyncio_mode = "auto"`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Protocol

import pytest

from hubbub.settings import Settings
from hubbub.testing import TIMEOUT, TestServer, serving


class Serve(Protocol):
    async def __call__(
        self, app: Any, *, settings: Settings | None = None, plain: bool = False, timeout: float = TIMEOUT
    ) -> TestServer: ...


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves applications until the test ends: `server = await serve(app)`, with the options of `serving`."""
    async with AsyncExitStack() as servers:

        async def start(
            app: Any, *, settings: Settings | None = None, plain: bool = False, timeout: float = TIMEOUT
        ) -> TestServer:
            return await servers.enter_async_context(serving(app, settings=settings, plain=plain, timeout=timeout))

        yield start
