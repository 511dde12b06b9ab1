"""Results as Markdown, for the terminal and for docs/benchmarks.md, and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from bench import machine
from bench.errors import BenchError
from bench.rounds import Results
from bench.scenarios.base import LOST, Metric
from bench.systems.base import System

_ARROWS = {"more": "↑", "less": "↓"}


def markdown(results: Results, command: str) -> str:
    rounds = len(next(iter(results.values.values())))
    versions = "; ".join(f"{system.title}: {system.version()}" for system in results.systems)
    return "\n\n".join(
        [
            results.scenario.description(),
            _table("", results.metrics, results.systems, lambda s, m: number(results.median(s, m))),
            *_ratios(results),
            _trust(results, rounds),
            f"Measured on {datetime.now(UTC):%Y-%m-%d} with `{command}`: {machine.describe()}. {versions}.",
        ]
    )


def as_json(results: Results, command: str) -> str:
    return json.dumps(
        {
            "scenario": results.scenario.name,
            "parameters": asdict(results.scenario),
            "command": command,
            "measured": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine.describe(),
            "interference": round(results.interference, 3),
            "systems": {
                system.name: {
                    "version": system.version(),
                    "median": {metric.key: results.median(system, metric) for metric in results.metrics},
                    "rounds": results.values[system.name],
                }
                for system in results.systems
            },
        },
        indent=2,
    )


def write_section(page: Path, name: str, text: str) -> None:
    """Replaces the text between the two markers of `name`; the rest of the page is written by hand."""
    begin, end = f"<!-- bench {name} -->", f"<!-- end of {name} -->"
    before, found, rest = page.read_text().partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise BenchError(f"{page} has no section between {begin} and {end}")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def _ratios(results: Results) -> list[str]:
    first, *peers = results.systems
    if not peers:
        return []
    metrics = [metric for metric in results.metrics if metric is not LOST]

    def ratio(peer: System, metric: Metric) -> str:
        theirs = results.median(peer, metric)
        ours = results.median(first, metric)
        return f"{ours / theirs:.2f} ×" if theirs and math.isfinite(theirs) and math.isfinite(ours) else "-"

    return [
        f"{first.title} as a multiple of each peer (↑ more is better, ↓ less is better):",
        _table(f"{first.title} ÷ ", metrics, peers, ratio),
    ]


def _trust(results: Results, rounds: int) -> str:
    said = [f"Medians of {rounds} rounds; the systems alternate." if rounds > 1 else "One round."]
    metrics = [metric for metric in results.metrics if metric is not LOST]
    largest = max(results.spread(system, metric) for system in results.systems for metric in metrics)
    if largest:
        said.append(f"The rounds of one system differ by up to {largest:.0%}.")
    said.append(f"Other processes had at most {results.interference:.0%} of the cores.")
    return " ".join(said)


def _table(
    prefix: str,
    metrics: Sequence[Metric],
    systems: Sequence[System],
    cell: Callable[[System, Metric], str],
) -> str:
    rows = [["", *(f"{metric.title} {_ARROWS[metric.better]}" for metric in metrics)]]
    rows += [[prefix + system.title, *(cell(system, metric) for metric in metrics)] for system in systems]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    aligned = [
        [row[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))]
        for row in rows
    ]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [aligned[0], rule, *aligned[1:]])


def number(value: float) -> str:
    """Three significant digits: 7.02 M, 313 k, 9,640, 4.81, 0.141."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else "cut off"
    if value >= 1e6:
        return f"{_three(value / 1e6)} M"
    if value >= 1e4:
        return f"{_three(value / 1e3)} k"
    return _three(value)


def _three(value: float) -> str:
    if value == int(value) and value < 1000:
        return str(int(value))
    if value >= 1000:
        return f"{round(value, -1):,.0f}"
    return f"{value:.{max(0, 3 - len(str(int(value))) if value >= 1 else 3)}f}"
