"""One server process. The node connects the parts with each other, and starts, drains and stops them.

It is given a broker, a presence, limits, a database engine and features, and knows none of them by name. It knows no
HTTP.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from hubbub.accounts.policies import Membership, Policy, allow_everybody
from hubbub.broker.base import Broker
from hubbub.delivery.draining import drain
from hubbub.delivery.fanout import Fanout
from hubbub.delivery.gaps import Gaps
from hubbub.delivery.heartbeat import BEATS
from hubbub.delivery.sequencer import Sequencer
from hubbub.dispatch.recovering import Recovering, prefix_of
from hubbub.errors import InEventLoop, NotStarted, Unavailable
from hubbub.features.feature import Feature, Features, Services
from hubbub.features.jobs import Job, LeasedJob
from hubbub.limits import WORK_PER_COMMAND, Allowance
from hubbub.presence.base import Names, Presence
from hubbub.settings import CurrentSettings, Settings
from hubbub.shared_limits.base import SharedLimits
from hubbub.store.base import Engine
from hubbub.store.cluster import cluster_id
from hubbub.store.database import Database
from hubbub.store.feature_tables import Tables, bring_up_to_date
from hubbub.store.leases import SECONDS as LEASE_SECONDS
from hubbub.store.leases import Leases
from hubbub.wire.base import timestamp
from hubbub.wire.connection import PingEvent
from hubbub.wire.publication import Publication

log = logging.getLogger("hubbub")

F = TypeVar("F", bound=Feature)
T = TypeVar("T")

TICK = 1.0
NODE = "node:"
"""A node follows the channel that has its id, so that others can ask their broker whether it reaches this node."""
A_NODE = "a node"
"""A lease without work. The other nodes on the database see who has it."""
OLD_LEASES_END = 1.5 * LEASE_SECONDS
"""Seconds after a start by which the lease of a node that was killed before it is over."""
ERROR_REPEATS = 60.0
"""Seconds between two reports of another server on the same database."""


class Node:
    """Everything that lives as long as the server. Use it between `start` and `stop`, in one event loop."""

    def __init__(
        self,
        settings: Settings,
        *,
        broker: Broker,
        presence: Presence,
        limits: SharedLimits,
        names: Names | None = None,
        policy: Policy | None = None,
        membership: Membership | None = None,
        engine: Engine | None = None,
        features: Sequence[Feature] = (),
        current: CurrentSettings | None = None,
    ) -> None:
        self.settings = settings
        self.id = secrets.token_hex(4)
        self.policy = policy or allow_everybody
        self.broker = broker
        self.fanout = Fanout(
            open_channel=self._open_channel,
            close_channel=self._close_channel,
            ping=lambda: Publication("", PingEvent(ts=timestamp(time.time()))),
            stall=settings.stall_timeout,
            patience=settings.stall_patience,
            close_timeout=settings.close_timeout,
            work=Allowance(settings.rate * WORK_PER_COMMAND, settings.burst * WORK_PER_COMMAND),
            for_node=self._receive,
        )
        self.database = Database(engine, timeout=settings.database_timeout) if engine is not None else None
        self.sequencer = Sequencer(deliver=self.fanout.deliver, fetch=self._fetch)
        self.gaps = Gaps(heads=self._heads, heard=self.sequencer.receive, followed=self.sequencer.followed)
        self.limits = limits
        self.services = Services(
            settings=settings,
            current=current or CurrentSettings(settings),
            policy=self.policy,
            membership=membership,
            fanout=self.fanout,
            broker=self.broker,
            presence=presence,
            limits=self.limits,
            names=names,
            sequencer=self.sequencer,
            epoch=secrets.token_hex(6),
            database=self.database,
            is_shared=engine is not None and engine.is_shared,
            features=Features(features),
        )
        self.features = self.services.features
        for feature in self.features:
            feature.open(self.services)
        self._kinds = {kind.prefix: kind for feature in self.features for kind in feature.channels()}
        self.recovering = Recovering(self.fanout, {prefix: kind.recover for prefix, kind in self._kinds.items()})
        self.is_draining = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._drain: asyncio.Task[None] | None = None
        self._started: list[Feature] = []
        self._leases: Leases | None = None

    @property
    def is_started(self) -> bool:
        return self._loop is not None

    @property
    def broker_problem(self) -> str | None:
        """Why this node and the others do not hear of each other now, or not of everything; None if all is well."""
        presence, names = self.services.presence, self.services.names
        return self.broker.problem or presence.problem or (names.problem if names is not None else None)

    def require_started(self) -> None:
        """Raises `NotStarted` unless the node runs in this very event loop."""
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:  # a thread without a loop, where a route that is a plain `def` runs
            raise NotStarted from None
        if running is not self._loop:
            raise NotStarted

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` in the node's event loop, and wait for its result in another thread. Raises what `work` raises.

        Raises `InEventLoop` if called in the event loop, `NotStarted`, and `Unavailable` if it takes longer than twice
        the setting `database_timeout`.
        """
        try:
            running: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if self._loop is None or running is self._loop:
            work.close()
            raise NotStarted if self._loop is None else InEventLoop
        try:
            done = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:  # the loop has just been closed
            work.close()
            raise NotStarted from None
        try:
            return done.result(2 * self.settings.database_timeout)
        except concurrent.futures.TimeoutError:
            done.cancel()
            raise Unavailable("the event loop does not answer", retry_after=1000) from None

    def feature(self, kind: type[F]) -> F:
        """The feature of this class. Raises KeyError if the hub has none."""
        return self.features.of(kind)

    async def _open_channel(self, channel: str) -> None:
        self.sequencer.follow(channel)
        try:
            await self.broker.subscribe(channel)
        except BaseException:
            self.sequencer.forget(channel)
            raise

    async def _close_channel(self, channel: str) -> None:
        self.sequencer.forget(channel)
        await self.broker.unsubscribe(channel)

    async def _fetch(self, channel: str, position: int) -> list[Publication]:
        kind = self._kinds.get(prefix_of(channel))
        if kind is None or kind.fetch is None:
            log.error("missed events of channel %r cannot be fetched: no feature says how", channel)
            return []
        return await kind.fetch(channel, position)

    def _receive(self, publication: Publication) -> None:
        kind = self._kinds.get(prefix_of(publication.channel))
        if kind is not None and kind.receive is not None:
            kind.receive(publication)

    def _count(self, channel: str) -> int:
        if channel == NODE + self.id:
            return 1
        kind = self._kinds.get(prefix_of(channel))
        return self.fanout.count(channel) if kind is None or kind.count is None else kind.count(channel)

    async def _heads(self, channels: Sequence[str]) -> list[Publication]:
        by_prefix: dict[str, list[str]] = {}
        for channel in channels:
            by_prefix.setdefault(prefix_of(channel), []).append(channel)
        heads: list[Publication] = []
        for prefix, some in by_prefix.items():
            kind = self._kinds.get(prefix)
            if kind is not None and kind.heads is not None:
                heads += await kind.heads(some)
        return heads

    async def start(self) -> None:
        """Raises `ConfigurationError`, and `Unavailable` if the database cannot be opened. Then all is closed again."""
        try:
            await self._begin()
        except BaseException:
            await self.stop()
            raise

    async def _begin(self) -> None:
        if self.database is not None:
            await self.database.start()
            self.services.cluster_id = await cluster_id(self.database)
            tables = [Tables(feature.name, feature.scripts) for feature in self.features if feature.scripts]
            if tables:
                await bring_up_to_date(self.database, tables)
        for feature in self.features:
            self._started.append(feature)
            await feature.start()
        self._loop = asyncio.get_running_loop()
        self.is_draining = False
        self._drain = None
        self.fanout.start(self._loop)
        self.sequencer.start(self._loop)
        cluster = self.services.cluster_id or "nothing-stored"
        await self.broker.start(self.sequencer.receive, self.gaps.missed, cluster=cluster, count=self._count)
        if self.services.is_shared:
            await self.broker.subscribe(NODE + self.id)
        await self.limits.start()
        fanout = self.fanout
        self._tasks = [
            self._loop.create_task(
                self._every(self.settings.heartbeat / BEATS, fanout.notice_freeze, fanout.heartbeat.beat)
            ),
            self._loop.create_task(
                self._every(min(TICK, self.settings.stall_timeout / 4), fanout.notice_freeze, fanout.deadlines.check)
            ),
            *([self._loop.create_task(self._every(TICK, self.database.probe))] if self.database is not None else []),
            *([self._loop.create_task(self._every(TICK, self.gaps.sweep))] if self.services.is_shared else []),
            *self._start_jobs(self._loop),
        ]

    def _start_jobs(self, loop: asyncio.AbstractEventLoop) -> list[asyncio.Task[None]]:
        jobs = [job for feature in self.features for job in feature.jobs()]
        leased = [job for job in jobs if isinstance(job, LeasedJob)]
        shared = self.database if self.services.is_shared else None
        names = [job.name for job in leased]
        self._leases = leases = Leases(shared, self.id, [*names, A_NODE])
        return [
            loop.create_task(leases.keep()),
            *([] if shared is None else [loop.create_task(_report_other_servers(leases, self.broker))]),
            *(loop.create_task(job.run(leases)) for job in leased),
            *(loop.create_task(self._every(job.seconds, job.do)) for job in jobs if isinstance(job, Job)),
        ]

    async def drain(self, timeout: float | None = None) -> None:
        """Close all connections in stages: announce it, close a few at a time, and drop the rest at the deadline.

        New connections are refused from now on. Returns when the last connection is closed; a second call waits for the
        same drain. `timeout` is in seconds.
        """
        if self._loop is None:
            return
        if self._drain is None:
            self.is_draining = True
            timeout = self.settings.drain_timeout if timeout is None else timeout
            self._drain = self._loop.create_task(drain(self.fanout.connections, timeout))
        await asyncio.shield(self._drain)

    async def stop(self) -> bool:
        """Drain, and close everything. False if something hangs and was left running."""
        await self.drain()
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []
        if self._leases is not None:
            self._leases.give_back()
        await self._stop_features()
        # A broker that is away tells of gaps until it is stopped.
        await self.broker.stop()
        await self.limits.stop()
        self.gaps.stop()
        self.sequencer.stop()
        has_stopped = self.database is None or await self.database.stop()
        self._loop = None
        return has_stopped

    async def _stop_features(self) -> None:
        while self._started:
            feature = self._started.pop()
            try:
                await feature.stop()
            except Exception:
                log.exception("%s could not stop", type(feature).__qualname__)

    async def _every(self, seconds: float, *jobs: Callable[[], Awaitable[None] | None]) -> None:
        """Call the jobs every so many seconds. If one fails, that is logged, and the others go on."""
        while True:
            await asyncio.sleep(seconds)
            for job in jobs:
                try:
                    work = job()
                    if work is not None:
                        await work
                except Exception:
                    log.exception("%s failed", getattr(job, "__qualname__", job))


async def _report_other_servers(leases: Leases, broker: Broker) -> None:
    """One node on the database has the lease `A_NODE`. Each other node asks its broker whether it reaches that one."""
    await asyncio.sleep(OLD_LEASES_END)
    while True:
        other = await _unreached(leases, broker)
        if other is not None:
            # A node that has just died, or was frozen, has lost the lease by then.
            await asyncio.sleep(OLD_LEASES_END)
            if other == await _unreached(leases, broker):
                log.error(
                    "another server works on the same database, and they cannot see each other: events of the other "
                    "one come late or never. %s",
                    "Give both the same HUBBUB_BROKER_URL and HUBBUB_BROKER_NAMESPACE, and check that both reach it"
                    if broker.reaches_others
                    else "Run one server, or set the same HUBBUB_BROKER_URL=redis://… on both",
                )
        await asyncio.sleep(ERROR_REPEATS)


async def _unreached(leases: Leases, broker: Broker) -> str | None:
    """The node with the lease `A_NODE`, if this node's broker works and does not reach it."""
    other = leases.other_owner(A_NODE)
    if other is None or broker.problem is not None or await broker.count(NODE + other) or broker.problem is not None:
        return None
    return other


NodeSource = Callable[[], Node]
"""Returns the running node. Raises `NotStarted` if there is none."""
