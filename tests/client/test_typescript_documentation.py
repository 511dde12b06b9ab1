"""What docs/typescript-client.md and the client's README say."""

import asyncio
import re
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.client.node_program import Program, node_program
from tests.client.npm import CLIENT, check_types
from tests.conftest import ServerFactory
from tests.people import person
from tests.servers import REPOSITORY

PAGE = (REPOSITORY / "docs/typescript-client.md").read_text()
README = (CLIENT / "README.md").read_text()
SPANS = "\n".join(re.findall(r"`+([^`\n]+)`", PAGE))
BLOCKS = dict(
    zip(
        ("parrot", "reader", "store", "carol"),
        re.findall(r"^```ts\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE),
        strict=True,
    )
)
TOUR = dict(zip(("alice", "bob"), re.findall(r"^```js\n(.*?)^```$", README, re.DOTALL | re.MULTILINE), strict=True))

# The whole of the browser's types would take the compiler a second.
GLOBALS = """
declare const console: { log(...said: unknown[]): void };
declare const localStorage: {
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
  [key: string]: any;
};
"""

USE_STORE = """
class Storage { setItem(key, value) { this[key] = value; } removeItem(key) { delete this[key]; } }
globalThis.localStorage = new Storage();
const { store } = await import('./store.js');
const message = { room: 'general', key: 'key-0001', text: 'Hello', at: 1 };
store.put(message);
console.log(store.load());
store.remove(message);
console.log(store.load());
"""


async def test_all_programs_do_what_the_text_says(folder: Path, serve: ServerFactory) -> None:
    server = serve()
    for name, program in (BLOCKS | TOUR).items():
        text = program.replace("localhost:8000", f"127.0.0.1:{server.port}")
        (folder / f"{name}.{'ts' if name in BLOCKS else 'js'}").write_text(text)
    (folder / "use-store.js").write_text(USE_STORE)
    (folder / "globals.d.ts").write_text(GLOBALS)
    options = ["--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2023"]
    sources = ["globals.d.ts", *(f"{name}.ts" for name in BLOCKS)]
    await asyncio.to_thread(check_types, *options, *sources, cwd=folder)

    async with AsyncExitStack() as programs, person(server, "witness") as witness:

        async def start(name: str) -> Program:
            return await programs.enter_async_context(node_program(folder / f"{name}.js"))

        await witness.join("general")
        bob, reader = await start("bob"), await start("reader")
        await bob.prints("online")
        await reader.prints("online")
        await start("alice")
        hello = await witness.expect("message", user="alice", text="Hello")
        await witness.expect("changed", seq=hello["seq"], user="alice")
        await bob.prints("  alice: Hello")

        await start("parrot")
        await witness.expect("message", user="parrot", text="Hello, I repeat what you say.")
        await witness.say("general", "Pieces of eight!")
        await witness.expect("message", user="parrot", text="Pieces of eight!")
        await reader.prints("parrot: Pieces of eight!")

        carol = await start("carol")
        await witness.expect("message", user="carol", text="Hello in MessagePack")
        assert await carol.ended() == 0

        store = await start("use-store")
        await store.prints("key-0001")
        await store.prints("[]")


def test_every_export_is_documented(outside: Path) -> None:
    index = (outside / "node_modules/hubbub-client/dist/index.d.ts").read_text()
    exports = {
        name
        for names in re.findall(r"^export \{(.*?)\}", index, re.MULTILINE)
        for name in re.findall(r"(?<!type )\b(\w+),?", names.replace(",", " , "))
        if name != "type"
    }
    imports = "\n".join(re.findall(r"^import .*$", PAGE, re.MULTILINE))

    assert len(exports) > 15
    assert [name for name in sorted(exports) if not re.search(rf"\b{name}\b", SPANS + imports)] == []


@pytest.mark.parametrize(("called", "kind", "module"), [("client", "Client", "client"), ("view", "RoomView", "room")])
def test_every_public_member_is_documented(outside: Path, called: str, kind: str, module: str) -> None:
    types = (outside / f"node_modules/hubbub-client/dist/{module}.d.ts").read_text()
    body = types.partition(f"class {kind} {{")[2].partition("\n}")[0]
    members = set(re.findall(r"^    (?:readonly |get )?(\w+)[(<:?]", body, re.MULTILINE)) - {
        "constructor",
        "connection",
    }

    assert len(members) > 10
    assert [name for name in sorted(members) if not re.search(rf"\b{called}\.{name}\b", SPANS)] == []


def test_every_option_and_every_state_is_documented(outside: Path) -> None:
    dist = outside / "node_modules/hubbub-client/dist"
    options = (dist / "client.d.ts").read_text().partition("interface ClientOptions")[2].partition("\n}")[0]
    states = (dist / "connection.d.ts").read_text().partition("type State =")[2].partition("export type StateName")[0]
    names = re.findall(r"^    (\w+)\??:", options, re.MULTILINE) + re.findall(r"'(\w+)'", options)
    names += re.findall(r"name: '(\w+)'", states)

    assert len(names) > 15
    assert [name for name in names if f"`{name}`" not in PAGE] == []
