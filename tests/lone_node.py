"""A node without others."""

from typing import Any

from hubbub.broker.memory import MemoryBroker
from hubbub.limits import Allowance
from hubbub.node import Node
from hubbub.presence.local import LocalPresence
from hubbub.settings import Settings
from hubbub.shared_limits.local import LocalLimits


def lone_node(settings: Settings | None = None, **options: Any) -> Node:
    settings = settings or Settings()
    limits = LocalLimits(Allowance(settings.request_rate, settings.request_burst))
    return Node(settings, **{"broker": MemoryBroker(), "presence": LocalPresence(), "limits": limits, **options})
