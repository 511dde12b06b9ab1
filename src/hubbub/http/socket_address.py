"""Which WebSocket addresses a hub has. Those of its features are among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hubbub.wire.keys import is_key

IsName = Callable[[str], bool]


class SocketAddress:
    """A WebSocket address, such as `/ws/chat/{room}`. It ends with a placeholder for a name, or has none."""

    def __init__(self, path: str, also: Sequence[str] = (), is_name: IsName = is_key) -> None:
        self.path = path
        self.base, _, last = path.rpartition("/")
        """The path before the placeholder."""
        self.takes_name = last.startswith("{")
        self.word = self.base.rpartition("/")[2] if self.takes_name else last
        self.words = frozenset({self.word, *also})
        self._is_name = is_name

    def of(self, name: str) -> str:
        """The address with this name; with the placeholder, if this can be no name."""
        return f"{self.base}/{name}" if self._is_name(name) else self.path
