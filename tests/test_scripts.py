"""What the scripts do on a machine that lacks something."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import REPOSITORY

PROGRAMS_OF_SH = ("cat", "cksum", "dirname", "id", "sh")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The scripts without a .venv yet, and a PATH that holds no Python."""
    shutil.copytree(REPOSITORY / "scripts", tmp_path / "scripts")
    shutil.copytree(REPOSITORY / "requirements", tmp_path / "requirements")
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in PROGRAMS_OF_SH:
        path = shutil.which(name)
        assert path is not None
        (programs / name).symlink_to(path)
    program(tmp_path, "apt-get", "exit 1")
    return tmp_path


def program(checkout: Path, name: str, line: str) -> None:
    file = checkout / "programs" / name
    file.write_text(f"#!/bin/sh\n{line}\n")
    file.chmod(0o755)


def serve(checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "scripts/serve"],
        env={"PATH": str(checkout / "programs"), "HOME": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_without_python_the_scripts_print_the_line_to_run(checkout: Path) -> None:
    result = serve(checkout)

    assert result.returncode == 1
    sudo = "" if os.getuid() == 0 else "sudo "
    assert result.stderr.endswith(f"Run: {sudo}apt install python3 python3-venv\n")


def test_a_python_that_does_not_run_is_skipped(checkout: Path) -> None:
    program(checkout, "python3.12", "echo 'pyenv: python3.12: command not found' >&2; exit 127")

    result = serve(checkout)

    assert result.returncode == 1
    assert "found none that runs" in result.stderr


def test_the_error_for_a_python_without_venv_names_the_package(checkout: Path) -> None:
    program(checkout, "python3", f'case "$2" in *ensurepip*) exit 1 ;; esac; exec {sys.executable} "$@"')

    result = serve(checkout)

    assert result.returncode == 1
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert result.stderr.startswith("python3 is here, but without its module venv.")
    assert result.stderr.endswith(f"apt install python3 python{version}-venv\n")
