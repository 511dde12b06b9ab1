"""The whole checkout: few dependencies, one version, locks that any mirror can serve, scripts that any sh can run."""

import json
import re
import subprocess
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from tests.servers import REPOSITORY

LOCKS = sorted((REPOSITORY / "requirements").glob("*.txt"))
CHANGELOG = REPOSITORY / "CHANGELOG.md"
KINDS_OF_CHANGE = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
SCRIPTS = [path for path in sorted((REPOSITORY / "scripts").rglob("*")) if path.is_file()] + [REPOSITORY / ".ci/run"]

# Written in two halves, so that this file does not name a registry.
REGISTRIES = [f"{name}.{domain}" for name, domain in [("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org")]]


def tracked_files() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return [path for name in listing.stdout.split("\0") if name and (path := REPOSITORY / name).is_file()]


def test_the_core_has_at_most_eight_direct_dependencies() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]

    assert len(project["dependencies"]) <= 8


def test_everything_names_the_same_version() -> None:
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    web, client = (
        json.loads((REPOSITORY / name / "package.json").read_text()) for name in ("web", "clients/typescript")
    )
    lock = json.loads((REPOSITORY / "web/package-lock.json").read_text())

    assert [web["version"], client["version"], lock["version"], lock["packages"][""]["version"]] == [version] * 4
    newest, _ = releases()[0]
    assert newest == version


def test_the_changelog_begins_with_unreleased_changes_and_dates_each_release() -> None:
    headings = re.findall(r"^## (.+)$", CHANGELOG.read_text(), re.MULTILINE)
    dates = [date for _, date in releases()]

    assert headings == ["[Unreleased]", *(f"[{version}] - {date}" for version, date in releases())]
    assert dates == sorted(dates, reverse=True)


def test_the_changelog_has_each_entry_and_each_heading_once() -> None:
    text = CHANGELOG.read_text()
    entries = re.findall(r"^- (?:.+\n)(?:  .+\n)*", text, re.MULTILINE)
    kinds = [re.findall(r"^### (\w+)$", release, re.MULTILINE) for release in text.split("\n## ")[1:]]

    assert [entry for entry, times in Counter(entries).items() if times > 1] == []
    assert kinds == [[kind for kind in KINDS_OF_CHANGE if kind in found] for found in kinds]


def releases() -> list[tuple[str, str]]:
    """The version and date of each release, the newest first."""
    return re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)$", CHANGELOG.read_text(), re.MULTILINE)


def test_no_file_names_a_package_registry() -> None:
    findings = [
        str(path.relative_to(REPOSITORY))
        for path in tracked_files()
        if any(registry.encode() in path.read_bytes() for registry in REGISTRIES)
    ]

    assert not findings


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_python_lock_has_pins_and_hashes_but_no_address(lock: Path) -> None:
    text = lock.read_text()
    pins = re.findall(r"^\S+==\S+", text, re.MULTILINE)
    entries = re.findall(r"^[^\s#].*", text, re.MULTILINE)

    assert len(pins) == len(entries) > 0
    assert text.count("--hash=sha256:") >= len(pins)
    assert "://" not in text


def test_an_npm_lock_has_hashes_but_no_address() -> None:
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
