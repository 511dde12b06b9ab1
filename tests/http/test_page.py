"""The web client's files: compressed once, at the build, and each under headers that let browsers keep it."""

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from hubbub import Hubbub
from hubbub.http.page import add_page

INDEX = "<!doctype html><title>Hubbub</title>" + " " * 500
SCRIPT = "console.log('hello');" * 50


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(INDEX)
    (tmp_path / "icon.png").write_bytes(b"png")
    script = tmp_path / "assets/index-abc.js"
    for file, content in ((tmp_path / "index.html", INDEX), (script, SCRIPT)):
        file.write_text(content)
        file.with_name(file.name + ".gz").write_bytes(gzip.compress(content.encode(), mtime=0))
        file.with_name(file.name + ".br").write_bytes(b"as brotli")
    return tmp_path


@pytest.fixture(params=["", "/chat"])
async def client(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    app, router = FastAPI(), APIRouter()
    add_page(router, folder)
    app.include_router(router, prefix=request.param)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://test{request.param}") as client:
        yield client


async def raw(client: httpx.AsyncClient, path: str, codings: str, **headers: str) -> tuple[httpx.Response, bytes]:
    """The answer, and its bytes as they came."""
    async with client.stream("GET", path, headers={"Accept-Encoding": codings, **headers}) as answer:
        return answer, b"".join([part async for part in answer.aiter_raw()])


@pytest.mark.parametrize(
    ("codings", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0, GZIP;q=0.5", "gzip"),
        ("br; q=0.000", None),
        ("identity", None),
        ("", None),
    ],
)
async def test_a_client_gets_the_best_coding_that_it_accepts(
    client: httpx.AsyncClient, codings: str, coding: str | None
) -> None:
    answer, content = await raw(client, "/assets/index-abc.js", codings)

    assert answer.headers.get("content-encoding") == coding
    contents = {"br": b"as brotli", "gzip": gzip.compress(SCRIPT.encode(), mtime=0), None: SCRIPT.encode()}
    assert content == contents[coding]
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_each_copy_has_a_tag_and_is_sent_once(client: httpx.AsyncClient) -> None:
    tags = []
    for coding in ("br", "gzip", "identity"):
        first, _ = await raw(client, "/", coding)
        tags.append(first.headers["etag"])
        again, content = await raw(client, "/", coding, **{"If-None-Match": f'"other", W/{tags[-1]}'})
        assert (again.status_code, content) == (304, b"")
        assert again.headers["cache-control"] == "no-cache"
    assert len(set(tags)) == 3


async def test_compressed_copies_have_no_address_of_their_own(client: httpx.AsyncClient) -> None:
    for path in ("/index.html.br", "/assets/index-abc.js.gz"):
        assert (await client.get(path)).status_code == 404


async def test_a_file_without_copies_is_sent_as_it_is(client: httpx.AsyncClient) -> None:
    answer, content = await raw(client, "/icon.png", "br, gzip")

    assert content == b"png"
    assert "vary" not in answer.headers
    assert "content-encoding" not in answer.headers


async def test_the_built_page_is_compressed_and_installable() -> None:
    app = FastAPI()
    app.include_router(Hubbub(guests="on").router, prefix="/chat")
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test/chat/") as client:
        answer, index = await raw(client, "", "br, gzip")
        assert answer.headers["content-encoding"] == "br"
        page = (await client.get("", headers={"Accept-Encoding": "gzip"})).text
        assert len(index) < len(page)

        worker = await client.get("sw.js")
        assert worker.headers["cache-control"] == "no-cache"
        assert worker.headers["content-type"].startswith("text/javascript")
        assert "worker-src 'self'" in worker.headers["content-security-policy"]
        build = json.loads(worker.text.partition("\n")[0].removeprefix("const BUILD = ").removesuffix(";"))
        assert build["entry"] in page
        for file in build["files"]:
            assert (await client.get(file)).headers["cache-control"] == "public, max-age=31536000, immutable"

        manifest = await client.get("manifest.webmanifest")
        assert manifest.headers["content-type"] == "application/manifest+json"
        described = json.loads(manifest.content)
        assert 'rel="manifest"' in page
        assert {icon["sizes"] for icon in described["icons"]} == {"any", "192x192", "512x512"}
        for icon in described["icons"]:
            shown = await client.get(icon["src"])
            assert shown.headers["content-type"] == icon["type"]
        favicon = await client.get("favicon.ico")
        assert favicon.headers["content-type"] == "image/vnd.microsoft.icon"
        assert favicon.content[:4] == b"\x00\x00\x01\x00"
