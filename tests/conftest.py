"""Fixtures that start what a test needs, and the report of what did not run."""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, Protocol

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Page, async_playwright, expect

from tests.patient import DEADLINES, LEASES, Patience
from tests.servers import (
    REPOSITORY,
    MissingError,
    PgBouncer,
    Postgres,
    Redis,
    WebServer,
    find_program,
    hubbub_server,
    uvicorn_server,
)

DISABLED_FEATURES = [
    # Otherwise each new window loads the popup of its address bar, in a process as large as the page's own.
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxFullPopup",
    # The features that Playwright disables by default; this option replaces its list.
    "AimEnabled",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "ThirdPartyStoragePartitioning",
]

BROWSER_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # Two sites: other ports of one name would be the same site.
    "--host-resolver-rules=MAP chat.test 127.0.0.1, MAP evil.test 127.0.0.1",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Otherwise each window keeps a process ready for a page that no test opens.
    "--renderer-process-limit=1",
    f"--disable-features={','.join(DISABLED_FEATURES)}",
]

PAGE_DEADLINE = 60_000.0
"""Milliseconds for a page to show what a test expects."""

KILLS = 20
CROWD = 200

LONG = 5.0
"""Seconds of a test that does not stay beside those of its file, so that each worker has as many such tests."""

SECONDS_OF_FIXTURE = {
    "chat": 0.1,
    "postgres": 0.2,
    "redis": 0.2,
    "three_redis": 0.3,
    "serve": 1.0,
    "uvicorn": 1.0,
    "browser": 3.0,
}


class ServerFactory(Protocol):
    def __call__(self, *options: str, environment: dict[str, str] | None = None) -> WebServer: ...


class UvicornFactory(Protocol):
    def __call__(
        self, app: str, *options: str, ws: str = ..., environment: dict[str, str] | None = None
    ) -> WebServer: ...


class PageFactory(Protocol):
    async def __call__(self, **options: Any) -> Page: ...


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("hubbub")
    group.addoption("--quick", action="store_true", help="Skip the tests that are marked as slow.")
    group.addoption("--require-all", action="store_true", help="Fail, instead of skip, where a part is missing.")
    group.addoption("--counts-to", type=Path, help="Write `N passed, N failed, N skipped` to this file.")
    group.addoption("--autobahn-all", action="store_true", help="Run Autobahn's long cases (9, 12, 13) as well.")
    group.addoption("--chaos-seconds", type=float, help="How long servers are killed and cut off in a test.")
    group.addoption("--chaos-seed", type=int, help="Make the decisions of an earlier run again.")
    group.addoption("--crowd", type=int, default=CROWD, help="How many are cut off at once, and come back at once.")
    group.addoption("--kills", type=int, default=KILLS, help="How often the server is killed while it stores messages.")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # After SIGTERM a run still ends what it started, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if config.getoption("--chaos-seconds") or config.getoption("--kills") > KILLS or config.getoption("--autobahn-all"):
        config.option.timeout = 0  # such a run takes as long as was asked for


@pytest.hookimpl(wrapper=True)
def pytest_timeout_set_timer() -> Generator[None, object, object]:
    """A test that takes too long shows where each of its tasks stands, not only the event loop that waits for them."""
    answer = yield
    fail = signal.getsignal(signal.SIGALRM)

    def show_tasks_and_fail(number: int, frame: FrameType | None) -> None:
        with suppress(RuntimeError):  # no event loop
            print(*map(stack_of, asyncio.all_tasks()), sep="\n")
        assert callable(fail)
        fail(number, frame)

    if callable(fail):
        signal.signal(signal.SIGALRM, show_tasks_and_fail)
    return answer


def stack_of(task: asyncio.Task[Any]) -> str:
    """Its name and the lines at which it and those that it awaits stand."""
    lines = [task.get_name()]
    awaited: Any = task.get_coro()
    while frame := getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None):
        lines.append(f"  {frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}")
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
    return "\n".join(lines)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    # Tests wait for servers, browsers and deadlines. With many more workers some of them would wait too long.
    return (os.cpu_count() or 1) + 2


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The quick tests first, so that a plain mistake shows at once.

    Each of several workers has its share of the longest tests: see `dealt`.
    """
    if config.getoption("--quick"):
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip("slow: `scripts/test --all` runs them as well, and so does CI"))
    workers = getattr(config, "workerinput", {}).get("workercount", 0)
    items[:] = dealt(items, workers) if workers else sorted(items, key=seconds)


def seconds(item: pytest.Item) -> float:
    """About how long it takes."""
    if slow := item.get_closest_marker("slow"):
        return float(slow.args[0])
    fixtures: list[str] = getattr(item, "fixturenames", [])
    return max((SECONDS_OF_FIXTURE.get(name, 0.0) for name in fixtures), default=0.0)


def dealt(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """In the order for `--dist worksteal`, which cuts it into equal pieces, one for each worker.

    Tests of five seconds and more are dealt out like cards. They mostly wait, so the workers come to them one after the
    other, while the rest use the processor; but not at the end, where only one worker would be busy. The other tests
    stay beside each other, because they share servers.
    """
    items = sorted(items, key=seconds, reverse=True)
    long = [item for item in items if seconds(item) >= LONG]
    others = items[len(long) :]
    order: list[pytest.Item] = []
    for worker in range(workers):
        share = long[worker::workers]
        rest = max(0, (len(items) - len(order)) // (workers - worker) - len(share))
        before = rest * worker // (2 * workers)
        order += others[:before] + share + others[before:rest]
        del others[:rest]
    return order


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    reports = {
        outcome: terminalreporter.getreports(outcome) for outcome in ("passed", "failed", "error", "skipped", "xfailed")
    }
    skipped = reports["skipped"] + reports["xfailed"]
    if skipped:
        terminalreporter.section("what did not run, and why")
        reasons = Counter(reason_of(report) for report in skipped)
        for reason, number in sorted(reasons.items()):
            terminalreporter.line(f"{number:4} {'test' if number == 1 else 'tests'}   {reason}")
    counts_to: Path | None = config.getoption("--counts-to")
    if counts_to is not None:
        failed = len(reports["failed"]) + len(reports["error"])
        counts_to.write_text(f"{len(reports['passed'])} passed, {failed} failed, {len(skipped)} skipped\n")


def reason_of(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return getattr(report, "wasxfail", "") or report.nodeid


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def missing(pytestconfig: pytest.Config) -> Callable[[MissingError], NoReturn]:
    """Skips the test for what this machine lacks, or fails it under --require-all."""

    def skip_or_fail(error: MissingError) -> NoReturn:
        if pytestconfig.getoption("--require-all"):
            raise pytest.fail.Exception(str(error), pytrace=False) from None
        raise pytest.skip.Exception(str(error)) from None

    return skip_or_fail


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[ServerFactory]:
    """Starts `hubbub serve` with the given options; after the test it must stop, without a traceback in its log."""
    with ExitStack() as stack:

        def start(*options: str, environment: dict[str, str] | None = None) -> WebServer:
            server = hubbub_server(tmp_path, *options, environment=environment)
            return start_and_watch(server, stack)

        yield start


@pytest.fixture
def uvicorn(tmp_path: Path) -> Iterator[UvicornFactory]:
    """The same for any ASGI app: `uvicorn("examples.mount:app", ws="wsproto")`."""
    with ExitStack() as stack:

        def start(
            app: str, *options: str, ws: str = "websockets-sansio", environment: dict[str, str] | None = None
        ) -> WebServer:
            server = uvicorn_server(tmp_path, app, *options, ws=ws, environment=environment)
            return start_and_watch(server, stack)

        yield start


def start_and_watch(server: WebServer, stack: ExitStack) -> WebServer:
    # Printed during teardown, so pytest shows the log only if the test failed.
    stack.callback(lambda: print(server.log))
    stack.callback(server.check_log)
    stack.enter_context(server)
    return server


@pytest.fixture(scope="session")
def redis_server(
    tmp_path_factory: pytest.TempPathFactory, missing: Callable[[MissingError], NoReturn]
) -> Iterator[Redis]:
    """A redis-server for all tests. A test that stops one uses `own_redis`."""
    yield from started_redis(tmp_path_factory, missing)


@pytest.fixture
def redis(redis_server: Redis) -> Redis:
    """The shared redis-server, empty."""
    redis_server.empty()
    return redis_server


def started_redis(
    tmp_path_factory: pytest.TempPathFactory, missing: Callable[[MissingError], NoReturn]
) -> Iterator[Redis]:
    try:
        server = Redis(tmp_path_factory.mktemp("redis"))
    except MissingError as error:
        missing(error)
    with server:
        yield server


@pytest.fixture
def own_redis(tmp_path_factory: pytest.TempPathFactory, missing: Callable[[MissingError], NoReturn]) -> Iterator[Redis]:
    """A redis-server of the test's own, which it may end."""
    yield from started_redis(tmp_path_factory, missing)


@pytest.fixture
def patience() -> Iterator[Patience]:
    """Nodes in this process wait for a late Redis, and for each other."""
    patience = Patience(DEADLINES + LEASES)
    patience.begin()
    yield patience
    patience.end()


@pytest.fixture(scope="session")
def three_redis_servers(
    tmp_path_factory: pytest.TempPathFactory, missing: Callable[[MissingError], NoReturn]
) -> Iterator[list[Redis]]:
    with ExitStack() as stack:
        try:
            yield [stack.enter_context(Redis(tmp_path_factory.mktemp("redis"))) for _ in range(3)]
        except MissingError as error:
            missing(error)


@pytest.fixture
def three_redis(three_redis_servers: list[Redis]) -> list[Redis]:
    """Three shared redis-servers, empty."""
    for server in three_redis_servers:
        server.empty()
    return three_redis_servers


@pytest.fixture(scope="session")
def postgres_server(missing: Callable[[MissingError], NoReturn]) -> Iterator[Postgres]:
    try:
        server = Postgres()
    except MissingError as error:
        missing(error)
    server.start()
    yield server
    server.remove()


@pytest.fixture
def postgres(postgres_server: Postgres) -> Iterator[str]:
    """The address of a new, empty PostgreSQL database."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(scope="session")
def pgbouncer_server(postgres_server: Postgres, missing: Callable[[MissingError], NoReturn]) -> Iterator[PgBouncer]:
    try:
        pooler = PgBouncer(postgres_server.port)
    except MissingError as error:
        missing(error)
    pooler.start()
    yield pooler
    pooler.remove()


@pytest.fixture
def pooled(postgres: str, pgbouncer_server: PgBouncer) -> Iterator[str]:
    """The address of a new, empty PostgreSQL database by way of PgBouncer in transaction mode."""
    yield pgbouncer_server.before(postgres)
    # It would keep connections to each of the databases that tests have dropped.
    pgbouncer_server.ask("RECONNECT")


@pytest.fixture
def faketime(missing: Callable[[MissingError], NoReturn]) -> Path:
    """The library that gives a program a false time."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        missing(MissingError("libfaketime is not installed: apt install faketime"))
    return library


@pytest.fixture(scope="session")
async def browser(missing: Callable[[MissingError], NoReturn]) -> AsyncIterator[Browser]:
    """A Chromium for all tests; each of its contexts has an empty profile."""
    try:
        program = find_program("chromium", "chromium-browser", "google-chrome", package="chromium")
    except MissingError as error:
        missing(error)
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=program, args=BROWSER_OPTIONS)
        expect.set_options(timeout=PAGE_DEADLINE)
        yield chromium
        await chromium.close()


@pytest.fixture
async def new_page(browser: Browser) -> AsyncIterator[PageFactory]:
    """Opens pages that share nothing, like those of different people: `await new_page(color_scheme="dark")`.

    The options are those of Playwright's `Browser.new_context`. An uncaught error in a page, or a violation of its
    content security policy, fails the test.
    """
    troubles: list[str] = []

    def note_error(error: Error) -> None:
        troubles.append(f"uncaught: {error}")

    def note_violation(message: ConsoleMessage) -> None:
        # A page that loses its server rightly logs errors too.
        if "Content Security Policy" in message.text:
            troubles.append(message.text)

    contexts: list[BrowserContext] = []

    async def open_page(**options: Any) -> Page:
        # With the worker, each of these browsers would load the page's files twice.
        context = await browser.new_context(**{"service_workers": "block", **options})
        contexts.append(context)
        page = await context.new_page()
        page.on("pageerror", note_error)
        page.on("console", note_violation)
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert not troubles


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """The folder for screenshots, for people to look at."""
    folder = REPOSITORY / ".cache/screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def chaos_seconds(pytestconfig: pytest.Config) -> float | None:
    """What the command line says; without it, each test of chaos has a time of its own."""
    seconds: float | None = pytestconfig.getoption("--chaos-seconds")
    return seconds


@pytest.fixture
def kills(pytestconfig: pytest.Config) -> int:
    return int(pytestconfig.getoption("--kills"))


@pytest.fixture
def crowd(pytestconfig: pytest.Config) -> int:
    return int(pytestconfig.getoption("--crowd"))


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> int:
    given = pytestconfig.getoption("--chaos-seed")
    seed = random.randrange(2**32) if given is None else int(given)
    print(f"--chaos-seed {seed}")
    return seed
