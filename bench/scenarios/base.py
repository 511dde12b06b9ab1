"""What a scenario is: a load, and the numbers that it gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from bench.systems.base import System


@dataclass(frozen=True, slots=True)
class Metric:
    key: str
    title: str
    better: Literal["more", "less"]


LOST = Metric("lost", "lost", "less")


@dataclass(frozen=True)
class Scenario(ABC):
    """Subclasses are frozen dataclasses whose fields are their parameters and become command-line options."""

    name: ClassVar[str]
    summary: ClassVar[str]
    part_of_all: ClassVar[bool] = True
    """Whether `scripts/bench all` measures it too."""
    rounds: ClassVar[int] = 3

    @classmethod
    @abstractmethod
    def quick(cls) -> Self:
        """Small and short: to check that it runs, not to measure."""

    @abstractmethod
    def description(self) -> str:
        """What was measured, with its parameters, for the reader of the numbers."""

    @abstractmethod
    def metrics(self) -> Sequence[Metric]:
        """In the order of the table's columns."""

    @abstractmethod
    def measure(self, system: System) -> Mapping[str, float]:
        """One round: starts the system, loads it, and gives a value for the key of each metric.

        Raises BenchError if it could not be measured.
        """
