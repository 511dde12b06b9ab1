"""Three nodes do whatever may happen to them, in any order; when all has arrived they agree with a plain model."""

from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from redis import Redis as Client

from hubbub.wire.keys import fold
from tests.presence.nodes import PREFIX, Node, person, settle
from tests.servers import Redis

PHASES = [hypothesis.Phase.generate]
CHANNELS = ["room:a", "room:b"]
numbers = st.integers(0, 2)
channels = st.sampled_from(CHANNELS)
changes = st.tuples(numbers, channels, st.integers(0, 5), st.integers(0, 3))


class Cluster(RuleBasedStateMachine):
    client: Any

    @initialize()
    def begin(self) -> None:
        self.client.flushall()
        self.nodes = [Node(f"node{number}", self.client) for number in range(3)]
        self.had: list[set[tuple[str, int]]] = [set() for _ in self.nodes]
        self.started = len(self.nodes)

    @rule(changes=st.lists(changes, min_size=4, max_size=12))
    def people_come_and_go(self, changes: list[tuple[int, str, int, int]]) -> None:
        for number, channel, who, kind in changes:
            (self.exit if kind == 0 else self.enter)(number, channel, who)
            if kind == 1:
                self.nodes[number].step()

    @rule(number=numbers, channel=channels, first=st.integers(0, 6), many=st.integers(90, 110), stay=st.booleans())
    def a_crowd_comes(self, number: int, channel: str, first: int, many: int, *, stay: bool) -> None:
        crowd = range(first, first + many)
        for who in crowd:
            self.enter(number, channel, who)
        if not stay:
            self.nodes[number].step()
            for who in crowd[:-2]:
                self.exit(number, channel, who)

    @rule(number=numbers, channel=channels)
    def all_leave(self, number: int, channel: str) -> None:
        self.nodes[number].step()
        for where, who in sorted(self.had[number]):
            if where == channel:
                self.exit(number, channel, who)

    def enter(self, number: int, channel: str, who: int) -> None:
        self.nodes[number].enter(channel, person(who))
        self.had[number].add((channel, who))

    def exit(self, number: int, channel: str, who: int) -> None:
        self.nodes[number].exit(channel, person(who))
        self.had[number].discard((channel, who))

    @rule(number=numbers)
    def step(self, number: int) -> None:
        self.nodes[number].step()

    @rule(number=numbers)
    def an_answer_is_lost(self, number: int) -> None:
        self.nodes[number].step_without_answer()

    @rule(number=numbers)
    def a_step_is_lost(self, number: int) -> None:
        self.nodes[number].step_that_never_comes()

    @rule(number=numbers, others=st.integers(0, 6))
    def a_node_freezes(self, number: int, others: int) -> None:
        self.nodes[number].let_lease_run_out()
        for _ in range(others):
            self.nodes[(number + 1) % 3].step()

    @rule(number=numbers)
    def a_node_dies_and_is_started_again(self, number: int) -> None:
        self.nodes[number].let_lease_run_out()
        self.nodes[number] = Node(f"node{self.started}", self.client)
        self.started += 1
        self.had[number] = set()

    @rule()
    def redis_is_emptied(self) -> None:
        self.client.flushall()

    @rule(seconds=st.floats(0, 100))
    def time_passes(self, seconds: float) -> None:
        for node in self.nodes:
            node.now += seconds
            node.replica.tick()

    @rule()
    def all_has_arrived(self) -> None:
        settle(*self.nodes)
        for node in self.nodes:
            node.now += 20
        settle(*self.nodes)
        for number, node in enumerate(self.nodes):
            for channel in {channel for channel, _ in self.had[number]}:
                online = {f"user-{who}" for had in self.had for where, who in had if where == channel}
                assert node.online(channel) == len(online)
                if len(online) <= 100:
                    assert {fold(key) for key in node.shown(channel)} == online
                    assert node.heard.shown.get(channel) == online or channel in node.heard.counted_channels
                else:
                    assert len(node.shown(channel)) == 20
                    assert {fold(key) for key in node.shown(channel)} <= online
        self.there_is_nothing_of_the_dead()

    def there_is_nothing_of_the_dead(self) -> None:
        names = {node.replica.node for node in self.nodes}
        for channel in CHANNELS:
            listening = {node.decode() for node in self.client.smembers(f"{PREFIX}watchers:{channel}")}
            assert listening == {
                node.replica.node
                for node, had in zip(self.nodes, self.had, strict=True)
                if any(where == channel for where, _ in had)
            }
        recorded = {
            name.decode().removeprefix(f"{PREFIX}presences:") for name in self.client.keys(f"{PREFIX}presences:*")
        }
        assert recorded <= names
        assert not self.client.exists(f"{PREFIX}dying")

    def teardown(self) -> None:
        if hasattr(self, "nodes"):
            self.all_has_arrived()


@pytest.mark.slow(12)
def test_nodes_agree_with_a_plain_model_whatever_happened(redis: Redis) -> None:
    with Client.from_url(redis.url) as client:
        Cluster.client = client
        options: Any = settings(
            max_examples=40,
            phases=PHASES,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(Cluster, settings=options)
