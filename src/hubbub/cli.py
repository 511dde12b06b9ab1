"""The command line: `hubbub serve` and what helps around it."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer

from hubbub.errors import ConfigurationError
from hubbub.server.configuration import load_settings
from hubbub.settings import Settings

app = typer.Typer(
    name="hubbub",
    help="A real-time chat server.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

EXIT_CONFIGURATION = 2


@app.command(
    epilog="Examples:  hubbub serve  |  hubbub serve --port 9000  |  HUBBUB_GUESTS=on hubbub serve --host 0.0.0.0"
)
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; by default both loopbacks.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; by default 8000 or the next one that is free.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where to keep files; by default ./hubbub-data.")] = None,
    guests: Annotated[
        Literal["auto", "on", "off"] | None,
        typer.Option(help="Let people in without an account; auto: from this machine only."),
    ] = None,
    log_level: Annotated[Literal["debug", "info", "warning", "error"] | None, typer.Option(help="What to log.")] = None,
) -> None:
    """Start the server and print its address. Ctrl-C stops it, gently; a second one at once.

    Every setting can also be given as HUBBUB_… in the environment or in hubbub.toml: see `hubbub settings`.
    """
    try:
        settings = load_settings(host=host, port=port, data_dir=data_dir, guests=guests, log_level=log_level)
        _run(settings)
    except ConfigurationError as error:
        _fail(error)


def _run(settings: Settings) -> None:
    # Imported here so that `hubbub --help` answers at once.
    from hubbub.server.app import create_app
    from hubbub.server.serving import run

    application = create_app(settings)
    hub = application.state.hub

    def ready(address: str) -> None:
        data_dir = hub.node.settings.data_dir
        typer.echo(f"Hubbub is at {address} (data in {data_dir.resolve()}; Ctrl-C stops it)")
        sys.stdout.flush()

    run(application, settings=settings, on_ready=ready)


@app.command()
def settings(
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Show every setting, its value now, and what it means. Secrets are not shown."""
    try:
        current = load_settings()
    except ConfigurationError as error:
        _fail(error)
    rows = [
        {
            "name": name,
            "environment": f"HUBBUB_{name.upper()}",
            "value": _shown(getattr(current, name)),
            "meaning": field.description or "",
        }
        for name, field in Settings.model_fields.items()
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("environment", "value", "meaning", box=None)
    for row in rows:
        table.add_row(str(row["environment"]), json.dumps(row["value"]), str(row["meaning"]))
    Console().print(table)


def _shown(value: Any) -> Any:
    return value if value is None or isinstance(value, (bool, int, float, str, list)) else str(value)


@app.command()
def schema() -> None:
    """Print the wire protocol as JSON Schema."""
    from hubbub.wire.commands import BUILT_IN, CommandTable
    from hubbub.wire.events import EventTable
    from hubbub.wire.schema import json_schema

    typer.echo(json.dumps(json_schema(CommandTable(BUILT_IN), EventTable()), indent=2, ensure_ascii=False))


@app.command("version")
def show_version() -> None:
    """Print the version."""
    typer.echo(version("hubbub"))


def _fail(error: ConfigurationError) -> NoReturn:
    typer.echo(f"hubbub: {error}", err=True)
    raise typer.Exit(EXIT_CONFIGURATION)


def main() -> None:
    app()


if __name__ == "__main__":
    main()
