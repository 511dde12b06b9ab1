"""Every scenario that `scripts/bench` can run."""

from __future__ import annotations

from collections.abc import Sequence

from bench.scenarios.attack import AttackScenario
from bench.scenarios.base import Scenario
from bench.scenarios.cluster import Cluster
from bench.scenarios.cluster_rooms import ClusterRooms
from bench.scenarios.fanout import Fanout
from bench.scenarios.history import History
from bench.scenarios.idle import Idle
from bench.scenarios.latency import Latency
from bench.scenarios.log_ins import LogIns
from bench.scenarios.page import PageScenario
from bench.scenarios.presence import Presence
from bench.scenarios.recover import Recover
from bench.scenarios.rooms import Rooms

SCENARIOS: Sequence[type[Scenario]] = (
    Fanout,
    Rooms,
    Idle,
    Latency,
    Recover,
    History,
    Presence,
    Cluster,
    ClusterRooms,
    AttackScenario,
    LogIns,
    PageScenario,
)
