from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from tests.servers import MissingError


@pytest.fixture
def faketime(missing: Callable[[MissingError], NoReturn]) -> Path:
    """The library that gives a program a false time."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        missing(MissingError("libfaketime is not installed: apt install faketime"))
    return library
