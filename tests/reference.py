"""The parts of docs/ that are generated from the code. `python -m tests.reference` generates them again.

A part is between `<!-- made: name -->` and `<!-- end -->`; the text around it is written by hand.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer
from pydantic_core import to_jsonable_python

from hubbub import Hubbub, Settings
from hubbub.cli import app as cli
from hubbub.wire.codes import CLOSE_MEANINGS, ERROR_MEANINGS, CloseMeaning
from tests.servers import REPOSITORY

PAGES = [REPOSITORY / "docs" / name for name in ("protocol.md", "settings.md", "operations.md")]

_PART = re.compile(r"(<!-- made: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(*rows: tuple[str, ...]) -> str:
    """The first row is the head."""
    head, *body = [tuple(cell.replace("|", r"\|").replace("\n", " ") for cell in row) for row in rows]
    lines = [head, tuple("---" for _ in head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


class Schema:
    """The wire protocol as a server without additions serves it at `/schema.json`."""

    def __init__(self) -> None:
        self._definitions: dict[str, dict[str, Any]] = Hubbub(guests="on").schema()["$defs"]

    def frames(self, union: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """`Command` or `Event`: the types, each with its definition."""
        mapping: dict[str, str] = self._definitions[union]["discriminator"]["mapping"]
        for name, reference in mapping.items():
            yield name, self._definitions[reference.rpartition("/")[2]]

    def objects(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The objects in fields."""
        frames = [definition for union in ("Command", "Event") for _, definition in self.frames(union)]
        for name, definition in self._definitions.items():
            if "properties" in definition and definition not in frames:
                yield name, definition

    def fields(self) -> set[str]:
        """The names of all fields of all frames and objects."""
        return {field for definition in self._definitions.values() for field in definition.get("properties", {})}


def commands() -> str:
    rows = [
        (f"`{name}`", _signature(definition, without={"type", "id"}), _sentences(definition["description"]))
        for name, definition in Schema().frames("Command")
    ]
    return table(("`type`", "fields", "what it does"), *rows)


def events() -> str:
    rows = [
        (f"`{name}`", _signature(_as_sent(definition), without={"type"}), _sentences(definition["description"]))
        for name, definition in Schema().frames("Event")
    ]
    return table(("`type`", "fields", "what it says"), *rows)


def objects() -> str:
    rows = [(f"`{name}`", _signature(definition)) for name, definition in Schema().objects()]
    return table(("object", "fields"), *rows)


def error_codes() -> str:
    rows = [
        (f"`{code}`", meaning.meaning, _yes(meaning.may_retry), str(meaning.status))
        for code, meaning in ERROR_MEANINGS.items()
    ]
    return table(("`code`", "meaning", "may the same succeed later?", "HTTP status"), *rows)


def close_codes() -> str:
    rows = [(str(int(code)), meaning.meaning, reconnects(meaning)) for code, meaning in CLOSE_MEANINGS.items()]
    return table(("code", "meaning", "reconnect by itself?"), *rows)


def reconnects(meaning: CloseMeaning) -> str:
    return "yes, after a while" if meaning.after_a_while else _yes(meaning.reconnect)


def settings() -> str:
    rows = [
        (f"`HUBBUB_{name.upper()}`", f"`{name}`", _default(field.get_default()), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return table(("variable", "in `hubbub.toml`", "default", "meaning"), *rows)


def command_line() -> str:
    return "\n".join(_commands_below(typer.main.get_command(cli), "hubbub"))


def _commands_below(command: Any, path: str) -> Iterator[str]:
    if hasattr(command, "commands"):
        for name, below in command.commands.items():
            yield from _commands_below(below, f"{path} {name}")
        return
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    usage = " ".join([path, *(argument.name.upper() for argument in arguments)])
    yield f"### `{usage}`\n\n{command.help}\n"
    rows = [(f"`{_spelling(parameter)}`", parameter.help or "") for parameter in command.params]
    if rows:
        yield table(("option", "meaning"), *rows)


def _spelling(parameter: Any) -> str:
    return str(parameter.name.upper() if parameter.param_type_name == "argument" else parameter.opts[0])


def _signature(definition: dict[str, Any], *, without: set[str] | frozenset[str] = frozenset()) -> str:
    required = definition.get("required", ())
    fields = [
        name if name in required else f"{name}?{_optional(field)}"
        for name, field in definition["properties"].items()
        if name not in without
    ]
    return f"`{', '.join(fields)}`" if fields else ""


def _as_sent(definition: dict[str, Any]) -> dict[str, Any]:
    """An event leaves out a field without a value; a field with a default is always sent."""
    properties = definition["properties"]
    with_defaults = [name for name, field in properties.items() if "default" in field]
    return definition | {"required": [*definition["required"], *with_defaults]}


def _optional(field: dict[str, Any]) -> str:
    return f" = {json.dumps(field['default'])}" if "default" in field else ""


def _sentences(description: str) -> str:
    return " ".join(description.split())


def _default(value: object) -> str:
    if value is None:
        return ""
    return f"`{json.dumps(to_jsonable_python(value))}`"


def _yes(answer: bool) -> str:
    return "yes" if answer else "no"


PARTS: dict[str, Callable[[], str]] = {
    "commands": commands,
    "events": events,
    "objects": objects,
    "error-codes": error_codes,
    "close-codes": close_codes,
    "settings": settings,
    "command-line": command_line,
}


def renewed(text: str) -> str:
    """A page with all its parts generated again. Raises KeyError for an unknown part."""
    return _PART.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n{found[3]}", text)


def parts_in(text: str) -> list[str]:
    return [name for _, name, _ in _PART.findall(text)]


def write(page: Path) -> None:
    page.write_text(renewed(page.read_text()))


if __name__ == "__main__":
    for page in PAGES:
        write(page)
