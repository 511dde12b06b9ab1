"""One of several workers: a whole server, on sockets that its supervisor keeps open.

`python -m hubbub.serving.worker` with what `WorkerOrder` holds, as JSON. Only the supervisor starts it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import Any

from hubbub.app.settings_sources import load_settings
from hubbub.app.wiring import choose_engine
from hubbub.errors import ConfigurationError, Unavailable
from hubbub.settings import Settings

EXIT_CONFIGURATION = 2
EXIT_LATER = 3
"""The same may succeed later."""
HAS_SAID_WHY = frozenset({EXIT_CONFIGURATION, EXIT_LATER})


@dataclass(frozen=True)
class WorkerOrder:
    """How a supervisor starts a worker."""

    slot: int
    """A small number that no other living worker has. One that takes the place of a dead one gets the same."""
    sockets: list[int]
    """File descriptors of listening sockets."""
    lifeline: int
    """The file descriptor of the worker's end."""
    options: dict[str, Any]
    """Settings that the command line gave."""

    def command(self) -> list[str]:
        # -P: what lies about in the working directory is no module of this program.
        return [sys.executable, "-P", "-m", "hubbub.serving.worker", json.dumps(asdict(self))]


def check_workers(settings: Settings) -> None:
    """Raises `ConfigurationError` if several workers could not see each other with these settings."""
    if settings.workers == 1:
        return
    if sys.platform == "win32":
        raise ConfigurationError("several workers need a system that hands sockets over, which Windows does not")
    needs = []
    if settings.broker_url is None:
        needs.append("need a broker: set HUBBUB_BROKER_URL=redis://…")
    engine = choose_engine(settings)
    if engine is not None and not engine.is_shared:
        needs.append(
            "need a database that they share: set HUBBUB_DATABASE_URL=postgresql://…, or `none` to store nothing"
        )
    if needs:
        raise ConfigurationError(f"several workers {'; and they '.join(needs)}")


def cannot_start(error: Unavailable) -> str:
    """What to tell the person who starts the server."""
    return (
        f"the server cannot start now: {error}. Try again; if the database is slow rather than away, give it longer "
        "with HUBBUB_DATABASE_TIMEOUT"
    )


def main() -> None:
    from hubbub.serving.app import create_app
    from hubbub.serving.lifeline import Lifeline
    from hubbub.serving.listening import inherit
    from hubbub.serving.server import configure_log, serve_on

    order = WorkerOrder(**json.loads(sys.argv[1]))
    lifeline = Lifeline(order.lifeline)
    try:
        settings = load_settings(**order.options)
        check_workers(settings)
        configure_log(settings.log_level, f"worker {order.slot}")
        serve_on(
            create_app(settings),
            settings,
            inherit(order.sockets),
            on_ready=lifeline.say_ready,
            access_log=settings.log_level == "debug",
            lifeline=lifeline,
        )
    except ConfigurationError as error:
        sys.stderr.write(f"hubbub: worker {order.slot}: {error}\n")
        raise SystemExit(EXIT_CONFIGURATION) from None
    except Unavailable as error:
        sys.stderr.write(f"hubbub: worker {order.slot}: {cannot_start(error)}\n")
        raise SystemExit(EXIT_LATER) from None


if __name__ == "__main__":
    main()
