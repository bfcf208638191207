"""Every journal there is."""

from pathlib import Path

import pytest

from tests.contract.journal.stores import MemoryStore, SqliteStore, Store


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A fresh store of each kind."""
    return MemoryStore() if request.param == "memory" else SqliteStore(tmp_path)
