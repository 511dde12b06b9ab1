"""Mails that lead to a new password. It knows no HTTP.

Who asks is answered before anything is looked up, so neither the words nor the time tell which accounts there are. Only
an address whose owner has confirmed it counts: anybody can write any address into a profile.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from hubbub.accounts.accounts import Account, account_of_login, accounts_of_email, confirm_email
from hubbub.accounts.seals import seal, unseal
from hubbub.errors import Conflict, Forbidden, RateLimited
from hubbub.features.accounts.administration import Administration
from hubbub.features.mail.smtp import MailServer
from hubbub.features.people.feature import PeopleFeature
from hubbub.limits import network_of
from hubbub.shared_limits.base import SharedLimits
from hubbub.shared_limits.hourly import Hourly
from hubbub.store.base import Transaction
from hubbub.store.database import Database
from hubbub.store.threads import call_in_thread
from hubbub.wire.keys import fold, is_key

log = logging.getLogger("hubbub")

MOST_WAITING = 100
"""Mails that wait for their turn."""
OF_NETWORK, OF_ACCOUNT = 20, 5
"""How often one network may ask for a mail in an hour, and how often anybody may for one account."""
CONFIRMED_WITHIN = 24 * 3600
PURPOSE = "email"

RESET = """Somebody, probably you, has asked for a new password for the account {key} at {page}/

Open this link to choose one. It works once, within a day:

{link}

If that was not you, do nothing: your password stays as it is.
"""
CONFIRM = """The account {key} at {page}/ has this e-mail address in its profile.

Open this link if the account is yours. Then a link for a new password can be sent here:

{link}

Otherwise do nothing.
"""


class Resets:
    """Use it in one event loop, between `start` and `stop`."""

    def __init__(
        self,
        server: MailServer,
        database: Database,
        administration: Administration,
        people: PeopleFeature,
        *,
        limits: SharedLimits,
        page: str,
    ) -> None:
        self._server = server
        self._database = database
        self._administration = administration
        self._people = people
        self._limits = limits
        self._page = page
        self._waiting: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue(MOST_WAITING)
        self._sending: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._sending = asyncio.create_task(self._send_all())

    async def stop(self) -> None:
        """What waits is not sent any more: people ask again."""
        if self._sending is not None:
            self._sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sending

    async def ask(self, account: str, *, address: str) -> None:
        """Send a link for a new password to the account with this username or e-mail address, if there is one that has
        confirmed its address. Raises `RateLimited`."""
        await self._take(address, fold(account))
        self._put(partial(self._send_resets, account))

    async def ask_to_confirm(self, account: Account, *, address: str) -> None:
        """Send a link with which the account's owner confirms its e-mail address. Raises `Conflict` if there is nothing
        to confirm, `RateLimited`."""
        if account.email is None or account.has_confirmed_email:
            raise Conflict("there is no e-mail address to confirm")
        await self._take(address, account.email.lower())
        token = seal(
            self._people.signing, PURPOSE, {"key": account.key, "email": account.email}, lifetime=CONFIRMED_WITHIN
        )
        self._put(partial(self._send, account, account.email, "Confirm your address", CONFIRM, f"confirm/{token}"))

    async def confirm(self, token: str) -> None:
        """Raises `Forbidden` if the link is not valid any more, or never was; `NotFound`."""
        fields = unseal(self._people.signing, PURPOSE, token)
        if fields is None:
            raise Forbidden("this link is not valid any more; ask for a new one")
        key, email = fields["key"], fields["email"]
        await self._database.transact(lambda transaction: confirm_email(transaction, key, email))

    async def _send_resets(self, asked: str) -> None:
        def find(transaction: Transaction) -> list[Account]:
            of_login = account_of_login(transaction, asked) if is_key(asked) else None
            return [of_login] if of_login is not None else accounts_of_email(transaction, asked)

        for account in await self._database.read(find, never_deferred=True):
            # Who logs in at a provider has no password, and gets none behind its back.
            if account.deactivated is None and account.password and account.has_confirmed_email and account.email:
                reset = await self._administration.make_reset(account.key, by=account.key)
                await self._send(account, account.email, "A new password", RESET, f"reset/{reset.token}")

    async def _send(self, account: Account, to: str, subject: str, text: str, link: str) -> None:
        body = text.format(key=account.key, page=self._page, link=f"{self._page}/#/{link}")
        mail = self._server.mail(to, subject, body)
        await call_in_thread(partial(self._server.send, mail), name="hubbub-mail")

    async def _send_all(self) -> None:
        while True:
            send = await self._waiting.get()
            try:
                await send()
            except Exception as error:  # noqa: BLE001 - below
                # Python's own parser of addresses raises almost anything, and one mail must not keep back all others.
                # A mail server's words may repeat the address.
                log.warning("a mail could not be sent by %s: %s", self._server.host, type(error).__name__)

    def _put(self, send: Callable[[], Awaitable[None]]) -> None:
        try:
            self._waiting.put_nowait(send)
        except asyncio.QueueFull:
            raise RateLimited("too many mails wait; try again later", retry_after=60_000) from None

    async def _take(self, address: str, account: str) -> None:
        for name, number in ((f"mails from {network_of(address)}", OF_NETWORK), (f"mails to {account}", OF_ACCOUNT)):
            await Hourly(name, number).take(self._limits, "too many mails; try again later")
