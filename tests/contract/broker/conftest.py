"""Every broker there is."""

from pathlib import Path

import msgspec
import pytest

from jumun.exchange.sample_world import sample_world
from tests.contract.broker.houses import House, LocalHouse, SocketHouse


@pytest.fixture(params=["paper in memory", "paper over a socket"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    """A fresh house of each kind; the test starts it with `async with running(house)`."""
    return LocalHouse() if request.param == "paper in memory" else SocketHouse(tmp_path)


@pytest.fixture(params=["paper in memory", "paper over a socket"])
def frank_house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    """The same, and it names what its orders cost."""
    world = msgspec.structs.replace(sample_world(), reports_costs=True)
    return LocalHouse(world) if request.param == "paper in memory" else SocketHouse(tmp_path, world)
