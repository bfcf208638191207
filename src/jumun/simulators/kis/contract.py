"""The endpoints of KIS as `contract.json` lists them: paths, TR ids, request columns, answer blocks.

Read once, when it is first asked for. kis.md part 3 is the same list for people.
"""

from functools import lru_cache
from importlib.resources import files
from typing import Final, Literal

import msgspec

from jumun.simulators.kis.customers import Environment

# TR ids that clients send and the portal's tables do not list (kis.md part 8, rows 6 and 8).
ALSO_TAKEN: Final = {
    "VTTT1006U": "overseas-order-us-sell",
    "VTTS3018R": "overseas-inquire-nccs",
}


class Column(msgspec.Struct, frozen=True, array_like=True):
    """One request field: its name, whether it must be there, and its width in characters (0: not known)."""

    name: str
    required: bool
    length: int


class Sizes(msgspec.Struct, frozen=True):
    """Rows in one page; None where the environment does not offer the inquiry."""

    real: int | None = None
    paper: int | None = None


class Paging(msgspec.Struct, frozen=True):
    """How an inquiry goes on: the names of the two continuation keys, in lower case, and the page sizes."""

    keys: tuple[str, str]
    page_size: Sizes | None = None


class TrIds(msgspec.Struct, frozen=True):
    """TR ids by environment; "old" ones are from before the NXT launch."""

    real: str | None = None
    paper: str | None = None
    old_real: str | None = None
    old_paper: str | None = None


class Endpoint(msgspec.Struct, frozen=True):
    """One function of KIS: a path and a TR id."""

    name: str
    market: Literal["auth", "domestic", "overseas"]
    method: Literal["GET", "POST"]
    path: str
    tr_id: TrIds
    request: tuple[Column, ...]
    response: dict[str, tuple[str, ...]]
    response_kind: dict[str, Literal["object", "array"]]
    paging: Paging | None = None
    side: Literal["", "buy", "sell"] = ""

    @property
    def is_inquiry(self) -> bool:
        """Whether it only asks."""
        return self.method == "GET"

    def page_size(self, environment: Environment) -> int | None:
        """Return how many rows a page of it holds there; None where that is not known."""
        if self.paging is None or self.paging.page_size is None:
            return None
        sizes = self.paging.page_size
        return sizes.real if environment == "real" else sizes.paper


class Found(msgspec.Struct, frozen=True):
    """What a TR id on a path means. `offered` is False where that environment does not have the function."""

    endpoint: Endpoint
    is_old: bool
    offered: bool


class Contract:
    """All endpoints, found by name, or by path and TR id."""

    def __init__(self, endpoints: tuple[Endpoint, ...]) -> None:
        self.endpoints = endpoints
        self._by_name = {endpoint.name: endpoint for endpoint in endpoints}
        self._by_path: dict[tuple[str, str], list[Endpoint]] = {}
        for endpoint in endpoints:
            self._by_path.setdefault((endpoint.method, endpoint.path), []).append(endpoint)

    def named(self, name: str) -> Endpoint:
        """Return the endpoint of that name; raises KeyError."""
        return self._by_name[name]

    def at(self, method: str, path: str) -> tuple[Endpoint, ...]:
        """Return what is served at a path; empty for an unknown one."""
        return tuple(self._by_path.get((method, path), ()))

    def find(self, method: str, path: str, tr_id: str, environment: Environment) -> Found | None:
        """Return what `tr_id` means on that path for a customer of `environment`; None where nothing does."""
        for endpoint in self.at(method, path):
            ids = endpoint.tr_id
            mine = (ids.real, ids.old_real) if environment == "real" else (ids.paper, ids.old_paper)
            other = (ids.paper, ids.old_paper) if environment == "real" else (ids.real, ids.old_real)
            if tr_id in mine or (environment == "paper" and ALSO_TAKEN.get(tr_id) == endpoint.name):
                return Found(endpoint, tr_id == mine[1], True)
            if tr_id in other:
                return Found(endpoint, tr_id == other[1], False)
        return None


class _File(msgspec.Struct):
    endpoints: tuple[Endpoint, ...]


@lru_cache(maxsize=1)
def contract() -> Contract:
    """Return the contract; the file is read at the first call."""
    data = files("jumun.simulators.kis").joinpath("contract.json").read_bytes()
    return Contract(msgspec.json.decode(data, type=_File).endpoints)
