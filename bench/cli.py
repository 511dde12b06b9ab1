"""`scripts/bench WHAT`: measure, print, and with `--write` write the result into docs/benchmarks.md."""

from __future__ import annotations

import argparse
import dataclasses
import math
import resource
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import programs, report, rounds
from bench.cores import pin_generator
from bench.errors import BenchError
from bench.fill import fill
from bench.scenarios import SCENARIOS
from bench.scenarios.base import LOST, Scenario
from bench.systems import SYSTEMS
from bench.systems.base import System

PAGE = programs.ROOT / "docs" / "benchmarks.md"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    options.command = shlex.join(["scripts/bench", *(sys.argv[1:] if arguments is None else arguments)])
    run: Callable[[argparse.Namespace], bool] = options.run
    try:
        return 0 if run(options) else 1
    except BenchError as error:
        _say(f"bench: {error}")
        return 1


def _one(options: argparse.Namespace) -> bool:
    scenario_type: type[Scenario] = options.scenario
    scenario = scenario_type.quick() if options.quick else scenario_type()
    scenario = dataclasses.replace(scenario, **_given(options, scenario))
    return _measure(options, scenario, options.systems.split(","))


def _all(options: argparse.Namespace) -> bool:
    ends = time.monotonic() + options.minutes * 60
    all_is_well = True
    # The longest ones come last: they may use the time that the others did not need.
    scenarios = [scenario for scenario in reversed(SCENARIOS) if scenario.part_of_all]
    for left, scenario_type in zip(range(len(scenarios), 0, -1), scenarios, strict=True):
        scenario = scenario_type.quick() if options.quick else scenario_type()
        _say(f"{scenario.name}: {scenario.summary}")
        try:
            share = (ends - time.monotonic()) / left
            all_is_well &= _measure(options, scenario, _names(scenario_type), seconds=share)
        except BenchError as error:
            _say(f"bench: {scenario.name}: {error}")
            all_is_well = False
    return all_is_well


def _fill(options: argparse.Namespace) -> bool:
    fill(options.data_dir, options.messages)
    return True


def _measure(
    options: argparse.Namespace, scenario: Scenario, names: Sequence[str], *, seconds: float = math.inf
) -> bool:
    """Measures, prints, and writes as the options say. Returns False if a delivery was lost."""
    systems = _systems(scenario, names)
    _raise_file_limit()
    pin_generator()
    results = rounds.run(scenario, systems, 1 if options.quick else options.rounds, _say, seconds=seconds)
    text = report.markdown(results, options.command)
    print(text, flush=True)
    if options.json:
        options.json.mkdir(parents=True, exist_ok=True)
        (options.json / f"{scenario.name}.json").write_text(report.as_json(results, options.command) + "\n")
    if options.write:
        report.write_section(PAGE, scenario.name, text)
    lost = sum(values.get(LOST.key, 0) for values in results.every_round())
    if lost:
        _say(f"bench: {lost:,.0f} deliveries were lost")
    return not lost


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    chosen = parser.add_subparsers(metavar="WHAT", required=True)
    for scenario in SCENARIOS:
        own = _measuring(chosen, scenario.name, scenario.summary, _one, rounds=scenario.rounds)
        own.set_defaults(scenario=scenario)
        own.add_argument("--systems", default=",".join(_names(scenario)), help="the first is compared with the others")
        load = own.add_argument_group("the load")
        for field in dataclasses.fields(scenario):
            load.add_argument(
                f"--{field.name.replace('_', '-')}",
                type=_numbers if isinstance(field.default, tuple) else type(field.default),
                default=argparse.SUPPRESS,
                metavar="N",
                help=f"(default: {_shown(field.default)})",
            )
    left_out = ", ".join(scenario.name for scenario in SCENARIOS if not scenario.part_of_all)
    everything = _measuring(chosen, "all", f"all of these except {left_out}, in a limited time", _all)
    everything.add_argument("--minutes", type=float, default=8.5, help="do fewer rounds if they would take longer")
    filling = chosen.add_parser("fill", help="make a database with two years of conversation")
    filling.set_defaults(run=_fill)
    filling.add_argument("--messages", type=int, default=1_000_000, help="how many (default: %(default)s)")
    filling.add_argument("--data-dir", type=Path, required=True, help="a directory without a database")
    return parser


def _measuring(
    chosen: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    help: str,
    run: Callable[[argparse.Namespace], bool],
    *,
    rounds: int = Scenario.rounds,
) -> argparse.ArgumentParser:
    parser = chosen.add_parser(name, help=help, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.set_defaults(run=run)
    parser.add_argument("--rounds", type=int, default=rounds, help="how often each system is measured")
    parser.add_argument("--quick", action="store_true", help="one small round, to check that it runs")
    parser.add_argument("--json", type=Path, metavar="FOLDER", help="write the values of every round into this folder")
    parser.add_argument("--write", action="store_true", help=f"replace its section in docs/{PAGE.name}")
    return parser


def _given(options: argparse.Namespace, scenario: Scenario) -> dict[str, object]:
    names = [field.name for field in dataclasses.fields(scenario)]
    return {name: getattr(options, name) for name in names if hasattr(options, name)}


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _names(scenario: type[Scenario] | Scenario) -> list[str]:
    return [system.name for system in SYSTEMS if scenario.name in system.scenarios]


def _systems(scenario: Scenario, names: Sequence[str]) -> list[System]:
    known = {system.name: system for system in SYSTEMS if scenario.name in system.scenarios}
    systems = []
    for name in names:
        if name not in known:
            raise BenchError(f"{scenario.name} knows no system {name}: {', '.join(known)}")
        system = known[name]()
        if reason := system.missing():
            _say(f"skipping {system.title}: {reason}")
        else:
            systems.append(system)
    if not systems:
        raise BenchError(f"{scenario.name}: there is nothing to measure")
    return systems


def _raise_file_limit() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
