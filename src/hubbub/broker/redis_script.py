"""A Lua script that a node calls again and again: Redis keeps it, and is sent its text only if it has lost it."""

from __future__ import annotations

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

    async def load(self, server: RedisConnection | RedisLink) -> None:
        """Give the script to a server. Call it on each new connection. Raises as `call` does."""
        self._sha = (await server.call("SCRIPT", "LOAD", self.text)).decode()

    def command(self, *arguments: Word) -> tuple[Word, ...]:
        """The command that runs the script. A server that has lost it answers with the error NOSCRIPT."""
        return "EVALSHA", self._sha, 0, *arguments

    async def call(self, link: RedisLink, *arguments: Word) -> Any:
        """What the script returns. Raises `ReplyError` if the server refuses it, `RedisAway` if no reply comes."""
        try:
            return await link.call(*self.command(*arguments))
        except ReplyError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
            return await link.call("EVAL", self.text, 0, *arguments)
