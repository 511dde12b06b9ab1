"""The commands about topics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubbub.accounts.policies import Action
from hubbub.delivery.connection import Connection
from hubbub.dispatch.registry import Registration, Unasked
from hubbub.wire.topics import Follow, Following, Unfollow

if TYPE_CHECKING:
    from hubbub.features.topics.feature import TopicsFeature


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic, or a pattern of topics."""

    key: str


class TopicCommands:
    """The commands of `feature`. Its node exists when they are called, but not when they are registered."""

    def __init__(self, feature: TopicsFeature) -> None:
        self._feature = feature

    def registrations(self) -> Iterator[Registration]:
        yield Registration(Follow, self.follow, asks=Action.FOLLOW, place=_topic, in_order=True)
        yield Registration(Unfollow, self.unfollow, asks=Unasked("everybody may stop listening"))

    async def follow(self, connection: Connection, command: Follow, topic: Topic) -> Following:
        await self._feature.notifications.follow(connection, topic.key)
        return Following(topic=command.topic)

    def unfollow(self, connection: Connection, command: Unfollow) -> None:
        self._feature.notifications.unfollow(connection, command.topic)


def _topic(connection: Connection, command: Follow) -> Topic:
    return Topic(command.topic)
