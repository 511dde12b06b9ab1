"""The only layer that knows HTTP: routes, the WebSocket endpoint, and the protocol classes for uvicorn.

`uvicorn --factory hubbub.server:create_app` serves the whole thing.
"""

from hubbub.server.app import create_app

__all__ = ["create_app"]
