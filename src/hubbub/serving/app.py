"""Our own server: an application that mounts a hub, made from the same public parts as anybody else's."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIWebSocketRoute
from starlette.routing import WebSocketRoute

from hubbub.app.hubbub import Hubbub
from hubbub.app.settings_sources import load_settings
from hubbub.app.wiring import stores_something
from hubbub.errors import ConfigurationError
from hubbub.http.admission import HiddenCredentials
from hubbub.http.hosts import AllowedHosts, HostNames
from hubbub.http.page import say_nothing_is_here
from hubbub.settings import Settings

DATA_DIR = Path("hubbub-data")


def for_own_server(settings: Settings) -> Settings:
    """The same settings, with the directory in which our own server keeps its files if none is named."""
    return settings if settings.data_dir is not None else settings.model_copy(update={"data_dir": DATA_DIR})


def create_app(settings: Settings | None = None) -> FastAPI:
    """The whole server as an ASGI application; its hub is `app.state.hub`.

    For `uvicorn --factory hubbub.serving:create_app`. `hubbub serve` adds what an application cannot do for itself: the
    protocol classes, a staged shutdown, and the choice of a port.
    """
    settings = for_own_server(settings or load_settings())
    accounts = settings.accounts and stores_something(settings)
    if settings.guests == "off" and not accounts and settings.secret is None and settings.token_keys is None:
        raise ConfigurationError(
            "guests is `off`, and this server has no accounts: nobody could get in. With HUBBUB_SECRET or "
            "HUBBUB_TOKEN_KEYS it takes tokens (see docs/security.md)"
        )
    if settings.oidc_issuer is not None and not accounts:
        raise ConfigurationError("oidc_issuer: who logs in there gets an account here, but this server has no accounts")
    hub = Hubbub(accounts=accounts, guests=settings.guests, settings=settings)
    app = FastAPI(
        title="Hubbub", version=version("hubbub"), description="A real-time chat server.", lifespan=hub.lifespan
    )
    # If the server listens on a name, the operator has given it that name.
    app.add_middleware(AllowedHosts, names=HostNames([*settings.allowed_hosts, settings.host or "localhost"]))
    app.add_middleware(HiddenCredentials)
    # As `include_router` does, but FastAPI would look for the route of each request twice then, and slowly: with our
    # hundred routes, that took half of a small request's time.
    app.router.routes += hub.router.routes
    app.router.routes[:0] = _without_dependencies(hub.router)
    app.add_exception_handler(404, say_nothing_is_here)
    app.state.hub = hub
    return app


def _without_dependencies(router: APIRouter) -> list[WebSocketRoute]:
    """The router's WebSocket addresses as routes without FastAPI's dependencies, which would take a fifth of a
    connect's time.

    Only for an application without a login, to which nobody adds dependencies.
    """
    sockets = [route for route in router.routes if isinstance(route, APIWebSocketRoute)]
    assert not any(route.dependencies for route in sockets)
    return [WebSocketRoute(route.path, route.endpoint, name=route.name) for route in sockets]
