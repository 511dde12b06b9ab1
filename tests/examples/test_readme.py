"""The examples' README names every example, and has the right numbers of lines."""

import re

import pytest

from tests.examples.counting import code_lines
from tests.servers import REPOSITORY

README = (REPOSITORY / "examples/README.md").read_text()
ROW = re.compile(
    r"^\| \[(\w+)\]\(\1\.py\) \|[^|]+\| (\d+) \| \[(\d+)\]\(\.\./tests/examples/tutorials/\1\.py\) \|", re.MULTILINE
)
ROWS = ROW.findall(README)


def test_the_readme_lists_every_example() -> None:
    named = set(re.findall(r"\((\w+\.py)\)", README))

    assert named == {file.name for file in (REPOSITORY / "examples").glob("*.py")}


def test_there_are_sixteen_examples_with_a_tutorials_version() -> None:
    tutorials = (REPOSITORY / "tests/examples/tutorials").glob("[!_]*.py")

    assert len(ROWS) == 16
    assert {name for name, _, _ in ROWS} == {file.stem for file in tutorials}


@pytest.mark.parametrize(("name", "lines", "by_hand"), ROWS, ids=[row[0] for row in ROWS])
def test_the_readme_has_the_right_numbers_of_lines(name: str, lines: str, by_hand: str) -> None:
    assert code_lines(REPOSITORY / f"examples/{name}.py") == int(lines)
    assert code_lines(REPOSITORY / f"tests/examples/tutorials/{name}.py") == int(by_hand)
    assert 10 <= int(lines) <= 40
