"""schemathesis tries the whole REST API of a hub with accounts: every answer is one that the description names."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import httpx
import jwt
import pytest

from tests.servers import MissingError, WebServer, hubbub_server, watched

SECRET = "the secret of the server in this test"
EXAMPLES = 2
"""Of each operation: a run takes a few seconds."""
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """Where everybody may sign up, and nothing is asked too often."""
    unlimited = {"REQUEST_RATE": "100000", "REQUEST_BURST": "100000", "SIGN_UPS": "1000000"}
    options = {**unlimited, "LOG_IN_ATTEMPTS": "1000000", "SIGN_UP": "open", "SECRET": SECRET}
    environment = {f"HUBBUB_{name}": value for name, value in options.items()}
    yield from watched(hubbub_server(tmp_path_factory.mktemp("server"), environment=environment))


def description_of(server: WebServer, folder: Path) -> Path:
    """Without "any other refusal", which would allow every status from 400 to 499."""
    description = httpx.get(f"{server.url}/openapi.json", trust_env=False, timeout=60).json()
    for operations in description["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("4XX", None)
    file = folder / "openapi.json"
    file.write_text(json.dumps(description))
    return file


def command_of(role: str, server: WebServer, program: str, folder: Path) -> list[str]:
    options = ["--phases", "fuzzing", "--max-examples", str(EXAMPLES), "--seed", "1", "--checks", CHECKS, "--no-color"]
    if role != "guest":
        now = int(time.time())
        claims = {
            "iss": "hubbub",
            "aud": "hubbub",
            "sub": f"tester-{role}",
            "role": role,
            "iat": now,
            "exp": now + 3600,
        }
        options += ["--header", f"Authorization: Bearer {jwt.encode(claims, SECRET)}"]
    described = [str(description_of(server, folder)), "--url", server.url]
    return [program, "run", *described, *options, "--continue-on-failure", "--warnings", "off"]


@pytest.mark.slow(10)
@pytest.mark.parametrize("role", ["guest", "member", "admin"])
def test_every_answer_is_one_that_is_described(
    server: WebServer, tmp_path: Path, role: str, missing: Callable[[MissingError], NoReturn]
) -> None:
    program = Path(sys.executable).with_name("st")
    if not program.exists():
        missing(MissingError("schemathesis is not installed: pip install --group dev"))
    command = command_of(role, server, str(program), tmp_path)
    done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout, done.stdout
