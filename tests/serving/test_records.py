"""TLS records are counted before they are decrypted, wherever a read may cut them."""

import asyncio
import time

import pytest

from hubbub.serving.records import READ_BYTES, RECORDS, Records


class Socket(asyncio.Transport):
    """A transport that says whether it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = asyncio.Event()
        self.reading.set()

    def is_reading(self) -> bool:
        return self.reading.is_set()

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.reading.clear()

    def resume_reading(self) -> None:
        self.reading.set()


class Reader(asyncio.BufferedProtocol):
    """Stands for TLS: it keeps what it gets."""

    def __init__(self) -> None:
        self.buffer = bytearray(2 * READ_BYTES)
        self.got = b""

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(self.buffer)

    def buffer_updated(self, nbytes: int) -> None:
        self.got += self.buffer[:nbytes]


def record(size: int) -> bytes:
    return b"\x17\x03\x03" + size.to_bytes(2) + b"\xff" * size


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5, 6, 7, 11, 300, 5000])
def test_records_are_counted_wherever_they_are_cut(cut: int, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = 0
    tls = Reader()
    records = Records(Socket(), tls)
    count = records._count

    def add(data: memoryview) -> int:
        nonlocal counted
        counted += (found := count(data))
        return found

    monkeypatch.setattr(records, "_count", add)
    sent = record(0) + record(1) + record(300) + record(0) + record(0x1234) + record(5) + record(6)
    for start in range(0, len(sent), cut):
        records.feed(sent[start : start + cut])

    assert (counted, tls.got) == (7, sent)


async def test_who_sends_too_many_records_is_read_more_slowly() -> None:
    link = Socket()
    records = Records(link, Reader())
    began = time.monotonic()
    async with asyncio.timeout(30):
        for _ in range(7):
            await link.reading.wait()
            records.feed(record(1) * 100)
    assert time.monotonic() - began > (600 - RECORDS.burst) / RECORDS.rate - 0.01


async def test_a_wait_ends_with_the_connection() -> None:
    link = Socket()
    records = Records(link, Reader())
    records.feed(record(1) * 1000)

    records.connection_lost(None)

    assert records._resuming is not None
    assert records._resuming.cancelled()
