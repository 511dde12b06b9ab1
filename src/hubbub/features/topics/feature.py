"""The feature of topics: following them, and publishing to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hubbub.dispatch.registry import Registration
from hubbub.features.feature import ChannelKind, Feature, Services
from hubbub.features.topics.commands import TopicCommands
from hubbub.features.topics.notifications import PREFIX, Notifications

if TYPE_CHECKING:
    from fastapi import APIRouter


class TopicsFeature(Feature):
    def __init__(self) -> None:
        self.notifications: Notifications

    def open(self, services: Services) -> None:
        super().open(services)
        self.notifications = Notifications(services)

    def commands(self) -> Iterable[Registration]:
        return TopicCommands(self).registrations()

    def routes(self, router: APIRouter, hub: Any) -> None:
        from hubbub.features.topics.routes import add_routes

        add_routes(router, hub, self)

    def channels(self) -> Iterable[ChannelKind]:
        yield ChannelKind(PREFIX)
