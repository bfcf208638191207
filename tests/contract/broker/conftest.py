"""Every broker there is: the houses of the B-cases, and the stands of the C-cases."""

import inspect
from pathlib import Path

import msgspec
import pytest

from jumun.exchange.sample_world import sample_world
from tests.contract.broker.cases import DECLINED, STANDS
from tests.contract.broker.houses import House, LocalHouse, SocketHouse
from tests.contract.broker.stands import Stand


@pytest.fixture(params=["paper in memory", "paper over a socket"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    """A fresh house of each kind; the test starts it with `async with running(house)`."""
    return LocalHouse() if request.param == "paper in memory" else SocketHouse(tmp_path)


@pytest.fixture(params=["paper in memory", "paper over a socket"])
def frank_house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    """The same, and it names what its orders cost."""
    world = msgspec.structs.replace(sample_world(), reports_costs=True)
    return LocalHouse(world) if request.param == "paper in memory" else SocketHouse(tmp_path, world)


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker of the C-cases."""
    config.addinivalue_line("markers", "case(number, text): the numbered case of docs/reference/brokers.md")


@pytest.fixture(params=STANDS)
def stand(request: pytest.FixtureRequest) -> Stand:
    """A fresh stand of each kind; the hook below runs the case between its start and its stop."""
    made = STANDS[request.param]()
    mark = request.node.get_closest_marker("case")
    assert mark is not None, "a test on a stand is a numbered case: mark it with @case"
    request.node.user_properties.append(("case", f"{mark.args[0]}|{made.name}"))
    return made


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a case on its stand, in the stand's own time."""
    stand = pyfuncitem.funcargs.get("stand")
    if not isinstance(stand, Stand) or not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames  # the one place pytest keeps the arguments it resolved
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    stand.run(stand.whole(lambda: pyfuncitem.obj(**arguments)))
    mark = pyfuncitem.get_closest_marker("case")
    assert mark is not None
    is_declared = stand.name in DECLINED.get(mark.args[0], {})
    assert stand.declined is is_declared, "what is declared to be refused was done, or the other way round"
    pyfuncitem.user_properties.append(("outcome", "refused" if stand.declined else "pass"))
    return True
