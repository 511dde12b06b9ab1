"""What docs/python-client.md says."""

import asyncio
import re
import sys
from inspect import getmembers, signature
from pathlib import Path

import pytest

import hubbub.client
from hubbub.client import Client, Room
from hubbub.client.client import UNREAD_EVENTS
from tests.conftest import ServerFactory
from tests.people import person
from tests.servers import REPOSITORY

PAGE = (REPOSITORY / "docs/python-client.md").read_text()
CODE = "\n".join(re.findall(r"`([^`\n]+)`", PAGE))


async def test_the_parrot_repeats_what_is_said(serve: ServerFactory, tmp_path: Path) -> None:
    server = serve()
    (program,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    script = tmp_path / "parrot.py"
    script.write_text(program.replace("localhost:8000", f"127.0.0.1:{server.port}"))

    async with person(server, "alice") as alice:
        await alice.join("general")
        parrot = await asyncio.create_subprocess_exec(sys.executable, script)
        try:
            await alice.expect("message", user="parrot")
            await alice.say("general", "Pieces of eight!")
            await alice.expect("message", user="parrot", text="Pieces of eight!")
        finally:
            parrot.kill()
            await parrot.wait()


@pytest.mark.parametrize("export", hubbub.client.__all__)
def test_every_export_is_documented(export: str) -> None:
    names = CODE + "\n" + "\n".join(re.findall(r"^from hubbub\.client import .*$", PAGE, re.MULTILINE))
    assert re.search(rf"\b{export}\b", names)


@pytest.mark.parametrize(("called", "kind"), [("client", Client), ("room", Room)])
def test_every_public_member_is_documented(called: str, kind: type) -> None:
    members = [member for member, _ in getmembers(kind) if not member.startswith("_")]

    assert [member for member in members if not re.search(rf"\b{called}\.{member}\b", CODE)] == []


def test_every_argument_is_documented() -> None:
    arguments = [name for name in signature(Client).parameters if name != "address"]

    assert [name for name in arguments if f"`{name}`" not in PAGE] == []


def test_the_numbers_are_the_codes() -> None:
    defaults = {name: parameter.default for name, parameter in signature(Client).parameters.items()}

    assert f"{defaults['first_wait']:g} and {defaults['longest_wait']:g}" in PAGE
    assert f"After {UNREAD_EVENTS:,} unread events" in PAGE
