"""What holds for the whole checkout: few dependencies, locks that any mirror can serve, scripts that any sh can run."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.servers import REPOSITORY

LOCKS = sorted((REPOSITORY / "requirements").glob("*.txt"))
SCRIPTS = [path for path in sorted((REPOSITORY / "scripts").rglob("*")) if path.is_file()] + [REPOSITORY / ".ci/run"]

# Written in two halves, so that this file is no finding of its own.
REGISTRIES = [f"{name}.{domain}" for name, domain in [("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org")]]


def tracked_files() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return [path for name in listing.stdout.split("\0") if name and (path := REPOSITORY / name).is_file()]


def test_the_core_has_at_most_eight_direct_dependencies() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]

    assert len(project["dependencies"]) <= 8


def test_no_file_names_a_package_registry() -> None:
    findings = [
        str(path.relative_to(REPOSITORY))
        for path in tracked_files()
        if any(registry.encode() in path.read_bytes() for registry in REGISTRIES)
    ]

    assert not findings


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_python_lock_holds_pins_and_hashes_but_no_address(lock: Path) -> None:
    text = lock.read_text()
    pins = re.findall(r"^\S+==\S+", text, re.MULTILINE)
    entries = re.findall(r"^[^\s#].*", text, re.MULTILINE)

    assert len(pins) == len(entries) > 0
    assert text.count("--hash=sha256:") >= len(pins)
    assert "://" not in text


def test_an_npm_lock_holds_hashes_but_no_address() -> None:
    for lock in tracked_files():
        if lock.name == "package-lock.json":
            packages = json.loads(lock.read_text())["packages"]
            assert not [name for name, package in packages.items() if "://" in package.get("resolved", "")]
            assert [name for name, package in packages.items() if "integrity" in package]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_posix_sh(script: Path) -> None:
    text = script.read_text()

    assert text.startswith("#!/bin/sh\n") or script.suffix == ".sh"
    assert not re.search(r"\[\[|\blocal\b|\bfunction\b|\bsource\b|<<<|\$'", text)
    subprocess.run(["sh", "-n", script], check=True)
