"""Under which name an endpoint finds what can hand its socket over. Other servers than ours need nothing more of it."""

from __future__ import annotations

HANDOVER = "hubbub.handover"
"""The ASGI extension that holds the `WebSocketProtocol`."""
