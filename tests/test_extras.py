"""What works without the extras, and which errors name them. A separate Python hides all modules of the extras."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

HIDDEN = ["uvicorn", "uvloop", "httptools", "typer", "rich", "sqlalchemy", "alembic", "psycopg", "hiredis"]
"""The modules of the extras."""

MOUNTED = """
from fastapi import FastAPI
from hubbub import Hubbub, Settings, User

app = FastAPI()
hub = Hubbub(authenticate=lambda: User("alice", "Alice"), settings=Settings(data_dir="data"))
app.include_router(hub.router, prefix="/chat")

import anyio

async def use():
    async with hub.lifespan(app):
        print((await hub.rooms("general").send("hello")).seq)

anyio.run(use)
"""


def run_without_extras(folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    hide = f"import sys; sys.modules.update(dict.fromkeys({HIDDEN}))\n"
    return subprocess.run(
        [sys.executable, "-c", hide + code, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_mounted_hub_with_sqlite_needs_no_extra(tmp_path: Path) -> None:
    used = run_without_extras(tmp_path, MOUNTED)

    assert used.stdout == "1\n", used.stderr


@pytest.mark.parametrize("arguments", [["--version"], ["serve"], []])
def test_the_command_line_names_the_extra_that_it_needs(tmp_path: Path, arguments: list[str]) -> None:
    ended = run_without_extras(tmp_path, "from hubbub.__main__ import main; main()", *arguments)

    assert ended.returncode == 1
    assert "pip install 'hubbub[server]'" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("code", "needs"), [("from hubbub import run", "hubbub.run"), ("import hubbub.testing", "hubbub.testing")]
)
def test_running_a_server_names_the_extra_that_it_needs(tmp_path: Path, code: str, needs: str) -> None:
    ended = run_without_extras(tmp_path, code)

    assert f"{needs} needs: pip install 'hubbub[server]'" in ended.stderr


def test_a_postgresql_address_names_the_extra_that_it_needs(tmp_path: Path) -> None:
    code = MOUNTED.replace('data_dir="data"', 'database_url="postgresql://nowhere"')

    assert "pip install 'hubbub[postgres]'" in run_without_extras(tmp_path, code).stderr


def test_a_redis_address_names_the_extra_that_it_needs(tmp_path: Path) -> None:
    code = MOUNTED.replace('data_dir="data"', 'broker_url="redis://nowhere"')

    assert "pip install 'hubbub[redis]'" in run_without_extras(tmp_path, code).stderr


def test_the_version_is_an_option_too(tmp_path: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "hubbub", "--version"], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert shown.stdout.strip() == version("hubbub")
