"""What a feature is: one folder, or one class of an application, that says here what it adds to a hub.

The built-in features (`built_in.py`) use this interface and nothing else, so an application's own can do what they do.
Not there yet, because nothing uses it: taking part in a message's own transaction, metrics, and settings of a feature.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from hubbub.accounts.guests import Guests
from hubbub.accounts.key_owners import ClaimKey
from hubbub.accounts.policies import Policy
from hubbub.broker.base import Broker
from hubbub.delivery.connection import Connection
from hubbub.delivery.fanout import Fanout
from hubbub.delivery.sequencer import Sequencer
from hubbub.dispatch.recovering import Recover
from hubbub.dispatch.registry import Registration
from hubbub.settings import Settings
from hubbub.store.base import Transaction
from hubbub.store.database import Database
from hubbub.wire.base import Event
from hubbub.wire.publication import Publication

if TYPE_CHECKING:
    from fastapi import APIRouter

F = TypeVar("F", bound="Feature")


@dataclass(frozen=True, slots=True)
class Job:
    """What is done again and again on each node, `seconds` apart. One that raises is logged, and goes on."""

    seconds: float
    do: Callable[[], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """The channels whose names begin with `prefix`, as `room:`.

    `fetch(channel, position)` reads what everybody who follows a channel has missed after a position; None where
    publications have no positions, so that nothing can be seen to be missing. `recover` sends what one connection has
    missed that took too little, None where that is gone.
    """

    prefix: str
    fetch: Callable[[str, int], Awaitable[list[Publication]]] | None = None
    recover: Recover | None = None


@dataclass(slots=True)
class Services:
    """What a node offers to its features."""

    settings: Settings
    policy: Policy
    fanout: Fanout
    broker: Broker
    sequencer: Sequencer
    epoch: str
    """Names one unbroken life of the rooms' numbers: the node's own, until a feature says what the database's is."""
    database: Database | None = None
    """None where nothing is stored."""
    cluster_id: str | None = None
    """Which database it is, from the start on: two databases have two ids (`store/cluster.py`)."""
    is_shared: bool = False
    """Whether others than this process write to the database."""
    claim_key: ClaimKey | None = None
    """Stores that an account owns its key. Set by the feature whose rows show keys."""
    guests: Guests = field(init=False)
    features: dict[type[Feature], Feature] = field(default_factory=dict)

    def feature(self, kind: type[F]) -> F:
        """Another feature of this hub. Raises KeyError if it has none of this class."""
        return cast(F, self.features[kind])


class Feature:
    """Override what the feature has; each part is optional.

    A feature is made once for a hub, and lives through any number of starts of it: `open`, `start`, `stop`.
    """

    services: Services

    name = ""
    """Names the feature where its tables are versioned. Needed with `scripts`; never change it."""
    scripts: Sequence[str] = ()
    """SQL for its own tables, one statement each, for SQLite and PostgreSQL alike. Each runs once in a database, in
    order, before `start`. To change a table, add a script at the end; never edit or remove one that was released. A
    script has the time that any statement has (setting `database_timeout`)."""

    # What it adds.

    def commands(self) -> Iterable[Registration]:
        """Its commands. They are asked for once, before `open`."""
        return ()

    def events(self) -> Iterable[type[Event]]:
        """Its own events, for the schema. They are asked for once, before `open`."""
        return ()

    def routes(self, router: APIRouter, hub: Any) -> None:
        """Add its HTTP routes. `hub` is the `Hubbub` that they are for."""

    def jobs(self) -> Iterable[Job]:
        """What it does again and again. Asked for when it has started."""
        return ()

    def channels(self) -> Iterable[ChannelKind]:
        """The kinds of channel that it publishes to."""
        return ()

    def check(self, transaction: Transaction) -> list[str]:
        """For `hubbub db check`: a sentence for each thing that is wrong with its rows."""
        return []

    def welcome(self, room: str | None) -> dict[str, Any]:
        """Fields of `welcome`, for a connection that comes by a room's address, or by none."""
        return {}

    # Its life.

    def open(self, services: Services) -> None:
        """A node is being made. Nothing runs yet; the features before this one are open."""
        self.services = services

    async def start(self) -> None:
        """The database is open. Raises `ConfigurationError` or `Unavailable` if the feature cannot work."""

    async def stop(self) -> None:
        """The connections are gone, the jobs have ended, the database is open still. Also called after a start that
        failed."""

    # What happens to others.

    def gone(self, connection: Connection, *, clean: bool) -> None:
        """A connection has ended; `clean` if it said goodbye."""

    def key_moved(self) -> None:
        """A user has another key than before, because an account claimed it."""


def overriding(features: Iterable[Feature], part: str) -> list[Any]:
    """This method of those features that have their own: nobody pays for the others."""
    return [getattr(one, part) for one in features if getattr(type(one), part) is not getattr(Feature, part)]
