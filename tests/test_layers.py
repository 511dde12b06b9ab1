"""The rule of imports: an upper layer may import a lower one, never the reverse, and never a neighbour."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp

from tests.servers import REPOSITORY

CLIENT = "hubbub.client"
CLIENT_MAY_KNOW = {"hubbub.wire", "hubbub.errors"}


def test_no_layer_imports_one_above_or_beside_it() -> None:
    # In a separate process: import-linter configures logging, which silences every existing logger.
    command = [str(Path(sys.executable).with_name("lint-imports")), "--cache-dir", ".cache/import-linter"]
    linted = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert linted.returncode == 0, linted.stdout


def test_the_python_client_knows_only_the_wire_and_the_errors() -> None:
    graph = grimp.build_graph("hubbub", cache_dir=None)
    client = [module for module in graph.modules if is_part_of(module, CLIENT)]

    known = {imported for module in client for imported in graph.find_modules_directly_imported_by(module)}

    allowed = {CLIENT, *CLIENT_MAY_KNOW}
    assert not {module for module in known if not any(is_part_of(module, package) for package in allowed)}


def test_only_the_routes_of_a_feature_know_http() -> None:
    graph = grimp.build_graph(
        "hubbub", include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None
    )
    features = [module for module in graph.modules if is_part_of(module, "hubbub.features")]

    knowing = {
        module
        for module in features
        for imported in graph.find_modules_directly_imported_by(module)
        if any(is_part_of(imported, web) for web in ("fastapi", "starlette", "hubbub.http"))
    }

    assert knowing == {module for module in features if ".routes" in module}


def test_a_node_names_no_feature_and_no_concrete_part() -> None:
    graph = grimp.build_graph("hubbub", cache_dir=None)
    imported = graph.find_modules_directly_imported_by("hubbub.node")

    assert {module for module in imported if is_part_of(module, "hubbub.features")} == {
        "hubbub.features.feature",
        "hubbub.features.jobs",
    }
    assert {module for module in imported if is_part_of(module, "hubbub.broker")} == {"hubbub.broker.base"}
    assert {module for module in imported if is_part_of(module, "hubbub.presence")} == {"hubbub.presence.base"}
    assert {module for module in imported if is_part_of(module, "hubbub.accounts")} == {"hubbub.accounts.policies"}
    assert not imported & {"hubbub.store.engines", "hubbub.store.sqlite", "hubbub.store.postgres"}


def test_the_drawing_of_the_house_shows_the_layers_that_are_checked() -> None:
    drawing = (REPOSITORY / "docs" / "architecture.md").read_text().split("```")[1].strip("\n").splitlines()
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    checked = {one["id"]: [re.findall(r"\w+", layer) for layer in one.get("layers", ())] for one in contracts}

    assert [names_in(line) for line in drawing if not line.startswith(" ")] == checked["layers"]
    assert [names_in(line) for line in drawing if line.startswith(" ")] == checked["features"]


def names_in(line: str) -> list[str]:
    """The names at the beginning of a line of the drawing; two spaces end them."""
    return re.split(r"\s\s+", line.strip())[0].split(" · ")


def is_part_of(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")
