"""Runs a scenario on several systems, one after the other, several times."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from bench import procfs
from bench.cores import cores
from bench.errors import BenchError
from bench.scenarios.base import Metric, Scenario
from bench.systems.base import System


@dataclass(frozen=True)
class Results:
    scenario: Scenario
    systems: Sequence[System]
    values: Mapping[str, Sequence[Mapping[str, float]]]
    """By the system's name: the values of each round."""
    interference: float
    """The largest share of the used cores that other processes had during one measurement."""

    @property
    def metrics(self) -> Sequence[Metric]:
        return self.scenario.metrics()

    def every_round(self) -> Iterator[Mapping[str, float]]:
        return chain.from_iterable(self.values.values())

    def median(self, system: System, metric: Metric) -> float:
        return statistics.median(self._rounds(system, metric))

    def spread(self, system: System, metric: Metric) -> float:
        """The range of the rounds, as a fraction of their median."""
        rounds, median = self._rounds(system, metric), self.median(system, metric)
        return (max(rounds) - min(rounds)) / median if 0 < median < math.inf else 0.0

    def _rounds(self, system: System, metric: Metric) -> Sequence[float]:
        return [values[metric.key] for values in self.values[system.name]]


def run(
    scenario: Scenario,
    systems: Sequence[System],
    rounds: int,
    progress: Callable[[str], None],
    *,
    seconds: float = math.inf,
) -> Results:
    """The systems alternate (A B A B), so that a machine whose speed changes affects all of them.

    After the first round, no round begins that would probably last beyond `seconds`. Raises BenchError if one of
    the systems cannot be measured.
    """
    values: dict[str, list[Mapping[str, float]]] = {system.name: [] for system in systems}
    interference = 0.0
    began = time.monotonic()
    for number in range(1, rounds + 1):
        taken = time.monotonic() - began
        if number > 1 and taken + taken / (number - 1) > seconds:
            progress(f"{number - 1} of {rounds} rounds: there is no time for more")
            break
        for system in systems:
            progress(f"round {number} of {rounds}: {system.title}")
            others = _Others()
            try:
                values[system.name].append(scenario.measure(system))
            except BenchError as error:
                raise BenchError(f"{system.title} could not be measured: {error}") from error
            interference = max(interference, others.share())
    return Results(scenario=scenario, systems=systems, values=values, interference=interference)


class _Others:
    """The share of our cores that other processes use, without the bench and its servers."""

    def __init__(self) -> None:
        self._began, self._busy, self._ours = time.perf_counter(), procfs.busy_seconds(), _our_seconds()

    def share(self) -> float:
        others = (procfs.busy_seconds() - self._busy) - (_our_seconds() - self._ours)
        return max(0.0, others / (time.perf_counter() - self._began) / len(set(cores())))


def _our_seconds() -> float:
    """CPU seconds of the bench and of the servers that have ended: each measurement ends its own server."""
    return sum(os.times()[:4])
