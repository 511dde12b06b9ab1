"""All settings in one typed class.

Each may be given as an environment variable (`HUBBUB_` and the name in capitals), in a TOML file (`hubbub.toml` in
the working directory, or what `HUBBUB_CONFIG` names), or, for the most used ones, as an option of `hubbub serve`.
The first of these wins: option, environment, file, default. Durations are in seconds, sizes in bytes.

A feature of an application can have its own settings (`Feature.settings_model`). Administrators may change some of the
server's while it runs (`CurrentSettings`).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, IPvAnyNetwork, SecretStr
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from hubbub.origins import check_allowed_host, check_allowed_origin, check_public_url

DEFAULT_PORT = 8000
DEFAULT_FILE = "hubbub.toml"

NO_DIRECTORY = "names no directory; the current one is '.'"


def _check_directory(value: Any) -> Any:
    """An empty variable must not mean the current directory, as an empty path does."""
    if value == "":
        raise ValueError(NO_DIRECTORY)
    return value


def _check_file(value: Any) -> Any:
    if value == "":
        raise ValueError("names no file")
    return value


class Settings(BaseSettings):
    """What the person who runs the server decides. Lower layers never see this object, only the values they need."""

    model_config = SettingsConfigDict(env_prefix="HUBBUB_", extra="forbid", frozen=True)

    name: str = Field(
        "Hubbub", min_length=1, max_length=64, description="What the server is called, on its page and in its mails."
    )
    host: str | None = Field(None, description="Address to listen on; by default both loopbacks, 127.0.0.1 and ::1.")
    port: int | None = Field(
        None, ge=0, le=65535, description=f"Port to listen on; by default {DEFAULT_PORT}, or the next one that is free."
    )
    workers: int = Field(
        1, ge=1, le=256, description="Processes of `hubbub serve` on one port; more than one need `broker_url`."
    )
    tls_certificate: Annotated[Path, BeforeValidator(_check_file)] | None = Field(
        None,
        description="A PEM file: the server's certificate, then those of its authority. The server speaks HTTPS then, "
        "and nothing else.",
    )
    tls_key: Annotated[Path, BeforeValidator(_check_file)] | None = Field(
        None, description="A PEM file with the certificate's private key; by default it is in `tls_certificate`."
    )
    tls_key_password: SecretStr | None = Field(None, description="Of the key, if it is encrypted.")
    data_dir: Annotated[Path, BeforeValidator(_check_directory)] | None = Field(
        None, description="Where the server keeps its files; by default `./hubbub-data`, and none for a mounted hub."
    )
    database_url: SecretStr | None = Field(
        None,
        description="`postgresql://…`, or `none` to store nothing; by default SQLite in `data_dir`, if there is one.",
    )
    broker_url: SecretStr | None = Field(
        None,
        description="`redis://…`: through it nodes hear each other; several with commas. By default there is one node.",
    )
    broker_namespace: str = Field(
        "hubbub",
        pattern=r"^[A-Za-z0-9_.-]{1,64}$",
        description="Begins all names in Redis: two clusters on one server need two of them, or two database numbers.",
    )
    relay_rooms: list[str] = Field(
        [], description="Keys of rooms that store no messages; one that ends in `*` stands for all that begin so."
    )
    secret: SecretStr | None = Field(
        None,
        min_length=32,
        description="Signs what guests are given; at least 32 characters, the same on all nodes. By default one is "
        "kept in PostgreSQL, or in `data_dir`.",
    )
    previous_secret: SecretStr | None = Field(
        None, min_length=32, description="What `secret` was: what it has signed stays good, and nothing more is signed."
    )
    token_keys: str | None = Field(
        None,
        description="Public keys of another issuer whose tokens (JWT) are believed: a JWKS file, or its `https://` "
        "address. Needs `token_issuer` and `token_audience`.",
    )
    token_issuer: str | None = Field(None, description="What `iss` of those tokens must be.")
    token_audience: str | None = Field(None, description="What `aud` of those tokens must be, or contain.")
    token_in_address: Literal["auto", "on", "off"] = Field(
        "auto", description="Whether `?token=` is taken, which proxies log; `auto`: only from this machine itself."
    )
    guests: Literal["auto", "on", "off"] = Field(
        "auto", description="Whether people without an account get in; `auto`: only from this machine itself."
    )
    accounts: bool = Field(
        True, description="Whether `hubbub serve` has accounts, with which people log in; they need a database."
    )
    sign_up: Literal["open", "invited", "closed"] = Field(
        "invited", description="Who may make an account: everybody, who has an invitation, or nobody by themselves."
    )
    smtp_url: SecretStr | None = Field(
        None,
        description="Sends mails for forgotten passwords: `smtps://user:password@mail.example.com`, or `smtp://…` with "
        "STARTTLS. Needs `mail_from` and `public_url`.",
    )
    mail_from: str | None = Field(None, description="The sender of these mails, such as `chat@example.com`.")
    public_url: Annotated[str, AfterValidator(check_public_url)] | None = Field(
        None,
        description="Where people open the page, such as `https://chat.example.com`; with the prefix under which an "
        "application mounts the hub. Links that the server makes begin so.",
    )
    oidc_issuer: str | None = Field(
        None,
        description="Address of a log-in provider (OpenID Connect), `https://…`. Needs `oidc_client_id` and "
        "`public_url`.",
    )
    oidc_client_id: str | None = Field(None, description="What the provider calls this server.")
    oidc_client_secret: SecretStr | None = Field(
        None, min_length=1, description="What proves that; some providers give none."
    )
    oidc_name: str | None = Field(
        None, max_length=60, description="The provider's name on the page; by default the host of its address."
    )
    oidc_sign_up: bool = Field(
        False,
        description="Whether everybody whom the provider knows gets an account; otherwise `sign_up` says who does.",
    )
    sign_ups: int = Field(20, ge=1, le=10**9, description="Attempts to sign up from one network address, per hour.")
    log_in_attempts: int = Field(
        10,
        ge=1,
        le=10**9,
        description="Failed attempts to log in to one account from one network address, per hour; ten times as many "
        "to one account in all, and from one address in all.",
    )
    reports: int = Field(
        30,
        ge=1,
        le=10**9,
        description="Messages that one user may report, per hour; ten times as many from one network address.",
    )
    report_days: int = Field(
        365, ge=1, le=36_500, description="Days for which a report is kept after it was closed; open ones stay."
    )
    audit_days: int = Field(365, ge=1, le=36_500, description="Days for which the lines of the audit log are kept.")
    allowed_origins: list[Annotated[str, AfterValidator(check_allowed_origin)]] = Field(
        [], description="Origins of foreign pages that may connect, such as `https://app.example.com`."
    )
    allowed_hosts: list[Annotated[str, AfterValidator(check_allowed_host)]] = Field(
        [],
        description="Names by which `hubbub serve` may be asked for, such as `chat.example.com`, or `.example.com` for "
        "it and all names below; addresses and the machine's own names always may be used. `*`: any name.",
    )
    room_default: str = Field("general", description="The room of `/ws/chat`.")
    default_rooms: list[str] = Field(
        [], max_length=20, description="Public rooms that the page opens for somebody who comes for the first time."
    )
    compression: bool = Field(True, description="Offer permessage-deflate (RFC 7692) to clients.")
    frame_bytes: int = Field(64 * 1024, ge=1024, description="Largest frame that a client may send.")
    rate: float = Field(20.0, gt=0, le=1e9, description="Commands per second and connection, in the long run.")
    burst: int = Field(60, ge=1, le=10**9, description="Commands at once, per connection.")
    rate_per_user: float = Field(
        3.0,
        ge=1,
        le=1e6,
        description="How many times `rate` and `burst` one user has with one node, over all connections.",
    )
    violations: int = Field(
        50, ge=1, description="Commands that did not wait for `retry_after` before a connection is closed (1008)."
    )
    unanswered: int = Field(
        64, ge=1, description="Commands without an answer, per connection; then its reading pauses."
    )
    request_rate: float = Field(
        50.0,
        gt=0,
        description="Requests to publish, post, or read history and lists, per second and user (guests: address).",
    )
    request_burst: int = Field(200, ge=1, description="Such requests at once; a page of history counts by its size.")
    connections: int = Field(0, ge=0, description="Connections of this process; 0: as many as the system allows.")
    connections_per_address: int = Field(
        200, ge=0, le=10**9, description="Connections of one network address, on all nodes together; 0: no limit."
    )
    connections_per_user: int = Field(
        100, ge=0, le=10**9, description="Connections of one user, on all nodes together; 0: no limit."
    )
    connects_per_address: int = Field(
        600,
        ge=0,
        le=10**9,
        description="Handshakes of one network address with one node, per minute; no limit if it is 0, or "
        "`connections_per_address` is.",
    )
    trusted_proxies: list[IPvAnyNetwork] = Field(
        [],
        description="Addresses and networks of proxies whose `X-Forwarded-For` and `-Proto` are believed.",
    )
    rooms_per_connection: int = Field(200, ge=1, description="Rooms that one connection may be in.")
    rooms_per_user: int = Field(
        200, ge=1, le=10**9, description="Rooms that one user may own; archived ones do not count."
    )
    rooms_made: int = Field(60, ge=1, le=10**9, description="Rooms that one user may make per hour, direct ones too.")
    heartbeat: float = Field(25.0, gt=0, description="Between two pings; a client silent for two is closed (4408).")
    linger: float = Field(10.0, ge=0, description="How long one who vanished is online, and keeps the name.")
    head_timeout: float = Field(10.0, gt=0, description="For a request's head, and for a body that comes too slowly.")
    stall_timeout: float = Field(10.0, gt=0, description="For a client that takes nothing of what it was sent.")
    stall_patience: float = Field(60.0, gt=0, description="For a client that takes too little, in all.")
    close_timeout: float = Field(5.0, gt=0, description="For a client to answer a close frame.")
    drain_timeout: float = Field(20.0, ge=0, description="For all connections to be closed when the server stops.")
    database_timeout: float = Field(
        10.0, ge=1, description="For the database to answer; whoever waits longer is told `unavailable`."
    )
    broker_timeout: float = Field(
        3.0, gt=0, description="For the broker to answer; then the connection is made again, and rooms are checked."
    )
    hook_timeout: float = Field(
        10.0, gt=0, description="For a hook of the application to end, or its `membership` to answer."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is logged.")

    @property
    def scheme(self) -> str:
        """Of the server's own addresses."""
        return "http" if self.tls_certificate is None else "https"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # Tables hold the settings of features.
        ours = {name: value for name, value in read_file().items() if not isinstance(value, dict)}
        return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=ours)


AT_RUN_TIME = ("name", "sign_up", "guests", "default_rooms")
"""What administrators may change while the server runs, beside limits."""
LIMITS_AT_RUN_TIME = (
    "rate",
    "burst",
    "rate_per_user",
    "connections_per_address",
    "connections_per_user",
    "connects_per_address",
    "rooms_per_user",
    "rooms_made",
    "log_in_attempts",
    "sign_ups",
    "reports",
)


class CurrentSettings:
    """The settings as they are now: those of the start, with what administrators have changed since.

    `now` is replaced as a whole. So read it where a value is needed, and do not keep it.

    `fixed` names what the operator has given at the start. That wins over what administrators change: who closes the
    sign-up where the server is configured can rely on it, even if an administrator's account is stolen, and a restart
    with a variable gets a server back under control. A default gives way.
    """

    def __init__(self, start: Settings, *, fixed: Collection[str] | None = None) -> None:
        self.start = start
        self.fixed = frozenset(start.model_fields_set if fixed is None else fixed)
        self.changed: frozenset[str] = frozenset()
        """What differs from the start's by an administrator's change."""
        self.now = start

    def change(self, values: Mapping[str, Any]) -> None:
        """From now on, these values hold instead of the start's, and no other ones. They must be valid."""
        taken = {name: value for name, value in values.items() if name not in self.fixed}
        self.changed = frozenset(taken)
        self.now = self.start.model_copy(update=taken)


def read_file() -> dict[str, Any]:
    """The contents of the settings file; empty if there is none. Raises OSError, and ValueError if it is not TOML."""
    file = Path(os.environ.get("HUBBUB_CONFIG", DEFAULT_FILE))
    return tomllib.loads(file.read_text("utf-8")) if file.is_file() else {}
