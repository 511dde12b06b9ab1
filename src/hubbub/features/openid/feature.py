"""The feature of log-in by OpenID Connect. It does nothing, and imports nothing, unless a provider is configured."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hubbub.accounts.identities import SCRIPTS
from hubbub.accounts.openid import Provider
from hubbub.errors import ConfigurationError
from hubbub.features.access.feature import AccessFeature
from hubbub.features.accounts.feature import AccountsFeature
from hubbub.features.bans.feature import BansFeature
from hubbub.features.feature import Feature, Services
from hubbub.features.openid.log_ins import OpenIdLogIns
from hubbub.features.people.feature import PeopleFeature
from hubbub.settings import Settings

if TYPE_CHECKING:
    from fastapi import APIRouter

CALLBACK = "/api/v1/oidc/callback"


class OpenIdFeature(Feature):
    name = "hubbub.openid"
    scripts = SCRIPTS

    def __init__(self, accounts: AccountsFeature) -> None:
        self._accounts = accounts
        self.log_ins: OpenIdLogIns | None = None
        """None if no provider is configured."""
        self.provider_name: str | None = None
        """For people."""
        self.page = ""
        """The page's address, without a slash at its end."""

    def open(self, services: Services) -> None:
        super().open(services)
        settings = services.settings
        self.log_ins, self.provider_name, self.page = None, None, settings.public_url or ""
        provider = _provider(settings)
        if provider is None:
            return
        assert services.database is not None  # accounts need one
        self.provider_name = settings.oidc_name or urlsplit(settings.oidc_issuer or "").hostname
        self.log_ins = OpenIdLogIns(
            provider,
            services.database,
            self._accounts,
            services.feature(PeopleFeature),
            services.feature(AccessFeature).changes,
            limits=services.limits,
            current=services.current,
            bans=services.feature(BansFeature).bans,
            everybody_may=settings.oidc_sign_up,
        )

    def routes(self, router: APIRouter, hub: Any) -> None:
        from hubbub.features.openid.routes import add_routes

        add_routes(router, hub, self)


def _provider(settings: Settings) -> Provider | None:
    if settings.oidc_issuer is None:
        if settings.oidc_client_id is not None or settings.oidc_client_secret is not None:
            raise ConfigurationError("oidc_client_id: it needs HUBBUB_OIDC_ISSUER, the provider's address")
        return None
    if settings.oidc_client_id is None:
        raise ConfigurationError(
            "oidc_issuer: it needs HUBBUB_OIDC_CLIENT_ID, which the provider gives when you register this server there"
        )
    if settings.public_url is None:
        raise ConfigurationError(
            "oidc_issuer: it needs HUBBUB_PUBLIC_URL, the address at which people open the page, since the provider "
            f"sends them back there: register that address with {CALLBACK} at its end as the redirect URI"
        )
    secret = settings.oidc_client_secret
    return Provider(
        settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=secret.get_secret_value() if secret is not None else None,
        redirect=settings.public_url + CALLBACK,
        clock=time.monotonic,
    )
