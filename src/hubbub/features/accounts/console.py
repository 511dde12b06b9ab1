"""What the command line does with accounts: `hubbub user …`.

Where nodes share a database, the command writes to it by itself. With SQLite only one process may write, so a running
server does it: it listens on a local socket, and answers only its own user and root.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from hubbub import errors
from hubbub.accounts.access_changes import AccessChange
from hubbub.accounts.accounts import (
    Account,
    AccountChange,
    NewAccount,
    account_of_key,
    account_of_login,
    accounts_after,
    add_account,
    change_account,
)
from hubbub.accounts.audit import CONSOLE
from hubbub.accounts.revocations import Revocations
from hubbub.errors import ConfigurationError, NotFound, RequestError, Unavailable
from hubbub.store.base import Transaction
from hubbub.wire.base import timestamp_of
from hubbub.wire.identity import Role
from hubbub.wire.keys import fold

log = logging.getLogger("hubbub")

TIMEOUT = 15.0
_LONGEST_LINE = 1 << 22
_EVERYBODY = 1_000_000


class Order(BaseModel):
    """What to do. A password is its hash."""

    do: Literal["add", "list", "passwd", "deactivate", "activate"]
    username: str = ""
    name: str = ""
    role: Role = Role.MEMBER
    password: str = Field("", repr=False)


def perform(
    transaction: Transaction, order: Order, revocations: Revocations
) -> tuple[list[dict[str, Any]], AccessChange | None]:
    """Do it in a writer's transaction. Returns the accounts that it is about, and a change of access to tell when this
    is committed. Raises what refuses it."""
    if order.do == "list":
        return [_shown(account) for account in accounts_after(transaction, number=_EVERYBODY)], None
    if order.do == "add":
        new = NewAccount(order.username, order.name or order.username, order.password, order.role, by=CONSOLE)
        return [_shown(add_account(transaction, new))], None
    account = account_of_login(transaction, order.username)
    if account is None:
        raise NotFound(f"there is no account {order.username!r}: `hubbub user list` shows all")
    if order.do == "passwd":
        change = AccountChange(account.key, by=CONSOLE, password=order.password)
    else:
        change = AccountChange(account.key, by=CONSOLE, is_deactivated=order.do == "deactivate")
    change_account(transaction, change)
    revoked = None if order.do == "activate" else revocations.revoke_in(transaction, fold(account.key))
    return [_shown(account_of_key(transaction, account.key))], revoked


def _shown(account: Account) -> dict[str, Any]:
    return {
        "username": account.login,
        "key": account.key,
        "name": account.name,
        "role": account.role.value,
        "created": timestamp_of(account.created),
        "deactivated": timestamp_of(account.deactivated) if account.deactivated is not None else None,
    }


Do = Callable[[Order], Awaitable[list[dict[str, Any]]]]


class Console:
    """The socket of a running server: a line of JSON each way for each connection."""

    def __init__(self, data_dir: Path, do: Do) -> None:
        self._data_dir = data_dir
        self._do = do
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. If that cannot be, the log says so, and only the command line has to do without."""
        if sys.platform != "linux":
            return
        try:
            listener = _listening(_address(self._data_dir))
        except OSError as error:
            log.warning("`hubbub user` cannot reach this server: %s", error.strerror)
            return
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=1 << 16)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if _user_at_other_end(writer) not in {0, os.getuid()}:
                return
            async with asyncio.timeout(TIMEOUT):
                line = await reader.readline()
                answer: dict[str, Any]
                try:
                    answer = {"accounts": await self._do(Order.model_validate_json(line))}
                except RequestError as error:
                    answer = {"refused": error.code, "message": error.message}
                except ValidationError:
                    answer = {"refused": "invalid", "message": "the server has another version than this command"}
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (OSError, TimeoutError, ValueError):
            pass  # the command has gone away, or has sent no line
        except Exception:
            log.exception("an order of the command line failed")
        finally:
            writer.close()


async def ask(data_dir: Path, order: Order) -> list[dict[str, Any]]:
    """Let the running server do it. Raises what refuses it, `ConfigurationError` where that is not possible, and
    `Unavailable` if no server answers."""
    if sys.platform != "linux":
        raise ConfigurationError(f"a server uses {data_dir}: on this system, stop it first")
    try:
        async with asyncio.timeout(TIMEOUT):
            reader, writer = await asyncio.open_unix_connection(_address(data_dir), limit=_LONGEST_LINE)
            if _user_at_other_end(writer) not in {0, _owner(data_dir)}:
                raise PermissionError
            writer.write(order.model_dump_json().encode() + b"\n")
            answer = json.loads(await reader.readline())
            writer.close()
    except (OSError, TimeoutError, ValueError):
        raise Unavailable(
            f"a server uses {data_dir}, and does not answer: it may have no accounts (HUBBUB_ACCOUNTS), or be starting "
            "or stopping"
        ) from None
    if "refused" in answer:
        kinds = {kind.code: kind for kind in RequestError.__subclasses__() if kind.__module__ == errors.__name__}
        raise kinds.get(answer["refused"], errors.Internal)(answer["message"])
    found: list[dict[str, Any]] = answer["accounts"]
    return found


def _address(data_dir: Path) -> str:
    """A name that only Linux has (unix(7), "abstract sockets"). It is no file, so nobody meets it who copies the
    directory, and it is gone with the server."""
    found = data_dir.stat()
    return f"\0hubbub-console-{found.st_dev:x}-{found.st_ino:x}"


def _owner(data_dir: Path) -> int:
    return data_dir.stat().st_uid


def _listening(address: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def _user_at_other_end(stream: asyncio.StreamWriter) -> int:
    """The system's user whose process is at the other end. Anybody may use such an address, so each end checks."""
    size = struct.calcsize("3i")
    peer: bytes = stream.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return int(struct.unpack("3i", peer)[1])
