"""Plain HTTP requests, with the standard library alone. They run in another thread where somebody awaits them."""

from __future__ import annotations

import asyncio
import http.client
import re
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from hubbub.client.session import ERRORS
from hubbub.errors import Internal, RequestError, Unavailable

PageT = TypeVar("PageT", bound=BaseModel)

MAY_PASS = frozenset({408, 425, 429, 500, 502, 503, 504})
"""If a request is refused with one of these HTTP statuses, a later one may be accepted."""
CODES = {
    400: "invalid",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    429: "rate_limited",
}
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
TIMEOUT = 10.0
ANSWER_BYTES = 1_000_000

_SOCKETS_PATH = re.compile(r"/ws(/(chat|notify)(/[^/]*)?)?/?$")


def http_root(address: str) -> str:
    """Where the routes of a hub are, from the address of one of its WebSockets."""
    parts = urlsplit(address)
    scheme = "https" if parts.scheme == "wss" else "http"
    return urlunsplit((scheme, parts.netloc, _SOCKETS_PATH.sub("", parts.path), "", ""))


def opener_to(url: str) -> OpenerDirector:
    """A proxy of the environment is for other machines. A redirection would carry credentials elsewhere."""
    proxies = [ProxyHandler({})] if urlsplit(url).hostname in LOOPBACK else []
    return build_opener(_NoRedirections, *proxies)


def refusal(status: int, body: bytes, retry_after: str) -> RequestError:
    """Why a request was refused: in our server's own words if the answer is from one, otherwise by the status.
    `retry_after` is the header."""
    try:
        said = from_json(body or b"{}")
        code, message = str(said["code"]), str(said["message"])
    except (ValueError, KeyError, TypeError):
        code, message = CODES.get(status, "internal"), f"the server answered {status}"
    milliseconds = 1000 * int(retry_after) if retry_after.isdecimal() else None
    return ERRORS.get(code, Internal)(message, retry_after=milliseconds)


async def read_page(
    url: str, query: Mapping[str, Any], page: type[PageT], *, headers: Mapping[str, str], timeout: float = TIMEOUT
) -> PageT:
    """The answer to one GET. Raises the `RequestError` with which the server refuses it, and `Unavailable` if there is
    no server."""
    body = await asyncio.to_thread(_get, f"{url}?{urlencode(query)}", headers, timeout)
    try:
        return page.model_validate_json(body)
    except ValidationError:
        raise Internal(f"{url} does not answer as Hubbub does") from None


def _get(url: str, headers: Mapping[str, str], timeout: float) -> bytes:
    request = Request(url, headers=dict(headers))  # noqa: S310 - http and https only: `http_root`
    try:
        with opener_to(url).open(request, timeout=timeout) as response:
            return bytes(response.read(ANSWER_BYTES))
    except HTTPError as refused:
        with refused:
            raise refusal(refused.code, refused.read(ANSWER_BYTES), refused.headers.get("Retry-After", "")) from None
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise Unavailable(f"{url.partition('?')[0]} cannot be reached: {reason}") from None


class _NoRedirections(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None
