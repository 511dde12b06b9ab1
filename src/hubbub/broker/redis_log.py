"""What the log says of one Redis server: one line for all links of a node, not one for each."""

from __future__ import annotations

import logging

log = logging.getLogger("hubbub.broker")


class ServerLog:
    """Knows which of the links to one server are down. `link` is any object that stands for a link."""

    def __init__(self) -> None:
        self._down: set[object] = set()
        self._said: set[str] = set()
        """What was said since all links were up."""
        self._was_connected = False

    def connected(self, link: object, server: object) -> None:
        self._down.discard(link)
        if not self._down and (self._said or not self._was_connected):
            log.info("%s is connected", server)
            self._was_connected = True
            self._said.clear()

    def is_down(self, link: object, server: object, what: str) -> None:
        """`what` happened to it, in the words that follow the server's name."""
        self._down.add(link)
        if what not in self._said:
            self._said.add(what)
            log.warning("%s %s", server, what)

    def forget(self, link: object) -> None:
        """The link has ended."""
        self._down.discard(link)
