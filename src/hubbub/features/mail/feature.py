"""The feature of mails. It does nothing unless a mail server is configured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubbub.errors import ConfigurationError
from hubbub.features.accounts.feature import AccountsFeature
from hubbub.features.feature import Feature
from hubbub.features.mail.resets import Resets
from hubbub.features.mail.smtp import mail_server
from hubbub.features.people.feature import PeopleFeature

if TYPE_CHECKING:
    from fastapi import APIRouter


class MailFeature(Feature):
    def __init__(self, accounts: AccountsFeature) -> None:
        self.accounts = accounts
        self.resets: Resets | None = None
        """None if no mail server is configured."""

    async def start(self) -> None:
        settings, services = self.services.settings, self.services
        self.resets = None
        if settings.smtp_url is None:
            return
        if settings.mail_from is None or settings.public_url is None:
            raise ConfigurationError(
                "smtp_url: it needs HUBBUB_MAIL_FROM, the sender's address, and HUBBUB_PUBLIC_URL, with which links in "
                "mails begin"
            )
        assert services.database is not None  # accounts need one
        self.resets = Resets(
            mail_server(settings.smtp_url.get_secret_value(), settings.mail_from),
            services.database,
            self.accounts.administration,
            services.feature(PeopleFeature),
            limits=services.limits,
            page=settings.public_url,
        )
        self.resets.start()

    async def stop(self) -> None:
        if self.resets is not None:
            await self.resets.stop()
            self.resets = None

    def routes(self, router: APIRouter, hub: Any) -> None:
        from hubbub.features.mail.routes import add_routes

        add_routes(router, hub, self)
