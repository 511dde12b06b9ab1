"""The bench runs, counts rightly and writes where it should. What it measures is nobody's test."""

import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench import cli, messages, programs, report, rounds
from bench.errors import BenchError
from bench.inbox import Inbox
from bench.members import Member
from bench.scenarios import SCENARIOS
from bench.scenarios.base import LOST, Metric, Scenario
from bench.scenarios.fanout import Fanout
from bench.systems.connection_manager import ConnectionManager

A_DELIVERY = b'\x81\x7e{"type":"message","text":"%s"}' % messages.text(7, 1234).encode()


@pytest.fixture
def tutorial() -> ConnectionManager:
    return ConnectionManager(python=Path(sys.executable))


@pytest.fixture
def link() -> Iterator[tuple[socket.socket, Member]]:
    near, far = socket.socketpair()
    with near, far:
        far.setblocking(False)
        yield near, Member(7, "bench", far)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_scenario_measures_the_tutorials_server_and_loses_nothing(
    scenario: type[Scenario], tutorial: ConnectionManager
) -> None:
    quick = scenario.quick()
    values = quick.measure(tutorial)
    assert values.keys() == {metric.key for metric in quick.metrics()}
    assert values.get(LOST.key, 0) == 0
    assert all(value > 0 for key, value in values.items() if key in {"p50_ms", "connects_per_second"})
    assert all(value > 0 for key, value in values.items() if key.startswith(("messages", "deliveries")))


def test_a_server_that_does_not_start_is_reported_with_what_it_said(
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


def test_a_connection_that_the_server_closes_ends_the_measurement(link: tuple[socket.socket, Member]) -> None:
    near, member = link
    with closing(Inbox([member], b"}")) as inbox:
        near.close()
        (ready,) = inbox.ready(1)
        with pytest.raises(BenchError, match="member 7"):
            inbox.read(ready)


def test_a_text_says_who_sent_it_and_when() -> None:
    assert len(messages.text(7, 1234)) == 70
    assert messages.mark(7) in A_DELIVERY
    assert messages.mark(8) not in A_DELIVERY
    assert messages.stamps(A_DELIVERY + A_DELIVERY) == [1234, 1234]


def test_the_systems_take_turns_and_their_rounds_are_compared_by_the_median(tutorial: ConnectionManager) -> None:
    scenario = Fanout.quick()
    cpu = Metric("cpu_us_w1", "CPU", "less")
    measured = [{metric.key: value for metric in scenario.metrics()} for value in (4.0, 1.0, 2.0)]
    results = rounds.Results(scenario, [tutorial], {tutorial.name: measured}, interference=0)
    assert results.median(tutorial, cpu) == 2.0
    assert results.spread(tutorial, cpu) == 1.5


@pytest.mark.parametrize(
    ("value", "printed"),
    [(7_021_000, "7.02 M"), (313_200, "313 k"), (9_641, "9,640"), (48.04, "48.0"), (0.1414, "0.141"), (0, "0")],
)
def test_numbers_are_printed_with_three_digits(value: float, printed: str) -> None:
    assert report.number(value) == printed


def test_writing_a_section_leaves_the_text_around_it_alone(tmp_path: Path) -> None:
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


def test_an_unknown_system_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["rooms", "--systems", "c"]) == 1
    assert "rooms knows no system c: hubbub, tutorial" in capsys.readouterr().err
