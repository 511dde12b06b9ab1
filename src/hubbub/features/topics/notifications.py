"""Notifications: a program publishes to a topic, and everybody who follows the topic gets an event.

A topic's name has dots (`orders.eu.new`). A pattern such as `orders.*` follows all topics below `orders`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

from hubbub.accounts.policies import Action, permit
from hubbub.delivery.connection import Connection
from hubbub.errors import Conflict, Invalid, TooLarge
from hubbub.features.feature import Services
from hubbub.wire.base import timestamp
from hubbub.wire.identity import User
from hubbub.wire.keys import clean_title, fold, is_key, is_topic_pattern
from hubbub.wire.publication import Publication
from hubbub.wire.topics import Level, NotificationEvent

PREFIX = "topic:"
TOPICS_PER_CONNECTION = 200
"""What one connection follows, at most."""


def channel_of(pattern: str) -> str:
    return PREFIX + fold(pattern)


def patterns_of(topic: str) -> Iterator[str]:
    """All that can be followed to get the notifications of `topic`: the topic, and the patterns that cover it."""
    yield topic
    parts = topic.split(".")
    for count in range(len(parts) - 1, 0, -1):
        yield ".".join(parts[:count]) + ".*"


def covers(pattern: str, other: str) -> bool:
    """Whether a follower of `pattern` gets every notification that a follower of `other` gets."""
    return pattern == other or (pattern.endswith(".*") and other.startswith(pattern[:-1]))


class Notifications:
    """Follows topics and publishes to them."""

    def __init__(self, services: Services) -> None:
        self._fanout = services.fanout
        self._broker = services.broker
        self._policy = services.policy

    async def follow(self, connection: Connection, pattern: str) -> None:
        """Send this connection what is published to a topic, or to all topics of a pattern.

        Raises `Invalid` if it is neither, `TooLarge` if the connection follows too many topics, and `Conflict` if it
        already follows one that overlaps, since then events would be delivered twice. The caller has asked the policy.
        """
        if not is_topic_pattern(pattern):
            raise Invalid(f"topic: {pattern[:64]!r} is no topic")
        channel = channel_of(pattern)
        if channel in connection.channels:
            return
        followed = [name.removeprefix(PREFIX) for name in connection.channels if name.startswith(PREFIX)]
        if len(followed) >= TOPICS_PER_CONNECTION:
            raise TooLarge(f"a connection follows at most {TOPICS_PER_CONNECTION} topics")
        for other in followed:
            if covers(other, fold(pattern)) or covers(fold(pattern), other):
                raise Conflict(f"topic {pattern!r} overlaps with {other!r}, which is followed; unfollow that first")
        await self._fanout.subscribe(connection, channel)

    def unfollow(self, connection: Connection, pattern: str) -> None:
        """The opposite of `follow`. Does nothing if the connection does not follow it."""
        self._fanout.unsubscribe(connection, channel_of(pattern))

    async def publish(
        self,
        user: User | None,
        topic: str,
        *,
        title: str,
        message: str = "",
        level: Level = "info",
        data: dict[str, Any] | None = None,
    ) -> int:
        """Send a notification to everybody who follows `topic`. Returns how many connections get it, on all
        nodes.

        `user` is the publisher, None for the application itself, about which the policy is not asked. Raises `Invalid`
        if `topic` is no topic or the title holds control or direction-changing characters, and `Forbidden` if the
        policy says no.
        """
        if not is_key(topic):
            raise Invalid(f"topic: {topic[:64]!r} is no topic")
        if user is not None:
            permit(self._policy, user, Action.PUBLISH, topic)
        try:
            clean_title(title)
        except ValueError as error:
            raise Invalid(f"title: {error}") from None
        event = NotificationEvent(
            topic=topic, title=title, message=message, level=level, data=data, ts=timestamp(time.time())
        )
        channels = [channel_of(pattern) for pattern in patterns_of(topic)]
        for channel in channels:
            self._broker.publish(Publication(channel, event))
        return sum(await asyncio.gather(*map(self._broker.count, channels)))
