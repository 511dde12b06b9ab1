"""A Lua script that a node calls again and again: Redis keeps it, and is sent its text only if it has lost it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from hubbub.broker.redis_connection import RedisConnection, ReplyError, Word
from hubbub.broker.redis_link import RedisLink


class RedisScript:
    """The script in the file `name` of `package`. All its keys are arguments: it runs on one server, never in a Redis
    Cluster."""

    def __init__(self, package: str, name: str) -> None:
        self.text = files(package).joinpath(name).read_text("utf-8")
        self._sha = ""

    async def load(self, connection: RedisConnection) -> None:
        """Give the script to a server. Call it on each new connection. Raises as `call` does."""
        self._sha = (await connection.call("SCRIPT", "LOAD", self.text)).decode()

    async def call(self, link: RedisLink, arguments: Sequence[Word]) -> Any:
        """What the script returns. Raises `ReplyError` if the server refuses it, `RedisAway` if no reply comes."""
        try:
            return await link.call("EVALSHA", self._sha, 0, *arguments)
        except ReplyError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
            return await link.call("EVAL", self.text, 0, *arguments)
