"""Topics: to follow them, and the notifications that programs publish there."""

from __future__ import annotations

from typing import Any, Literal

from hubbub.wire.base import Command, Event, Reply
from hubbub.wire.keys import TopicPattern

Level = Literal["info", "success", "warning", "error"]
"""How much a notification matters."""


class Follow(Command):
    """Be told what is published to a topic, or below a pattern such as `orders.*`. Answered by `following`."""

    type: Literal["follow"] = "follow"
    topic: TopicPattern


class Unfollow(Command):
    """No longer be told. Answered by `ack`."""

    type: Literal["unfollow"] = "unfollow"
    topic: TopicPattern


class Following(Reply):
    """The answer to `follow`."""

    type: Literal["following"] = "following"
    topic: str


class NotificationEvent(Event):
    """A program has published something to a topic that this connection follows."""

    type: Literal["notification"] = "notification"
    topic: str
    title: str
    message: str = ""
    level: Level = "info"
    data: dict[str, Any] | None = None
    ts: str
