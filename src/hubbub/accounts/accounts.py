"""Accounts: people with a password here. Each is a user (`users.py`) with a row more, under the user's id.

People log in with their username, which is unique by itself. The key is the username if that was free when the account
was made; it never changes. A guest who signs up keeps key and messages: the guest's row becomes the account's.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hubbub.accounts.audit import CONSOLE, audit
from hubbub.accounts.guests import MADE_KEYS_BEGIN, RESERVED
from hubbub.accounts.invitations import use_invitation
from hubbub.accounts.users import Person, claim, known_guests, made_key, owners_of_keys
from hubbub.errors import Conflict, Forbidden, Invalid, NotFound
from hubbub.store.base import Transaction
from hubbub.store.statement import Statement
from hubbub.wire.identity import Role, User
from hubbub.wire.keys import appearance, clean_name, fold, is_key

# No rows of these tables are ever deferred.
_Statement = partial(Statement, never_deferred=True)
_COLUMNS = (
    *("id", "key", "name", "login", "role", "color", "time_zone", "email", "created", "deactivated", "password"),
    "confirmed_email",
)
_SELECT = """
    SELECT users.id, users.key, users.name, accounts.login, accounts.role, users.color, accounts.time_zone,
        accounts.email, accounts.created, accounts.deactivated, accounts.password, accounts.confirmed_email
    FROM accounts JOIN users ON users.id = accounts.user_id
"""
_OF_LOGIN = _Statement(f"{_SELECT} WHERE accounts.login = :login", columns=_COLUMNS)
_OF_KEY = _Statement(f"{_SELECT} WHERE users.folded = :folded", columns=_COLUMNS)
_OF_EMAIL = _Statement(
    f"{_SELECT} WHERE lower(accounts.confirmed_email) = :email ORDER BY users.id LIMIT 5", columns=_COLUMNS
)
_AFTER = _Statement(
    f"""
    {_SELECT} WHERE users.folded {{by_bytes}} > :after
        AND (users.folded LIKE :pattern ESCAPE '!' OR lower(users.name) LIKE :pattern ESCAPE '!')
    ORDER BY users.folded {{by_bytes}} LIMIT :number
    """,
    columns=_COLUMNS,
)
_ADD = _Statement(
    """
    INSERT INTO accounts (user_id, login, password, role, created)
    VALUES (:user_id, :login, :password, :role, :created)
    """
)
_TAKE_OVER = _Statement("UPDATE users SET identity = '', name = :name WHERE id = :id")
_CHANGE = _Statement(
    """
    UPDATE accounts SET role = :role, time_zone = :time_zone, email = :email,
        deactivated = :deactivated, password = :password
    WHERE user_id = :id
    """
)
_CONFIRM = _Statement("UPDATE accounts SET confirmed_email = :email WHERE user_id = :id")
_END_RESET_LINKS = _Statement("DELETE FROM resets WHERE user_id = :id")
_SHOW = _Statement("UPDATE users SET name = :name, color = :color WHERE id = :id")
_ADMINS = _Statement(
    "SELECT count(*) AS number FROM accounts WHERE role = 'admin' AND deactivated IS NULL", columns=("number",)
)
# Nodes that share a database change accounts one after the other; the number is arbitrary. SQLite's writer is alone.
_LOCK_IN_POSTGRES = Statement("SELECT pg_advisory_xact_lock(1752523364)")


@dataclass(frozen=True, slots=True)
class Account:
    id: int
    key: str
    name: str
    login: str
    """The folded username."""
    role: Role
    color: str | None
    time_zone: str | None
    email: str | None
    created: int
    """Milliseconds since 1970."""
    deactivated: int | None
    """When it was, if it is."""
    password: str = field(repr=False)
    """Its hash; empty if it has none, since its owner logs in elsewhere."""
    confirmed_email: str | None = None
    """The address that its owner has shown to be theirs. It counts as long as `email` is the same."""

    @property
    def has_confirmed_email(self) -> bool:
        return self.email is not None and self.email == self.confirmed_email

    @property
    def user(self) -> User:
        return User(self.key, self.name, role=self.role, color=self.color)


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What somebody who signs up gives. All is checked but what needs the database."""

    username: str
    name: str
    password: str = field(repr=False)
    """Its hash; empty for none."""
    role: Role = Role.MEMBER
    by: str = ""
    """Who makes it; empty for the newcomer."""
    is_first: bool = False
    """Whether the newcomer sets the server up, and becomes its administrator."""
    invitation: str | None = field(default=None, repr=False)
    guest: User | None = None
    """The guest who signs up, proven by the secret."""


@dataclass(frozen=True, slots=True)
class AccountChange:
    """What to change; None leaves a value as it is, and an empty text removes it."""

    key: str
    by: str
    name: str | None = None
    color: str | None = None
    time_zone: str | None = None
    email: str | None = None
    role: Role | None = None
    is_deactivated: bool | None = None
    password: str | None = field(default=None, repr=False)
    """The new hash."""


def check_username(username: str) -> str:
    """`username`, unchanged. Raises `Invalid` if it cannot be one."""
    reason = None
    if not is_key(username) or ":" in username:
        reason = "1 to 64 of A-Z a-z 0-9 _ . @ | -, beginning with a letter or digit"
    elif fold(username) in RESERVED | {MADE_KEYS_BEGIN, CONSOLE}:
        reason = f"{username!r} is reserved"
    if reason is not None:
        raise _wrong("username", reason)
    return username


def check_name(name: str) -> str:
    """`name`, cleaned. Raises `Invalid` if it cannot be one."""
    try:
        cleaned = clean_name(name)
    except ValueError as error:
        raise _wrong("name", str(error)) from None
    if appearance(cleaned) in RESERVED:
        raise _wrong("name", f"{cleaned!r} is reserved")
    return cleaned


def _wrong(field: str, reason: str) -> Invalid:
    return Invalid(f"{field}: {reason}", errors=[{"loc": [field], "msg": reason, "type": "value"}])


# What is read.


def account_of_login(transaction: Transaction, username: str) -> Account | None:
    return _first(transaction.rows(_OF_LOGIN, login=fold(username)))


def account_of_key(transaction: Transaction, key: str) -> Account:
    """Raises `NotFound`."""
    account = _first(transaction.rows(_OF_KEY, folded=fold(key)))
    if account is None:
        raise NotFound(f"there is no account {key[:64]!r}")
    return account


def accounts_of_email(transaction: Transaction, email: str) -> list[Account]:
    """Those whose owner has confirmed the address, five at most."""
    return [_account(row) for row in transaction.rows(_OF_EMAIL, email=email.lower())]


def accounts_after(transaction: Transaction, *, after: str = "", q: str = "", number: int = 100) -> list[Account]:
    """Accounts in the order of their keys, of which `q` is a part of the key or the name."""
    pattern = q.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    rows = transaction.rows(_AFTER, after=fold(after), pattern=f"%{pattern}%", number=number)
    return [_account(row) for row in rows]


def has_administrator(transaction: Transaction) -> bool:
    """Whether somebody can administer the server. Until then it waits for its setup."""
    return bool(transaction.rows(_ADMINS)[0][0])


def _first(rows: Sequence[Sequence[Any]]) -> Account | None:
    return _account(rows[0]) if rows else None


def _account(row: Sequence[Any]) -> Account:
    id, key, name, login, role, *rest = row
    return Account(id, key, name, login, Role(role), *rest)


# What is written. Each is for a writer's transaction, and raises what refuses it.


def lock_accounts(transaction: Transaction) -> None:
    """Wait until no other node changes accounts. What is read of them after that stays so until the commit."""
    if not transaction.is_alone:
        transaction.rows(_LOCK_IN_POSTGRES)


def is_administrator(transaction: Transaction, key: str) -> bool:
    """Whether the account with this key is an administrator's. It stays so until the commit."""
    lock_accounts(transaction)
    account = _first(transaction.rows(_OF_KEY, folded=fold(key)))
    return account is not None and account.role is Role.ADMIN


def add_account(transaction: Transaction, new: NewAccount) -> Account:
    """Raises `Conflict` if the username is taken, or if the server has an administrator and `is_first` says it has
    none; `Forbidden` for an invitation that is not valid any more."""
    lock_accounts(transaction)
    if account_of_login(transaction, new.username) is not None:
        raise Conflict(f"the username {new.username!r} is taken; choose another")
    role = new.role
    if new.is_first:
        if has_administrator(transaction):
            raise Conflict("this server has an administrator already: log in, or ask for an invitation")
        role = Role.ADMIN
    elif new.invitation is not None:
        role = use_invitation(transaction, new.invitation)
    person = _row_of(transaction, new)
    transaction.run(
        _ADD, user_id=person.id, login=fold(new.username), password=new.password, role=role.value, created=_now()
    )
    audit(transaction, new.by or person.key, "account.add", person.key, role=role.value)
    return account_of_key(transaction, person.key)


def _row_of(transaction: Transaction, new: NewAccount) -> Person:
    """The user's row: the one that the guest has, or a new one."""
    if new.guest is not None:
        row = known_guests(transaction, [new.guest.identity]).get(new.guest.identity)
        if row is not None:
            transaction.run(_TAKE_OVER, id=row.id, name=new.name)
            return row
    wanted = new.guest.key if new.guest is not None else new.username
    while owners_of_keys(transaction, [fold(wanted)]):
        wanted = made_key(new.username)
    people, _ = claim(transaction, {(fold(wanted), ""): User(wanted, new.name)})
    return people[fold(wanted), ""]


def change_account(transaction: Transaction, change: AccountChange) -> Account:
    """Links to set a password end when it is set, and when the account is deactivated.

    Raises `NotFound`, and `Conflict` if nobody would be left to administer the server.
    """
    lock_accounts(transaction)
    account = account_of_key(transaction, change.key)
    role = account.role if change.role is None else change.role
    deactivated = account.deactivated
    if change.is_deactivated is not None and change.is_deactivated != (deactivated is not None):
        deactivated = _now() if change.is_deactivated else None
    transaction.run(
        _CHANGE,
        id=account.id,
        role=role.value,
        time_zone=_changed(account.time_zone, change.time_zone),
        email=_changed(account.email, change.email),
        deactivated=deactivated,
        password=account.password if change.password is None else change.password,
    )
    was_admin = account.role is Role.ADMIN and account.deactivated is None
    if was_admin and not has_administrator(transaction):
        raise Conflict("nobody would be left to administer this server: make somebody else an administrator first")
    if change.password is not None or deactivated is not None:
        transaction.run(_END_RESET_LINKS, id=account.id)
    name, color = change.name or account.name, _changed(account.color, change.color)
    if (name, color) != (account.name, account.color):
        transaction.run(_SHOW, id=account.id, name=name, color=color)
    if role is not account.role:
        audit(transaction, change.by, "account.role", account.key, role=role.value, was=account.role.value)
    if deactivated != account.deactivated:
        audit(transaction, change.by, "account.deactivate" if deactivated else "account.activate", account.key)
    if change.password is not None:
        audit(transaction, change.by, "account.password", account.key)
    return account_of_key(transaction, account.key)


def confirm_email(transaction: Transaction, key: str, email: str) -> None:
    """The account's owner reads the mail at this address. Raises `Forbidden` if it is not the account's any more."""
    lock_accounts(transaction)
    account = account_of_key(transaction, key)
    if account.email != email:
        raise Forbidden("this link is not valid any more; ask for a new one")
    transaction.run(_CONFIRM, id=account.id, email=email)
    audit(transaction, key, "account.email", key)


def _changed(value: str | None, wanted: str | None) -> str | None:
    return value if wanted is None else wanted or None


def _now() -> int:
    return time.time_ns() // 1_000_000
