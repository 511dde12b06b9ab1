"""Patient nodes, except where a test is about what a node does without Redis."""

import pytest

from tests.patient import Patience


@pytest.fixture(autouse=True)
def patient_nodes(patience: Patience) -> None:
    """They count together, however late Redis is."""
