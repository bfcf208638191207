"""Every broker there is."""

from pathlib import Path

import pytest

from tests.contract.broker.houses import House, LocalHouse, SocketHouse


@pytest.fixture(params=["paper in memory", "paper over a socket"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    """A fresh house of each kind; the test starts it with `async with running(house)`."""
    return LocalHouse() if request.param == "paper in memory" else SocketHouse(tmp_path)
