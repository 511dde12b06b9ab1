"""What an application cannot do for itself: listen, and stop in stages.

uvicorn, told to stop, closes all sockets at once and only then runs the application's shutdown, without a deadline.
`HubbubServer` puts the drain of the application's hubs before that.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hubbub.app.hubbub import Hubbub
from hubbub.app.settings_sources import load_settings
from hubbub.errors import ConfigurationError, Unavailable
from hubbub.serving import systemd
from hubbub.serving.addresses import addresses_for_others, own_address
from hubbub.serving.http_protocol import HTTPProtocol
from hubbub.serving.lifeline import Lifeline
from hubbub.serving.listening import BACKLOG, inherit, listen
from hubbub.serving.predecessor import wait_for_predecessor
from hubbub.serving.sockets import SocketLimits
from hubbub.serving.stop_deadline import AT_ONCE, HUNG, StopDeadline
from hubbub.serving.tls import Certificate, https_protocol
from hubbub.serving.websocket_protocol import WebSocketProtocol
from hubbub.settings import Settings

log = logging.getLogger("hubbub")

STOPPING = 10.0
"""Seconds that a stop may take in addition to `drain_timeout` and `close_timeout`: for the last commit, and for the
application's own shutdown. A start that is told to stop has the same time."""
FIRST_REQUEST = 0.5
"""Seconds that a stop waits for the first requests of new connections."""
GARBAGE_AFTER = 10_000
"""After so many new objects, Python looks for cycles among them. With its default of 700, it would do so after a few
messages, when none of them is garbage yet."""


class HubbubServer(uvicorn.Server):
    """uvicorn with a staged stop: no new connections, then the application's hubs drain, then the rest.

    After a second signal it does not wait, unless there is a supervisor, which decides that through the lifeline.
    `on_ready` is called when the server answers. `deadline`, if given, is told of a stop: it ends the process if
    something hangs.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        on_ready: Callable[[], None] | None = None,
        deadline: StopDeadline | None = None,
        lifeline: Lifeline | None = None,
    ) -> None:
        super().__init__(config)
        self._is_supervised = lifeline is not None
        if lifeline is not None:
            lifeline.attach(self)
        self._on_ready = on_ready
        self._deadline = deadline
        self._draining: asyncio.Future[Any] | None = None
        self.hangs = False
        """Whether something did not end in the stop, and was left behind."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._captured_signals.append(sig)
        # The second one may come while the handler of the first one runs, before that has set `should_exit`.
        if (self.should_exit or len(self._captured_signals) > 1) and not self._is_supervised:
            self.hasten()
        else:
            self.stop()

    def stop(self) -> None:
        """Stop in stages. It may be called in a signal's handler and in any thread, and more than once."""
        if not self.should_exit:
            if self._deadline is not None:
                self._deadline.end_within(self._time_to_stop())
            self.should_exit = True

    def hasten(self) -> None:
        """Stop without waiting. It may be called where `stop` may."""
        if self._deadline is not None:
            self._deadline.end_within(AT_ONCE)
        self.should_exit = self.force_exit = True
        if self._draining is not None:
            # A signal's handler may run while the loop sleeps.
            self._draining.get_loop().call_soon_threadsafe(self._draining.cancel)

    def _time_to_stop(self) -> float:
        if not self.started:
            return STOPPING
        running = [hub.node for hub in self._hubs() if hub.problem() != "starting"]
        draining = max((node.settings.drain_timeout for node in running), default=0.0)
        return draining + (self.config.timeout_graceful_shutdown or 0) + STOPPING

    def _hubs(self) -> list[Hubbub]:
        # Each hub puts itself into the lifespan's state. There it can be found even if its application is wrapped in
        # another one.
        return [value for value in self.lifespan.state.values() if isinstance(value, Hubbub)]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self._deadline is not None:
            self._deadline.watch(asyncio.get_running_loop())
        await super().startup(sockets)
        # All objects of now live as long as the server. While connections came, the garbage collector went through them
        # again and again, which took an eighth of a connect's time.
        gc.collect()
        gc.freeze()
        if self.started and self._on_ready is not None:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        systemd.notify("STOPPING=1")
        for server in self.servers:
            server.close()
        hubs = self._hubs()
        if not self.force_exit:
            self._draining = asyncio.gather(*(hub.drain() for hub in hubs))
            with contextlib.suppress(asyncio.CancelledError):
                await self._draining
            await self._await_first_requests()
        await super().shutdown(sockets)
        self.hangs = any(hub.hangs for hub in hubs)
        # uvicorn would raise the signal again, and so end with a failure after a stop without one.
        self._captured_signals.clear()

    async def _await_first_requests(self) -> None:
        """A client that connected just before the stop gets an answer; uvicorn would close its connection instead."""
        for _ in range(20):
            connections = self.server_state.connections
            if self.force_exit or not any(isinstance(one, HTTPProtocol) and one.is_new for one in connections):
                return
            await asyncio.sleep(FIRST_REQUEST / 20)


def server_config(app: Any, settings: Settings, *, access_log: bool = True) -> uvicorn.Config:
    """uvicorn's configuration for an application with a hub in it; a host's own `uvicorn.run` may use it as well.

    Without `access_log`, uvicorn takes the handlers of the logger `uvicorn.access` away. Raises `ConfigurationError` if
    the certificate of the settings can't be used.
    """
    limits, certificate = SocketLimits.of(settings), Certificate.of(settings)
    http: type[HTTPProtocol]
    if certificate is not None:
        http = https_protocol(certificate, limits=limits)
    else:
        http = type("HTTPProtocol", (HTTPProtocol,), {"limits": limits})
    return uvicorn.Config(
        app,
        http=http,
        ws=WebSocketProtocol,
        loop="auto" if sys.platform != "win32" else "asyncio",
        lifespan="on",
        log_config=None,
        log_level=settings.log_level,
        access_log=access_log,
        server_header=False,
        # `HTTPProtocol` does that, with `trusted_proxies`.
        proxy_headers=False,
        backlog=BACKLOG,
        ws_max_size=settings.frame_bytes,
        ws_per_message_deflate=settings.compression,
        timeout_graceful_shutdown=max(1, round(settings.close_timeout)),
    )


def run(
    app: Any,
    *,
    settings: Settings | None = None,
    on_ready: Callable[[str], None] | None = None,
    access_log: bool = True,
    fd: Sequence[int] = (),
) -> None:
    """Serve an application with hubs in it until Ctrl-C or SIGTERM, and stop in stages; a second signal does not wait.
    Where something hangs, the process ends all the same: see docs/operations.md, "Stopping".

        if __name__ == "__main__":
            hubbub.run(app)

    Address and port are those of the settings (`HUBBUB_HOST`, `HUBBUB_PORT`), which are read from the environment and
    `hubbub.toml` if not given. `on_ready` is called with the address once the server answers, instead of logging it.
    `access_log` says whether each request by HTTP is logged, as `uvicorn.access`. `fd` are the file descriptors of
    listening sockets that another process hands over, instead of an address; systemd's are found without it. Raises
    `ConfigurationError` if the address can't be had or a hub can't start as configured, `Unavailable` if its database
    does not answer in time, `SystemExit` if the application does not start for another reason, or if something had to
    be left behind when it stopped.
    """
    settings = settings or load_settings(None)
    if settings.workers > 1:
        raise ConfigurationError(
            "hubbub.run(app) serves in one process, and `workers` is for `hubbub serve`: unset HUBBUB_WORKERS, and "
            "start the program as often as you need it"
        )
    configure_log(settings.log_level)
    if descriptors := fd or systemd.listening_descriptors():
        sockets = inherit(descriptors)
        wait_for_predecessor(settings, settings.drain_timeout + settings.close_timeout + 2 * STOPPING)
    else:
        sockets = listen(settings)
    host, port = sockets[0].getsockname()[:2]
    host = host if descriptors else settings.host
    announce = on_ready or partial(_announce, addresses_for_others(host, port, scheme=settings.scheme))

    def ready() -> None:
        announce(own_address(host, port, scheme=settings.scheme))
        systemd.notify("READY=1")

    serve_on(app, settings, sockets, on_ready=ready, access_log=access_log)


def serve_on(
    app: Any,
    settings: Settings,
    sockets: list[socket.socket],
    *,
    on_ready: Callable[[], None],
    access_log: bool,
    lifeline: Lifeline | None = None,
) -> None:
    """Serve an application on these sockets, as `run` does, until a signal or the lifeline says stop."""
    raise_file_limit()
    gc.set_threshold(GARBAGE_AFTER)
    started = _Started(app)
    config = server_config(started, settings, access_log=access_log)
    deadline = StopDeadline()
    server = HubbubServer(config, on_ready=on_ready, deadline=deadline, lifeline=lifeline)
    # uvicorn has just set this level by itself. We log starts and stops ourselves. For debugging, uvicorn's INFO names
    # the handshakes that an application's login refuses; its debug level would show frames.
    logging.getLogger("uvicorn.error").setLevel(logging.INFO if settings.log_level == "debug" else logging.WARNING)
    try:
        server.run(sockets)
    except KeyboardInterrupt:
        pass
    except SystemExit:
        if started.failure is None:
            raise
    finally:
        deadline.stopped()
        for sock in sockets:
            sock.close()
    if started.failure is not None:
        raise started.failure
    if not server.started:
        raise SystemExit(1)
    if server.hangs:
        raise SystemExit(HUNG)


def configure_log(level: str, process: str = "") -> None:
    """Log to stderr. If there are several processes, `process` says which one this is."""
    which = f" [{process}]" if process else ""
    logging.basicConfig(level=level.upper(), format=f"%(asctime)s %(levelname)s{which} %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # Its debug level would show the headers of handshakes and the contents of frames.
    logging.getLogger("websockets").setLevel(logging.INFO)


def _announce(others: Sequence[str], address: str) -> None:
    log.info("serving at %s (Ctrl-C stops it)", address)
    if others and others != [address]:
        log.info("others can use %s", " or ".join(others))


class _Started:
    """An application whose start may fail for a reason that a person can mend, or that may pass. The person gets the
    reason without a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.failure: ConfigurationError | Unavailable | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return

        async def explain(message: Message) -> None:
            if self.failure is None and message["type"] == "lifespan.startup.failed":
                error = sys.exc_info()[1]
                if isinstance(error, (ConfigurationError, Unavailable)):
                    self.failure = error
                    # The caller reports the reason. uvicorn would only add that there was one.
                    logging.getLogger("uvicorn.error").disabled = True
                    message = {"type": message["type"], "message": ""}
            await send(message)

        try:
            await self._app(scope, receive, explain)
        except (ConfigurationError, Unavailable):
            if self.failure is None:
                raise


def raise_file_limit() -> int:
    """Raise this process's limit of open files, and so of connections, as far as it may. Returns the limit."""
    try:
        import resource
    except ImportError:  # pragma: no cover - Windows has no such limit
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return soft
