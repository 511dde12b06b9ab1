"""Hubbub's web client in Chromium, on a server with a long conversation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from bench import browser
from bench.systems.hubbub import HubbubFilled


class Page(HubbubFilled):
    name = "page"
    title = "As is"
    scenarios = frozenset({"page"})
    messages = 150_000
    """The largest room has 15 % of them."""
    slowdown: ClassVar[float] = 1

    def missing(self) -> str | None:
        return browser.missing()

    def environment(self, port: int) -> Mapping[str, str]:
        return super().environment(port)

    def version(self) -> str:
        return f"{super().version()}, {browser.version()}"


class SlowPage(Page):
    """As a phone that costs little."""

    name = "page-slow"
    title = "CPU 4 × slower"
    slowdown = 4
