"""`scripts/bench SCENARIO`: measure, print, and with `--write` put the result into docs/benchmarks.md."""

from __future__ import annotations

import argparse
import dataclasses
import resource
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import programs, report, rounds
from bench.errors import BenchError
from bench.scenarios import SCENARIOS
from bench.scenarios.base import LOST, Scenario
from bench.server import pin_generator
from bench.systems import SYSTEMS
from bench.systems.base import System

PAGE = programs.ROOT / "docs" / "benchmarks.md"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    command = shlex.join(["scripts/bench", *(sys.argv[1:] if arguments is None else arguments)])
    scenario_type: type[Scenario] = options.scenario
    scenario = scenario_type.quick() if options.quick else scenario_type()
    scenario = dataclasses.replace(scenario, **_given(options, scenario))
    try:
        systems = _systems(scenario, options.systems)
        _raise_file_limit()
        pin_generator()
        results = rounds.run(scenario, systems, 1 if options.quick else options.rounds, _progress)
        text = report.markdown(results, command)
        print(text)
        if options.json:
            options.json.write_text(report.as_json(results, command) + "\n")
        if options.write:
            report.write_section(PAGE, scenario.name, text)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    lost = sum(values.get(LOST.key, 0) for values in results.every_round())
    if lost:
        print(f"bench: {lost:,.0f} deliveries were lost", file=sys.stderr)
    return 1 if lost else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    chosen = parser.add_subparsers(metavar="SCENARIO", required=True)
    for scenario in SCENARIOS:
        own = chosen.add_parser(
            scenario.name, help=scenario.summary, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        own.set_defaults(scenario=scenario)
        names = ",".join(system.name for system in SYSTEMS if scenario.name in system.scenarios)
        own.add_argument("--systems", default=names, help="which, the first one against the others")
        own.add_argument("--rounds", type=int, default=3, help="how often each is measured")
        own.add_argument("--quick", action="store_true", help="one small round, to see that it runs")
        own.add_argument("--json", type=Path, metavar="FILE", help="write every round's values there")
        own.add_argument("--write", action="store_true", help=f"replace the section in docs/{PAGE.name}")
        load = own.add_argument_group("the load")
        for field in dataclasses.fields(scenario):
            load.add_argument(
                f"--{field.name.replace('_', '-')}",
                type=_numbers if isinstance(field.default, tuple) else type(field.default),
                default=argparse.SUPPRESS,
                metavar="N",
                help=f"(default: {_shown(field.default)})",
            )
    return parser


def _given(options: argparse.Namespace, scenario: Scenario) -> dict[str, object]:
    names = [field.name for field in dataclasses.fields(scenario)]
    return {name: getattr(options, name) for name in names if hasattr(options, name)}


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _systems(scenario: Scenario, names: str) -> list[System]:
    known = {system.name: system for system in SYSTEMS if scenario.name in system.scenarios}
    systems = []
    for name in names.split(","):
        if name not in known:
            raise BenchError(f"{scenario.name} knows no system {name}: {', '.join(known)}")
        system = known[name]()
        if reason := system.missing():
            _progress(f"skipping {system.title}: {reason}")
        else:
            systems.append(system)
    return systems


def _raise_file_limit() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
