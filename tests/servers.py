"""Real processes for the tests: started on a free port, ready when they answer, ended by their process id.

Nothing here waits for a fixed time: a process is ready when it answers, and a deadline only limits the wait.
"""

import http.client
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, LiteralString, Self
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import redis
from psycopg import sql

from tests import warm
from tests.ports import free_port
from tests.warm import WarmProcess

REPOSITORY = Path(__file__).resolve().parent.parent

START_DEADLINE = 120.0
STOP_DEADLINE = 60.0
POLL_INTERVAL = 0.02


class MissingError(Exception):
    """Something that a test needs is not on this machine. The message says what it is and how to get it."""


def accepts_connections(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


class Process(ABC):
    """A program under test. It can be started again after it has ended, with the same port and folder."""

    def __init__(self, folder: Path, command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.command = list(command)
        self.environment = {**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})}
        self.log_file = folder / f"{Path(self.command[0]).name}-{uuid4().hex[:8]}.log"
        self.user: str | None = None
        self.pass_fds: Sequence[int] = ()
        self._process: subprocess.Popen[bytes] | WarmProcess | None = None

    @abstractmethod
    def is_ready(self) -> bool: ...

    @property
    def pid(self) -> int:
        assert self._process is not None, "start() comes first"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def start(self) -> Self:
        """Returns when the program answers. Raises AssertionError with its log if it ends first or is too slow."""
        with self.log_file.open("ab") as log:
            self._process = self._start(log)
        deadline = time.monotonic() + START_DEADLINE
        while not self.is_ready():
            if not self.running:
                raise AssertionError(f"{self.command} ended with status {self.wait()}:\n{self.log}")
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"{self.command} did not answer within {START_DEADLINE} s:\n{self.log}")
            time.sleep(POLL_INTERVAL)
        return self

    def _start(self, log: BinaryIO) -> subprocess.Popen[bytes] | WarmProcess:
        if not self.user and not self.pass_fds and warm.can_start(self.command, self.environment):
            return warm.start(self.command, cwd=self.folder, env=self.environment, log=log.fileno())
        return subprocess.Popen(
            self.command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            user=self.user,
            extra_groups=[] if self.user else None,
            pass_fds=self.pass_fds,
        )

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "start() comes first"
        self._process.send_signal(number)

    def wait(self, timeout: float = STOP_DEADLINE) -> int:
        """Waits for the end and gives the exit status; raises subprocess.TimeoutExpired."""
        assert self._process is not None, "start() comes first"
        return self._process.wait(timeout)

    def stop(self, timeout: float = STOP_DEADLINE) -> int:
        """Asks it to end (SIGTERM) and gives the exit status; raises AssertionError if it stays."""
        if self.running:
            self.signal(signal.SIGTERM)
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.command} did not stop within {timeout} s:\n{self.log}") from None

    def kill(self) -> int:
        if self.running:
            self.signal(signal.SIGKILL)
        return self.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.running:
            self.stop()


class WebServer(Process):
    """A server that answers HTTP, by default on a free port of the loopback."""

    def __init__(
        self,
        folder: Path,
        command: Sequence[str],
        *,
        port: int,
        ready_path: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(folder, command, environment=environment)
        self.port = port
        self.ready_path = ready_path
        self.may_log_tracebacks = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", self.ready_path)
            # Any answer below 500 counts: a host app under test may not have this path.
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def check_log(self) -> None:
        assert self.may_log_tracebacks or "Traceback (most recent call last)" not in self.log, self.log


class Program(Process):
    """A program that answers nobody: `start` returns at once."""

    def is_ready(self) -> bool:
        return True

    def run(self) -> tuple[int, str]:
        """Its exit status and what it wrote."""
        self.start()
        return self.wait(), self.log


def hubbub_command(folder: Path, *words: str, environment: Mapping[str, str] | None = None) -> Program:
    """`hubbub …`, in `folder`."""
    return Program(folder, [sys.executable, "-m", "hubbub.cli", *words], environment=environment)


def watched(server: WebServer) -> Iterator[WebServer]:
    """A server while a fixture lasts, which `yield from`s this. At the end there must be no traceback in its log."""
    with server:
        yield server
    server.check_log()


def hubbub_server(folder: Path, *options: str, environment: Mapping[str, str] | None = None) -> WebServer:
    """`hubbub serve`, with its data in `folder`."""
    port = free_port()
    command = [sys.executable, "-m", "hubbub.cli", "serve", "--port", str(port), *options]
    return WebServer(folder, command, port=port, ready_path="/health/live", environment=environment)


def impatient_server(folder: Path, environment: Mapping[str, str]) -> WebServer:
    """The same, but its stop waits less for what hangs: see `tests/impatient.py`."""
    server = hubbub_server(folder, environment={"PYTHONPATH": str(REPOSITORY), **environment})
    server.command[2] = "tests.impatient"
    return server


def patient_server(folder: Path, environment: Mapping[str, str]) -> WebServer:
    """The same, but it waits longer for Redis and for other nodes: see `tests/patient.py`."""
    server = hubbub_server(folder, environment={"PYTHONPATH": str(REPOSITORY), **environment})
    server.command[2] = "tests.patient"
    return server


def uvicorn_server(
    folder: Path, app: str, *options: str, ws: str = "websockets-sansio", environment: Mapping[str, str] | None = None
) -> WebServer:
    """`uvicorn module:app`, with modules found from the top of the checkout.

    `ws` is a name that uvicorn knows (`websockets-sansio`, `wsproto`) or `module:class`.
    """
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--ws", ws, "--app-dir", str(REPOSITORY)]
    return WebServer(folder, [*command, *options], port=port, ready_path="/", environment=environment)


class Nginx(WebServer):
    """nginx, with a configuration for what stands in `http { … }`."""

    def __init__(self, folder: Path, http: str, *, port: int) -> None:
        program = find_program("nginx", "/usr/sbin/nginx", package="nginx-light")
        file = folder / "nginx.conf"
        places = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = "".join(f"{place}_temp_path {folder}/nginx-{place};\n" for place in places)
        user = "user root;" if os.getuid() == 0 else ""
        file.write_text(
            f"{user} daemon off; worker_processes 2; pid {folder}/nginx.pid; error_log stderr warn;\n"
            f"events {{ worker_connections 1000; }}\nhttp {{\naccess_log off;\n{paths}{http}}}\n"
        )
        command = [program, "-e", "stderr", "-p", str(folder), "-c", str(file)]
        super().__init__(folder, command, port=port, ready_path="/health/live")


class Redis(Process):
    """A redis-server that stores nothing on disk. `options` are those of its command line.

    The environment variable REDIS_SERVER names another program, such as a newer Redis or a valkey-server.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        options = ("--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no", *options)
        program = os.environ.get("REDIS_SERVER") or find_program("redis-server", package="redis-server")
        super().__init__(folder, [program, *options])

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def ask(self, *words: str | int) -> Any:
        """Its answer to a command."""
        with redis.Redis.from_url(self.url) as client:
            return client.execute_command(*words)

    def empty(self) -> None:
        self.ask("FLUSHALL")


class Postgres(Process):
    """A PostgreSQL cluster of its own. Without fsync: tests end processes, not machines."""

    def __init__(self, *, standby_of: Self | None = None, **settings: str) -> None:
        # Not in pytest's folder, which only its owner may enter: PostgreSQL refuses to run as root.
        folder = Path(tempfile.mkdtemp(prefix="hubbub-postgres-"))
        programs = find_postgres_programs()
        self.port = free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(folder),
            "fsync": "off",
            "full_page_writes": "off",
            "max_connections": "200",
            **settings,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        super().__init__(folder, [str(programs / "postgres"), "-D", str(folder / "data"), *options])
        if os.getuid() == 0:
            self.user = unprivileged_user()
            shutil.chown(folder, self.user)
        make: list[str | Path] = [programs / "initdb", "-U", "hubbub", "-A", "trust", "-E", "UTF8"]
        if standby_of is not None:
            make = [
                programs / "pg_basebackup",
                "-d",
                standby_of.url_of("postgres"),
                "--write-recovery-conf",
                "-c",
                "fast",
            ]
        subprocess.run(
            [*make, "-D", folder / "data", "--no-sync"],
            user=self.user,
            extra_groups=[] if self.user else None,
            cwd=folder,
            capture_output=True,
            check=True,
            timeout=120,
        )

    def url_of(self, database: str) -> str:
        return f"postgresql://hubbub@127.0.0.1:{self.port}/{database}"

    def is_ready(self) -> bool:
        try:
            psycopg.connect(self.url_of("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def wait_for(self, primary: Self) -> None:
        """Returns when this standby has all that is in its primary."""
        with psycopg.connect(primary.url_of("postgres")) as connection:
            (position,) = connection.execute("SELECT pg_current_wal_flush_lsn()").fetchone() or (None,)
        deadline = time.monotonic() + START_DEADLINE
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
            query = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
            while connection.execute(query, (position,)).fetchone() != (True,):
                assert time.monotonic() < deadline, "the standby does not follow"
                time.sleep(POLL_INTERVAL)

    def stop_following(self) -> None:
        """This standby gets nothing more of what its primary commits."""
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET primary_conninfo = ''")
            connection.execute("SELECT pg_reload_conf()")
            deadline = time.monotonic() + START_DEADLINE
            while connection.execute("SELECT count(*) FROM pg_stat_wal_receiver").fetchone() != (0,):
                assert time.monotonic() < deadline, "the standby still follows"
                time.sleep(POLL_INTERVAL)

    def take_over(self) -> None:
        """This standby becomes a server that writes."""
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
            connection.execute("SELECT pg_promote()")

    def create_database(self) -> str:
        """Gives the address of a new, empty database."""
        name = f"test_{uuid4().hex}"
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url_of(name)

    def drop_database(self, url: str) -> None:
        name = url.rpartition("/")[2]
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def stop(self, timeout: float = STOP_DEADLINE) -> int:
        # SIGTERM would wait until every client has disconnected.
        if self.running:
            self.signal(signal.SIGINT)
        return super().stop(timeout)

    def remove(self) -> None:
        """Ends it and deletes its folder."""
        self.stop()
        shutil.rmtree(self.folder)


class PgBouncer(Process):
    """A pooler before a PostgreSQL, in transaction mode: each transaction gets another connection if it can."""

    def __init__(self, postgres_port: int, *, roles: Sequence[str] = ("hubbub",), **settings: str) -> None:
        program = find_program("pgbouncer", "/usr/sbin/pgbouncer", package="pgbouncer")
        # Not in pytest's folder: it refuses to run as root, too.
        folder = Path(tempfile.mkdtemp(prefix="hubbub-pgbouncer-"))
        self.port = free_port()
        self._settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(self.port),
            "unix_socket_dir": "",
            "auth_type": "trust",
            "auth_file": str(folder / "users.txt"),
            "admin_users": "hubbub",
            "pool_mode": "transaction",
            "default_pool_size": "5",
            "server_round_robin": "1",
            "server_login_retry": "0.1",
            **settings,
        }
        (folder / "users.txt").write_text("".join(f'"{role}" ""\n' for role in roles))
        super().__init__(folder, [program, str(folder / "pgbouncer.ini")])
        self._lead_to(postgres_port)
        if os.getuid() == 0:
            self.user = unprivileged_user()
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, self.user)

    def before(self, url: str) -> str:
        """The address of the same database, by way of this pooler."""
        parts = urlsplit(url)
        return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{self.port}")))

    def lead_to(self, postgres_port: int) -> None:
        """Lead to another server from now on. Clients stay connected."""
        self._lead_to(postgres_port)
        self.ask("RELOAD")
        self.ask("RECONNECT")

    def _lead_to(self, postgres_port: int) -> None:
        settings = "\n".join(f"{name} = {value}" for name, value in self._settings.items())
        text = f"[databases]\n* = host=127.0.0.1 port={postgres_port}\n[pgbouncer]\n{settings}\n"
        (self.folder / "pgbouncer.ini").write_text(text)

    def ask(self, command: LiteralString) -> None:
        """A command of its console, such as PAUSE."""
        with psycopg.connect(f"postgresql://hubbub@127.0.0.1:{self.port}/pgbouncer", autocommit=True) as console:
            psycopg.ClientCursor(console).execute(command)

    def is_ready(self) -> bool:
        return accepts_connections(self.port)

    def remove(self) -> None:
        """Ends it and deletes its folder."""
        self.stop()
        shutil.rmtree(self.folder)


def find_program(*names: str, package: str) -> str:
    for name in names:
        if path := shutil.which(name):
            return path
    raise MissingError(f"{names[0]} is not installed: apt install {package}")


def find_postgres_programs() -> Path:
    """The folder with initdb and postgres; on Debian it is not on the PATH."""
    if initdb := shutil.which("initdb"):
        return Path(initdb).resolve().parent
    installed = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(installed, key=lambda path: int(path.parts[-3]), default=None)
    if newest is None:
        raise MissingError("PostgreSQL is not installed: apt install postgresql")
    return newest.parent


def unprivileged_user() -> str:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise MissingError("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody.")
