"""The bench runs, counts correctly and writes into the right place. No test depends on the values that it measures."""

import asyncio
import math
import os
import select
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bench import cli, messages, programs, report, rounds, websocket
from bench.conversation import conversation
from bench.errors import BenchError
from bench.inbox import Inbox
from bench.load import ClosedLoop
from bench.members import Member
from bench.scenarios import SCENARIOS
from bench.scenarios.base import LOST, Metric, Scenario
from bench.scenarios.fanout import Fanout
from bench.scenarios.latency import Latency
from bench.scenarios.recover import lost
from bench.scenarios.rooms import Rooms
from bench.server import Group, Server, running
from bench.slow_network import Network, through
from bench.systems.base import System
from bench.systems.cluster import HubbubNodes, HubbubOneNode, HubbubTwoNodes
from bench.systems.connection_manager import ConnectionManager
from bench.systems.hubbub import Hubbub, HubbubCounted, HubbubFilled, HubbubRelay, HubbubUnderAttack
from bench.systems.page import Page
from bench.systems.redis import Redis

A_DELIVERY = b'\x81\x7e{"type":"message","text":"%s"}' % messages.text(7, 1234).encode()


class Tutorial(ConnectionManager):
    """On the interpreter that runs the tests."""

    # It does not survive an attack: five of them would take minutes.
    scenarios = ConnectionManager.scenarios - {"attack"}

    def __init__(self) -> None:
        super().__init__(Path(sys.executable))

    def version(self) -> str:
        # The original would install the peers to find their versions.
        return "that of the tests"


@pytest.fixture
def tutorial() -> ConnectionManager:
    return Tutorial()


@pytest.fixture(autouse=True)
def every_core() -> Iterator[None]:
    """The bench pins itself to one core: undo this for the tests after it, and for the programs that they start."""
    before = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, before)


@pytest.fixture
def link() -> Iterator[tuple[socket.socket, Member]]:
    near, far = socket.socketpair()
    with near, far:
        far.setblocking(False)
        yield near, Member(7, "bench", far)


class HubbubWithALittle(HubbubFilled):
    messages = 1500


class HubbubWithALittleUnderAttack(HubbubUnderAttack):
    messages = 1500


class PageWithALittle(Page):
    messages = 1500


SYSTEMS: Sequence[type[System]] = (
    Tutorial,
    HubbubCounted,
    HubbubWithALittle,
    HubbubWithALittleUnderAttack,
    HubbubNodes,
    HubbubTwoNodes,
    HubbubOneNode,
    Redis,
    PageWithALittle,
)
"""They need only this project's own Python, Redis, PostgreSQL and Chromium; together they cover every scenario."""


@pytest.mark.slow(10)
@pytest.mark.parametrize(
    ("scenario", "system"),
    [(scenario, system) for scenario in SCENARIOS for system in SYSTEMS if scenario.name in system.scenarios],
)
def test_every_scenario_measures_a_server_and_loses_nothing(
    scenario: type[Scenario], system: type[System], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "CACHE", tmp_path)
    quick, measured = scenario.quick(), system()
    if reason := measured.missing():
        pytest.skip(reason)
    values = quick.measure(measured)
    assert values.keys() == {metric.key for metric in quick.metrics()}
    assert values.get(LOST.key, 0) == 0
    assert values.get("not_recovered", 0) == 0
    assert all(value > 0 for key, value in values.items() if key.startswith(("messages", "deliveries", "connects")))
    assert all(value > 0 for key, value in values.items() if "p50" in key or key.startswith(("seconds", "queries")))


@pytest.fixture(scope="module")
def hubbub() -> Iterator[Server]:
    with running(Hubbub()) as server:
        yield server


def say_hello(server: Server) -> dict[str, Any]:
    with conversation(server, "/ws/chat/bench?username=alice") as alice:
        return alice.ask({"type": "message", "room": "bench", "text": "hello"}).event()


def test_the_measured_hubbub_stores_its_messages(hubbub: Server) -> None:
    assert "seq" in say_hello(hubbub)
    assert (hubbub.folder / "hubbub-data" / "hubbub.db").exists()


def test_the_relay_without_a_database_stores_nothing() -> None:
    with running(HubbubRelay()) as server:
        assert "seq" not in say_hello(server)


def test_a_refused_client_ends_the_measurement(hubbub: Server) -> None:
    with (
        pytest.raises(BenchError, match=r"refused: b'HTTP/1.1 409"),
        conversation(hubbub, "/ws/chat/bench?username=system"),
    ):
        pytest.fail("the name is reserved")
    with conversation(hubbub, "/ws?username=bob") as bob, pytest.raises(BenchError, match="forbidden"):
        bob.ask({"type": "message", "room": "bench", "text": "not joined"}).event()


@pytest.mark.parametrize("cut", range(140))
def test_texts_that_come_in_two_parts_are_put_together(cut: int) -> None:
    data = b"\x81\x02hi" + b"\x89\x00" + b"\x81\x7e\x00\x80" + bytes(128) + b"\x81\x00"
    first, end = websocket.texts(data[:cut])
    second, rest = websocket.texts(data[end:])
    assert first + second == [b"hi", bytes(128), b""]
    assert end + rest == len(data)


def test_lost_messages_are_counted_and_a_duplicate_is_an_error() -> None:
    sent = {seq: f"text {seq}" for seq in (5, 6, 7)}
    rows = [{"seq": seq, "text": text} for seq, text in sent.items()]
    assert lost([{"type": "joined", "messages": rows[:2]}, {"type": "sync", "messages": rows[2:]}], sent) == 0
    assert lost([{"type": "joined", "messages": rows[1:]}], sent) == 1
    with pytest.raises(BenchError, match="4 rows with 3 numbers"):
        lost([{"type": "joined", "messages": rows}, {"type": "message", **rows[0]}], sent)


def test_a_server_that_does_not_start_is_reported_with_its_output(
    tutorial: ConnectionManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "PEERS", Path("/nowhere"))
    with pytest.raises(BenchError, match="connection_manager"):
        Fanout.quick().measure(tutorial)


@pytest.mark.parametrize("cut", range(1, len(A_DELIVERY)))
def test_a_delivery_that_comes_in_two_parts_is_counted_once(cut: int, link: tuple[socket.socket, Member]) -> None:
    near, member = link
    counted = []
    with closing(Inbox([member], b"}")) as inbox:
        for part in (A_DELIVERY + A_DELIVERY[:cut], A_DELIVERY[cut:]):
            near.sendall(part)
            (ready,) = inbox.ready(1)
            counted.append(inbox.data.count(messages.MARKER, 0, inbox.read(ready)))
    assert counted == [1, 1]


def test_a_connection_closed_by_the_server_ends_the_measurement(link: tuple[socket.socket, Member]) -> None:
    near, member = link
    with closing(Inbox([member], b"}")) as inbox:
        near.close()
        (ready,) = inbox.ready(1)
        with pytest.raises(BenchError, match="member 7"):
            inbox.read(ready)


def test_a_text_holds_its_sender_and_time() -> None:
    assert len(messages.text(7, 1234)) == 70
    assert messages.mark(7) in A_DELIVERY
    assert messages.mark(8) not in A_DELIVERY
    assert messages.stamps(A_DELIVERY + A_DELIVERY) == [1234, 1234]


@pytest.mark.parametrize("outstanding", [1, 3])
def test_no_more_is_outstanding_than_has_not_come_to_the_other_node(outstanding: int) -> None:
    (sender_end, sender_link), (witness_end, witness_link) = socket.socketpair(), socket.socketpair()
    with sender_end, sender_link, witness_end, witness_link, ThreadPoolExecutor() as thread:
        for link in (sender_link, witness_link):
            link.setblocking(False)
        sender, witness = Member(7, "bench", sender_link), Member(8, "bench", witness_link)
        answering = thread.submit(answer_the_sender_first, sender_end, witness_end)
        with closing(ClosedLoop(Group(Tutorial(), []), [sender, witness], [sender], [witness])) as load:
            result = load.run(outstanding=outstanding, warm_up=0.0, seconds=0.3)
        sender_link.close()
        assert answering.result() == outstanding
    assert result.deliveries > 0
    assert result.lost == 0


def answer_the_sender_first(sender: socket.socket, witness: socket.socket) -> int:
    """A sender's node that delivers at once, and another one that waits until nothing more is sent. Returns how many
    messages were on the way to it, at most."""
    size = len(Tutorial().message("bench", messages.text(7, 1234), number=1))
    received = most = 0
    while True:
        on_the_way = 0
        while select.select([sender], [], [], 0.02 if on_the_way else None)[0]:
            data = sender.recv(65536)
            if not data:
                return most
            number, received = divmod(received + len(data), size)
            sender.sendall(A_DELIVERY * number)
            on_the_way += number
        most = max(most, on_the_way)
        witness.sendall(A_DELIVERY * on_the_way)


def test_rounds_are_compared_by_the_median(tutorial: ConnectionManager) -> None:
    scenario = Fanout.quick()
    cpu = Metric("cpu_us_w1", "CPU", "less")
    measured = [{metric.key: value for metric in scenario.metrics()} for value in (4.0, 1.0, 2.0)]
    results = rounds.Results(scenario, [tutorial], {tutorial.name: measured}, interference=0)
    assert results.median(tutorial, cpu) == 2.0
    assert results.spread(tutorial, cpu) == 1.5


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (7_021_000, "7.02 M"),
        (313_200, "313 k"),
        (9_641, "9,640"),
        (48.04, "48.0"),
        (0.1414, "0.141"),
        (0, "0"),
        (math.inf, "cut off"),
        (math.nan, "–"),
    ],
)
def test_numbers_are_printed_with_three_digits(value: float, printed: str) -> None:
    assert report.number(value) == printed


def test_writing_a_section_does_not_change_the_text_around_it(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text("before\n<!-- bench idle -->\nold\n<!-- end of idle -->\nafter\n")
    report.write_section(page, "idle", "new")
    assert page.read_text() == "before\n<!-- bench idle -->\nnew\n<!-- end of idle -->\nafter\n"
    with pytest.raises(BenchError, match="no section"):
        report.write_section(page, "rooms", "new")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_page_has_a_section_for_every_scenario(scenario: type[Scenario], tmp_path: Path) -> None:
    page = tmp_path / "copy.md"
    page.write_text(cli.PAGE.read_text())
    report.write_section(page, scenario.name, "new")


def test_no_round_begins_when_there_is_too_little_time(tutorial: ConnectionManager) -> None:
    said: list[str] = []
    results = rounds.run(Fanout.quick(), [tutorial], 3, said.append, seconds=0.1)
    assert len(results.values[tutorial.name]) == 1
    assert said[-1] == "1 of 3 rounds: there is no time for more"


def test_all_measures_every_scenario_and_writes_each_into_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text("<!-- bench latency --><!-- end of latency --> and <!-- bench rooms --><!-- end of rooms -->")
    monkeypatch.setattr(cli, "PAGE", page)
    monkeypatch.setattr(cli, "SCENARIOS", (Latency, Rooms))
    monkeypatch.setattr(cli, "SYSTEMS", (Tutorial,))
    assert cli.main(["all", "--quick", "--write", "--json", str(tmp_path)]) == 0
    assert page.read_text().count("`scripts/bench all --quick --write") == 2
    assert {file.stem for file in tmp_path.glob("*.json")} == {"latency", "rooms"}


def test_an_unknown_system_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["rooms", "--systems", "c"]) == 1
    assert "rooms knows no system c: hubbub, hubbub-relay, tutorial" in capsys.readouterr().err


def test_a_slow_network_delays_each_packet_and_limits_the_bandwidth() -> None:
    half_a_second = Network(round_trip=0.1, down=16e4, up=1e6)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(4)
        writer.write(bytes(6_000))
        writer.close()

    async def ask() -> tuple[float, int]:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server, through(half_a_second, server.sockets[0].getsockname()[1]) as port:
            began = time.perf_counter()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"ping")
            size = len(await reader.read())
            writer.close()
            return time.perf_counter() - began, size

    seconds, size = asyncio.run(ask())
    assert size == 6_000
    # Two round trips, and 48 kbit at 160 kbit/s.
    assert seconds >= 0.5
