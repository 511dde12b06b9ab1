"""Every server that the bench can measure, in the order in which they are printed."""

from __future__ import annotations

from collections.abc import Sequence

from bench.systems.base import System
from bench.systems.cluster import (
    HubbubNodes,
    HubbubOneNode,
    HubbubRelayNodes,
    HubbubTwoNodes,
    PythonSocketIONodes,
    PythonSocketIORelayNodes,
    SocketIONodes,
    SocketIORelayNodes,
)
from bench.systems.connection_manager import ConnectionManager
from bench.systems.discard import Control
from bench.systems.hubbub import (
    Hubbub,
    HubbubCounted,
    HubbubRelay,
    HubbubUnderAttack,
    HubbubWith1M,
    HubbubWith10k,
    HubbubWithAccounts,
)
from bench.systems.nats import Nats
from bench.systems.node_ws import NodeWs
from bench.systems.page import Page, SlowPage
from bench.systems.redis import Redis
from bench.systems.send_loop import SendLoop
from bench.systems.socketio import PythonSocketIO

SYSTEMS: Sequence[type[System]] = (
    Hubbub,
    HubbubCounted,
    HubbubWith1M,
    HubbubWith10k,
    HubbubRelay,
    HubbubUnderAttack,
    HubbubWithAccounts,
    Control,
    ConnectionManager,
    PythonSocketIO,
    NodeWs,
    Nats,
    SendLoop,
    HubbubNodes,
    HubbubRelayNodes,
    SocketIONodes,
    SocketIORelayNodes,
    PythonSocketIONodes,
    PythonSocketIORelayNodes,
    HubbubTwoNodes,
    HubbubOneNode,
    Redis,
    Page,
    SlowPage,
)
