"""A program that Node.js runs beside a test: it prints lines, and reads them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.client.npm import environment, flags_of_node

DEADLINE = 60.0

DRIVEN = """
import { createInterface } from 'node:readline';
import { Backoff, Client, RoomView } from 'hubbub-client';
import { msgpack } from 'hubbub-client/msgpack';

const [address, codec, ...tokens] = process.argv.slice(2);
const print = (line) => console.log(JSON.stringify(line));
const view = new RoomView('general');
const client = new Client({
  address,
  token: tokens.length === 0 ? undefined : async () => (tokens.length > 1 ? tokens.shift() : tokens[0]),
  codec: codec === 'msgpack' ? msgpack : undefined,
  backoff: new Backoff({ first: 20, longest: 100 }),
  onState: ({ name }) => print({ state: name }),
  onEvent: (event) => {
    view.apply(event);
    print(event);
  },
});
const texts = () => view.messages.map(({ text }) => text);
const people = () => view.people.map(({ name }) => name);

for await (const line of createInterface({ input: process.stdin })) {
  const [call, name, ...given] = JSON.parse(line);
  const answer = async () => {
    if (name === 'give') tokens.splice(0, tokens.length, ...given);
    else if (name === 'shown') return { texts: texts(), people: people() };
    else return client[name](...given);
  };
  answer().then(
    (answer) => print({ call, answer: answer ?? null }),
    ({ name, message, failure }) => print({ call, error: name, message, failure }),
  );
}
"""
"""Does what the test says: each line of its input is a call of the client, as JSON."""


class Program:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._calls = 0

    async def line(self, fits: Callable[[str], bool]) -> str:
        """The next line that it prints and that fits."""
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(DEADLINE):
                while line := (await self.process.stdout.readline()).decode():
                    self.lines.append(line)
                    if fits(line):
                        return line
        except TimeoutError:
            raise AssertionError(f"not printed within {DEADLINE:g} s; the last lines: {self.lines[-10:]}") from None
        raise AssertionError(f"it ended first: {self.lines[-10:]}")

    async def prints(self, text: str) -> str:
        return await self.line(lambda line: text in line)

    async def expect(self, **fields: Any) -> dict[str, Any]:
        """The next line of JSON with these fields."""
        found: dict[str, Any] = json.loads(await self.line(lambda line: json.loads(line).items() >= fields.items()))
        return found

    def tell(self, name: str, *arguments: Any) -> int:
        """Starts a call of the client. Returns the `call` of the line that tells the outcome."""
        assert self.process.stdin is not None
        self._calls += 1
        self.process.stdin.write(f"{json.dumps([self._calls, name, *arguments])}\n".encode())
        return self._calls

    async def do(self, name: str, *arguments: Any) -> Any:
        """What the client's call resolves with."""
        outcome = await self.expect(call=self.tell(name, *arguments))
        assert "error" not in outcome, outcome
        return outcome["answer"]

    async def ended(self) -> int:
        async with asyncio.timeout(DEADLINE):
            return await self.process.wait()


@asynccontextmanager
async def node_program(
    script: Path, *arguments: str, cwd: Path | None = None, variables: Mapping[str, str] | None = None
) -> AsyncIterator[Program]:
    """Runs in the folder of the script, and ends with the block if it does not end before."""
    process = await asyncio.create_subprocess_exec(
        "node",
        *flags_of_node(),
        str(script),
        *arguments,
        cwd=cwd or script.parent,
        env={**environment(), **(variables or {})},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=1 << 20,
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def driven(folder: Path, *arguments: str) -> AsyncIterator[Program]:
    """A program that does what the test says. Its arguments are the address, the codec, and tokens: it shows each once,
    and the last one from then on. `give` replaces them."""
    script = folder / "driven.js"
    script.write_text(DRIVEN)
    async with node_program(script, *arguments) as program:
        yield program
