"""Serves an application: uvicorn with protocol classes, an opening handshake and a staged stop of our own.

`uvicorn --factory hubbub.serving:create_app` serves the whole thing.
"""

from hubbub.serving.app import create_app

__all__ = ["create_app"]
