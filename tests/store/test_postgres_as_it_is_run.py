"""PostgreSQL as people run it: encrypted, with roles that have few rights, and at an address of several servers."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest
from psycopg import sql

from hubbub.accounts.signing_key import Secret, load_signing_keys
from hubbub.errors import ConfigurationError
from hubbub.store.feature_tables import Tables, bring_up_to_date
from hubbub.store.operations import upgrade
from hubbub.store.postgres import Postgres
from hubbub.wire.identity import User
from tests import servers
from tests.logbook import Logbook
from tests.ports import free_port
from tests.servers import MissingError, find_program
from tests.store.databases import Opener, run_sql

ALICE = User("alice", "Alice")
DOCS = Path(__file__).resolve().parents[2] / "docs"


# Encrypted.


class Certificates:
    """A certificate authority of the test's own, and a certificate for localhost."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.authority = self._make("authority", "/CN=A test's authority", "-x509")
        self._make("server", "/CN=localhost", "-x509", "-CA", "authority.crt", "-CAkey", "authority.key")
        self.other_authority = self._make("other", "/CN=Somebody else's authority", "-x509")

    def _make(self, name: str, subject: str, *options: str) -> Path:
        command = [
            find_program("openssl", package="openssl"),
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            subject,
            *options,
        ]
        files = ["-keyout", f"{name}.key", "-out", f"{name}.crt"]
        names = ["-addext", "subjectAltName=DNS:localhost"] if name == "server" else []
        subprocess.run([*command, *names, *files], cwd=self._folder, check=True, capture_output=True)
        return self._folder / f"{name}.crt"

    def give_to(self, cluster: servers.Postgres) -> None:
        for kind in ("crt", "key"):
            file = shutil.copy(self._folder / f"server.{kind}", cluster.folder / f"server.{kind}")
            Path(file).chmod(0o600)
            if cluster.user:
                shutil.chown(file, cluster.user)


@pytest.fixture
def certificates(tmp_path: Path, missing: Callable[[MissingError], NoReturn]) -> Certificates:
    try:
        return Certificates(tmp_path)
    except MissingError as error:
        missing(error)


@pytest.fixture
def encrypted(certificates: Certificates) -> Iterator[str]:
    """The address of a database that answers over TLS alone; by name, without options."""
    cluster = servers.Postgres(ssl="on", ssl_cert_file="../server.crt", ssl_key_file="../server.key")
    certificates.give_to(cluster)
    (cluster.folder / "data/pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 trust\n")
    cluster.start()
    yield cluster.create_database().replace("127.0.0.1", "localhost")
    cluster.remove()


async def test_a_server_whose_certificate_is_verified_in_full_is_used(
    encrypted: str, certificates: Certificates, open_database: Opener
) -> None:
    url = f"{encrypted}?sslmode=verify-full&sslrootcert={certificates.authority}"

    log = Logbook(await open_database(Postgres(url)))

    assert (await log.send(ALICE, "general", "hello")).seq == 1
    with psycopg.connect(url) as database:
        rows = database.execute(
            "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'hubbub'"
        ).fetchall()
    assert rows
    assert all(row == (True,) for row in rows)


@pytest.mark.parametrize("doubt", ["another authority", "another name"])
def test_a_server_that_is_in_doubt_is_refused_when_the_node_starts(
    encrypted: str, certificates: Certificates, doubt: str
) -> None:
    authority = certificates.other_authority if doubt == "another authority" else certificates.authority
    address = encrypted if doubt == "another authority" else encrypted.replace("localhost", "127.0.0.1")

    with pytest.raises(ConfigurationError, match=r"cannot be reached .*certificate"):
        Postgres(f"{address}?sslmode=verify-full&sslrootcert={authority}").prepare()


# Roles.


def statements_of_docs() -> str:
    """The SQL of docs/scaling.md that makes the two roles."""
    text = (DOCS / "scaling.md").read_text()
    (block,) = [block for block in text.split("```sql\n")[1:] if "CREATE ROLE" in block]
    return block.partition("```")[0]


class Roles:
    """Two roles as docs/scaling.md makes them, in a database of their own."""

    def __init__(self, admin: str) -> None:
        name = admin.rpartition("/")[2]
        self.owner, self.server = f"{name}_owner", f"{name}_server"
        text = statements_of_docs().replace("hubbub_owner", self.owner).replace("hubbub_server", self.server)
        with psycopg.connect(admin, autocommit=True) as database:
            database.execute(text.replace("DATABASE hubbub", f"DATABASE {name}").encode())
        self._admin = admin

    def address(self, role: str) -> str:
        return self._admin.replace("//hubbub@", f"//{role}@")

    def drop(self) -> None:
        with psycopg.connect(self._admin, autocommit=True) as database:
            for role in (self.owner, self.server):
                database.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(sql.Identifier(role)))
                database.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


@pytest.fixture
def roles(postgres: str) -> Iterator[Roles]:
    roles = Roles(postgres)
    yield roles
    roles.drop()


async def test_the_role_that_runs_nodes_can_do_all_they_do_and_cannot_make_a_table(
    roles: Roles, open_database: Opener
) -> None:
    upgrade(Postgres(roles.address(roles.owner)))
    database = await open_database(Postgres(roles.address(roles.server)))
    log = Logbook(database)

    sent = await log.send(ALICE, "general", "hello")
    await log.edit(ALICE, "general", sent.seq, "hello!")
    await log.react(ALICE, "general", sent.seq, "👍")
    await log.delete(ALICE, "general", sent.seq)
    await log.trim("general", sent.seq)
    await load_signing_keys(Secret(b"a secret of thirty-two characters"), data_dir=None, shared=database)

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await database.write(run_sql, "CREATE TABLE mine (number INTEGER)")


async def test_tables_of_features_are_made_by_the_owner_and_used_by_the_servers(
    roles: Roles, open_database: Opener
) -> None:
    tables = [Tables("notes", ["CREATE TABLE notes (text TEXT NOT NULL)"])]
    upgrade(Postgres(roles.address(roles.owner)))
    server = await open_database(Postgres(roles.address(roles.server)))
    with pytest.raises(ConfigurationError, match=r"notes.*permission denied"):
        await bring_up_to_date(server, tables)

    await bring_up_to_date(await open_database(Postgres(roles.address(roles.owner))), tables)

    await bring_up_to_date(server, tables)
    await server.write(run_sql, "INSERT INTO notes (text) VALUES ('hello')")


def test_a_schema_that_the_role_may_not_upgrade_is_an_error_that_says_who_may(roles: Roles) -> None:
    with pytest.raises(ConfigurationError, match=rf"role '{roles.server}' may not do .*`hubbub db upgrade`"):
        Postgres(roles.address(roles.server)).prepare()


def test_a_role_that_may_not_use_the_tables_is_an_error_that_says_what_it_needs(roles: Roles, postgres: str) -> None:
    upgrade(Postgres(roles.address(roles.owner)))
    with psycopg.connect(postgres) as database:
        database.execute(f"REVOKE UPDATE ON epochs FROM {roles.server}".encode())
    engine = Postgres(roles.address(roles.server))
    engine.prepare()

    with pytest.raises(ConfigurationError, match=r"may not use the database.*docs/scaling.md has the GRANTs"):
        engine.open_writer()


# Addresses.


async def test_of_several_servers_the_one_that_writes_is_used(
    postgres: str, postgres_server: servers.Postgres, open_database: Opener
) -> None:
    away = free_port()
    name = postgres.rpartition("/")[2]
    url = (
        f"postgresql://hubbub@127.0.0.1:{away},127.0.0.1:{postgres_server.port}/{name}?target_session_attrs=read-write"
    )
    engine = Postgres(url)

    log = Logbook(await open_database(engine))

    assert (await log.send(ALICE, "general", "hello")).seq == 1
    assert engine.place == f"PostgreSQL at 127.0.0.1:{away}, 127.0.0.1:{postgres_server.port}/{name}"


@pytest.mark.parametrize("url", ["postgresql://u:a-password@host:port/x", "postgresql://u:a-password@[::1/x"])
def test_an_address_that_is_none_is_an_error_without_the_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match="HUBBUB_DATABASE_URL") as refused:
        Postgres(url).prepare()

    assert "a-password" not in str(refused.value)
