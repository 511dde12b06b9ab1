"""The command line: `hubbub serve` and what helps around it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, TypeVar
from urllib.parse import urlsplit

import typer

from hubbub.accounts.api_keys import SCOPES, ApiKeyStore, KeyFiles, KeyTable, make_key
from hubbub.app.settings_sources import load_settings
from hubbub.errors import ConfigurationError, RateLimited, RequestError, Unavailable
from hubbub.features.accounts.console import Order
from hubbub.settings import Settings
from hubbub.store.base import Engine
from hubbub.wire.base import timestamp_of
from hubbub.wire.topics import Level

if TYPE_CHECKING:
    from hubbub.client.remote import Remote

app = typer.Typer(
    name="hubbub",
    help="A real-time chat server.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

EXIT_REFUSED = 1
EXIT_CONFIGURATION = 2
EXIT_LATER = 3
"""The same may succeed later."""

T = TypeVar("T")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("hubbub"))
        raise typer.Exit


@app.callback()
def common(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """A real-time chat server."""


@app.command(
    epilog="Examples:  hubbub serve  |  hubbub serve --port 9000  |  HUBBUB_GUESTS=on hubbub serve --host 0.0.0.0  |  "
    "HUBBUB_BROKER_URL=redis://localhost HUBBUB_DATABASE_URL=postgresql://localhost/hubbub hubbub serve --workers 4"
)
def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on; by default both loopbacks.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; by default 8000 or the next one that is free.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where to keep files; by default ./hubbub-data.")] = None,
    guests: Annotated[
        Literal["auto", "on", "off"] | None,
        typer.Option(help="Let people in without an account; auto: from this machine only."),
    ] = None,
    log_level: Annotated[Literal["debug", "info", "warning", "error"] | None, typer.Option(help="What to log.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that serve; more than one need HUBBUB_BROKER_URL.")
    ] = None,
    tls_certificate: Annotated[
        Path | None, typer.Option(help="PEM file with the server's certificate: serve HTTPS instead of HTTP.")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(help="PEM file with its private key, if that is not in the same file.")
    ] = None,
    fd: Annotated[
        list[int] | None,
        typer.Option(help="A listening socket, handed over by its file descriptor, instead of an address."),
    ] = None,
) -> None:
    """Start the server and print its address. Ctrl-C stops it, gently; a second one at once.

    Every setting can also be given as HUBBUB_… in the environment or in hubbub.toml: see `hubbub settings`.
    """
    options = {
        "host": host,
        "port": port,
        "data_dir": str(data_dir) if data_dir is not None else None,
        "guests": guests,
        "log_level": log_level,
        "workers": workers,
        "tls_certificate": str(tls_certificate) if tls_certificate is not None else None,
        "tls_key": str(tls_key) if tls_key is not None else None,
    }
    try:
        settings = load_settings(**options)
        _run(settings, options, fd or [])
    except ConfigurationError as error:
        _fail(error)
    except Unavailable as error:
        from hubbub.serving.worker import cannot_start

        _fail(cannot_start(error), EXIT_LATER)


def _run(settings: Settings, options: dict[str, Any], fd: list[int]) -> None:
    # Imported here, so that `hubbub --help` answers at once.
    from hubbub.serving.app import create_app, for_own_server

    settings = for_own_server(settings)

    def ready(address: str) -> None:
        assert settings.data_dir is not None
        several = f"{settings.workers} workers; " if settings.workers > 1 else ""
        where, link = _setup(settings.public_url or address, settings.data_dir)
        typer.echo(f"Hubbub is at {address} ({several}data in {settings.data_dir.resolve()}{where}; Ctrl-C stops it)")
        for line in [*_reachability(address, settings), *([link] if link else [])]:
            typer.echo(line)
        sys.stdout.flush()

    if settings.workers > 1:
        from hubbub.serving.supervisor import supervise

        raise typer.Exit(supervise(settings, options=options, fd=fd, on_ready=ready))
    from hubbub.serving.server import run

    run(create_app(settings), settings=settings, on_ready=ready, access_log=settings.log_level == "debug", fd=fd)


def _setup(address: str, data_dir: Path) -> tuple[str, str]:
    """What to print about a server without an administrator: where its setup link is, or the link itself. Only a
    terminal may see the link, since other output may be kept."""
    from hubbub.features.accounts.setup import complete_link, remove_link

    found = complete_link(data_dir, address)
    if found is None:
        return "", ""
    link, file = found
    if not sys.stdout.isatty():
        return f"; its administrator comes by the link in {file.name} there", ""
    remove_link(data_dir)
    return "", f"It has no administrator yet. Whoever opens this link becomes the administrator: {link}"


def _reachability(address: str, settings: Settings) -> Iterator[str]:
    """What to print about other machines: by which address they reach this server, and whether their guests are
    admitted."""
    from hubbub.serving.addresses import addresses_for_others

    others = addresses_for_others(settings.host, _port_of(address), scheme=settings.scheme)
    if not others:
        return
    if others != [address]:
        yield f"Others can use {' or '.join(others)}"
    if settings.guests == "on":
        yield "Guests from there are let in: whoever can reach it can read and write in every room."
    else:
        yield "Guests from there are not let in (guests is `auto`): --guests on, or HUBBUB_GUESTS=on, lets them in."


def _port_of(address: str) -> int:
    parts = urlsplit(address)
    return parts.port or (443 if parts.scheme == "https" else 80)


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


database = typer.Typer(
    help="Look after the database; backup and check also while the server runs.", no_args_is_help=True
)
app.add_typer(database, name="db")

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where the server keeps its files.")]


@database.command()
def upgrade(data_dir: DataDir = None) -> None:
    """Bring the schema up to date; SQLite's file is copied first. The server does this by itself when it starts."""
    _on_database(data_dir, lambda operations, engine: operations.upgrade(engine))
    typer.echo("The database is up to date.")


@database.command(epilog="Example:  hubbub db backup hubbub-2026-11-20.db")
def backup(
    file: Annotated[Path, typer.Argument(help="A file that does not exist yet.")], data_dir: DataDir = None
) -> None:
    """Copy the database, as it is at one moment, into a new file."""
    _on_database(data_dir, lambda operations, engine: operations.backup(engine, file))
    typer.echo(f"Backed up to {file}.")


@database.command(epilog="Example:  hubbub db restore hubbub-2026-11-20.db")
def restore(
    file: Annotated[Path, typer.Argument(help="What `hubbub db backup` made.")], data_dir: DataDir = None
) -> None:
    """Put a backup in the database's place. The server must not run; clients that know more begin again."""
    aside = _on_database(data_dir, lambda operations, engine: operations.restore(engine, file))
    typer.echo(f"Restored {file}." + (f" What was there before is now {aside}." if aside else ""))


@database.command()
def check(
    data_dir: DataDir = None, as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False
) -> None:
    """Look for damage: in the file, and in the numbers of rooms and messages. Exits with 1 if there is any."""
    from hubbub.dispatch.hooks import Hooks
    from hubbub.features.accounts.feature import AccountsFeature
    from hubbub.features.built_in import built_in

    checks = [feature.check for feature in built_in(Hooks(), AccountsFeature())]
    problems: list[str] = _on_database(data_dir, lambda operations, engine: operations.check(engine, *checks))
    if as_json:
        typer.echo(json.dumps({"ok": not problems, "problems": problems}))
    else:
        typer.echo("\n".join(problems) or "The database is in order.")
    if problems:
        raise typer.Exit(1)


def _on_database(data_dir: Path | None, work: Callable[[Any, Engine], Any]) -> Any:
    """Do something with the configured database, or say in one sentence why it can't be done."""
    import hubbub.features.messages.log_sql  # noqa: F401 - a file may hold deferred rows of its statements
    from hubbub.app.wiring import choose_engine
    from hubbub.serving.app import for_own_server
    from hubbub.store import operations

    try:
        current = for_own_server(load_settings(data_dir=data_dir))
        engine = choose_engine(current)
        if engine is None:
            raise ConfigurationError("HUBBUB_DATABASE_URL is `none`: there is no database")
        return work(operations, engine)
    except (ConfigurationError, Unavailable) as error:
        _fail(error)


keys = typer.Typer(
    help="API keys, with which programs send from outside; also while the server runs.", no_args_is_help=True
)
app.add_typer(keys, name="key")


@keys.command(
    epilog="Example:  hubbub key add billing --scope topics:publish --scope users:send",
)
def add(
    name: Annotated[str, typer.Argument(help="What the key is for, such as `billing`.")],
    scope: Annotated[
        list[str] | None, typer.Option(help=f"What it allows: {', '.join(SCOPES)}. Repeat it; by default all.")
    ] = None,
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Make a key and print it. It is shown only now: what is stored is its hash."""

    async def work(store: ApiKeyStore) -> tuple[str, str]:
        key, secret = make_key(name, scope or SCOPES)
        if not await store.add(key):
            raise ConfigurationError(f"there is a key {name!r} already: choose another name, or revoke that one first")
        return secret, store.place

    secret, place = _on_keys(data_dir, work)
    typer.echo(json.dumps({"name": name, "key": secret}) if as_json else secret)
    typer.echo(f"It is not shown again. It works within a second, at servers with their keys in {place}.", err=True)


@keys.command("list")
def list_keys(
    data_dir: DataDir = None, as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False
) -> None:
    """Show the names of all keys, what they allow, when they were made, and when they expire."""
    found = [
        {"name": key.name, "scopes": list(key.scopes), "created": timestamp_of(key.created)}
        | ({"expires": timestamp_of(key.expires)} if key.expires is not None else {})
        for key in _on_keys(data_dir, lambda store: store.load())
    ]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for key in found:
        until = f"  until {key['expires']}" if "expires" in key else ""
        typer.echo(f"{key['name']}  {','.join(key['scopes'])}  {key['created']}{until}")


@keys.command()
def revoke(
    name: Annotated[str, typer.Argument(help="The key's name, as `hubbub key list` shows it.")],
    data_dir: DataDir = None,
) -> None:
    """Take a key back. Every node refuses it within a second."""

    async def work(store: ApiKeyStore) -> None:
        if not await store.remove(name):
            raise ConfigurationError(f"there is no key {name!r}: `hubbub key list` shows all")

    _on_keys(data_dir, work)
    typer.echo(f"The key {name} is revoked.")


def _on_keys(data_dir: Path | None, work: Callable[[ApiKeyStore], Coroutine[Any, Any, T]]) -> T:
    """Do something with the keys of the configured server, or say in one sentence why it can't be done."""
    from hubbub.app.wiring import choose_engine
    from hubbub.serving.app import for_own_server
    from hubbub.store.database import Database

    async def with_store() -> T:
        settings = for_own_server(load_settings(data_dir=data_dir))
        engine = choose_engine(settings)
        if engine is None or not engine.is_shared:
            assert settings.data_dir is not None
            return await work(KeyFiles(settings.data_dir))
        database = Database(engine, readers=1, timeout=settings.database_timeout)
        await database.start()
        try:
            return await work(KeyTable(database))
        finally:
            await database.stop()

    try:
        return asyncio.run(with_store())
    except (ConfigurationError, Unavailable) as error:
        _fail(error)


users = typer.Typer(help="Accounts of people; also while the server runs.", no_args_is_help=True)
app.add_typer(users, name="user")

Username = Annotated[str, typer.Argument(help="The name with which somebody logs in.")]


@users.command("add", epilog="Example:  hubbub user add alice --name 'Alice Liddell' --admin")
def add_user(
    username: Username,
    name: Annotated[str, typer.Option(help="What others see; by default the username.")] = "",
    admin: Annotated[bool, typer.Option("--admin", help="Make an administrator.")] = False,
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Make an account. The password is asked for, or read from standard input.

    As all `hubbub user` commands, it exits with 0 when that is done, with 1 if it is refused, with 2 for a wrong use,
    and with 3 if it cannot be done now.
    """
    from hubbub.accounts.accounts import check_name, check_username
    from hubbub.wire.identity import Role

    def order() -> Order:
        checked = check_username(username)
        shown = check_name(name or username)
        role = Role.ADMIN if admin else Role.MEMBER
        return Order(do="add", username=checked, name=shown, role=role, password=_new_password(username))

    _on_users(data_dir, order, as_json, lambda account: f"{account['username']} can log in now.")


@users.command("list")
def list_users(
    data_dir: DataDir = None, as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False
) -> None:
    """Show all accounts."""

    def line(account: dict[str, Any]) -> str:
        role = "deactivated" if account["deactivated"] else account["role"]
        return f"{account['username']}  {account['key']}  {role}  {account['created']}"

    _on_users(data_dir, lambda: Order(do="list"), as_json, line)


@users.command("passwd")
def set_password(
    username: Username,
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Set a password, which is asked for, or read from standard input. All sessions of the account end."""
    _on_users(
        data_dir,
        lambda: Order(do="passwd", username=username, password=_new_password(username)),
        as_json,
        lambda account: f"{account['username']} must log in with the new password now.",
    )


@users.command("deactivate")
def deactivate_user(
    username: Username,
    undo: Annotated[bool, typer.Option("--undo", help="Activate it again.")] = False,
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Let nobody log in to an account. Its sessions end; its messages stay."""
    _on_users(
        data_dir,
        lambda: Order(do="activate" if undo else "deactivate", username=username),
        as_json,
        lambda account: f"{account['username']} {'can log in again' if undo else 'cannot log in any more'}.",
    )


def _new_password(username: str) -> str:
    """The hash of a password that somebody types, or that a program writes to standard input."""
    from hubbub.accounts.passwords import check_password, hash_password

    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    check_password(password, username)
    return hash_password(password)


def _on_users(
    data_dir: Path | None, order: Callable[[], Order], as_json: bool, say: Callable[[dict[str, Any]], str]
) -> None:
    """Do something with the accounts of the configured server, or say in one sentence why it can't be done."""
    from hubbub.app.accounts_from_outside import perform_order
    from hubbub.serving.app import for_own_server

    try:
        settings = for_own_server(load_settings(data_dir=data_dir))
        accounts = asyncio.run(perform_order(settings, order()))
    except Unavailable as error:
        _fail(error, EXIT_LATER)
    except RequestError as error:
        _fail(error, EXIT_REFUSED)
    except ConfigurationError as error:
        _fail(error)
    if as_json:
        typer.echo(json.dumps(accounts, indent=2))
        return
    for account in accounts:
        typer.echo(say(account))


Url = Annotated[str, typer.Option(help="Where the server is; for a mounted hub with the router's prefix.")]
HERE = "http://localhost:8000"


@app.command(
    epilog="Example:  HUBBUB_KEY=hb_... hubbub send general 'The backup is done' --url https://chat.example.com"
)
def send(
    room: Annotated[str, typer.Argument(help="The room's key.")],
    text: Annotated[str, typer.Argument(help="What to say; `-` reads it from standard input.")],
    url: Url = HERE,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Send a message into a room of a running server, as the application. HUBBUB_KEY holds an API key.

    Exits with 0 when the message is stored, with 1 if the server refuses it, with 2 for a wrong use, and with 3 if the
    server cannot be reached or cannot do it now.
    """
    content = sys.stdin.read().rstrip("\n") if text == "-" else text
    sent = _remotely(url, lambda remote: remote.rooms(room).send_sync(content))
    stored = {name: value for name, value in asdict(sent).items() if value is not None}
    typer.echo(json.dumps(stored) if as_json else f"Sent to {sent.room}.")


@app.command(epilog="Example:  HUBBUB_KEY=hb_... hubbub notify backups.db 'The backup failed' --level error")
def notify(
    topic: Annotated[str, typer.Argument(help="The topic.")],
    title: Annotated[str, typer.Argument(help="The notification's heading.")],
    message: Annotated[str, typer.Argument(help="Its text; `-` reads it from standard input.")] = "",
    *,
    level: Annotated[Level, typer.Option(help="How important it is.")] = "info",
    url: Url = HERE,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Publish a notification at a running server, as the application. HUBBUB_KEY holds an API key.

    Exits as `hubbub send` does.
    """
    content = sys.stdin.read().rstrip("\n") if message == "-" else message
    sent = _remotely(url, lambda remote: remote.topics(topic).publish_sync(title, content, level=level))
    connections = "1 connection" if sent == 1 else f"{sent} connections"
    typer.echo(json.dumps({"sent": sent}) if as_json else f"Sent to {connections}.")


def _remotely(url: str, work: Callable[[Remote], T]) -> T:
    """Do something at a running server, or exit with one sentence that says why it can't be done."""
    from hubbub.client.remote import Remote

    try:
        key = os.environ.get("HUBBUB_KEY")
        if not key:
            raise ConfigurationError("HUBBUB_KEY must hold an API key: on the server, `hubbub key add` makes one")
        return work(Remote(url, key))
    except ConfigurationError as error:
        _fail(error)
    except (Unavailable, RateLimited) as error:
        _fail(error, EXIT_LATER)
    except RequestError as error:
        _fail(error, EXIT_REFUSED)


@app.command("version")
def show_version() -> None:
    """Print the version."""
    typer.echo(version("hubbub"))


def _fail(error: Exception | str, status: int = EXIT_CONFIGURATION) -> NoReturn:
    typer.echo(f"hubbub: {error}", err=True)
    raise typer.Exit(status)


def main() -> None:
    app()


if __name__ == "__main__":
    main()
