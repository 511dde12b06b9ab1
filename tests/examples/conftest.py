"""Every example is served twice: by Hubbub's protocol classes, and by uvicorn's own, as by any other ASGI server."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hubbub.testing import TestServer
from hubbub.testing.fixtures import Serve, serve

__all__ = ["serve"]

Start = Callable[[Any], Awaitable[TestServer]]


@pytest.fixture(params=["socket", "plain ASGI"])
def start(request: pytest.FixtureRequest, serve: Serve) -> Start:
    """Serves an application until the test ends, over both transports in turn."""

    async def serve_over_transport(app: Any) -> TestServer:
        return await serve(app, plain=request.param == "plain ASGI")

    return serve_over_transport
