"""The numbered cases, the stands they run on, and what is refused there by design.

Every case runs on every stand. Where a broker, a venue or a service cannot do what a case asks for, DECLINED
says so and why, and the case shows that the broker refuses it itself, before anything is sent.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

import msgspec
import pytest

from jumun.model.orders import OrderType, TimeInForce
from jumun.model.reports import ModifyRefused, ModifyRequest, Rejected, SubmitRequest
from tests.contract.broker.places import KRX, NXT, SOR, US, US_DAY
from tests.contract.broker.stands import Stand, yes
from tests.contract.broker.stands_kis import KisSocketStand, KisSorStand, KisVirtualStand
from tests.contract.broker.stands_paper import PaperStand

Test = TypeVar("Test", bound=Callable[..., object])
NOTHING_SENT: Final = "refused here; nothing was sent"

STANDS: Final[dict[str, Callable[[], Stand]]] = {
    "paper KRX": lambda: PaperStand("paper KRX", KRX),
    "paper NXT": lambda: PaperStand("paper NXT", NXT),
    "paper US": lambda: PaperStand("paper US", US),
    "paper US day market": lambda: PaperStand("paper US day market", US_DAY),
    "KIS live KRX": lambda: KisVirtualStand("KIS live KRX", KRX, "real"),
    "KIS live KRX, sockets": lambda: KisSocketStand("KIS live KRX, sockets", KRX, "real"),
    "KIS live NXT": lambda: KisVirtualStand("KIS live NXT", NXT, "real"),
    "KIS live SOR": lambda: KisSorStand("KIS live SOR", SOR, "real"),
    "KIS live US": lambda: KisVirtualStand("KIS live US", US, "real"),
    "KIS live US day market": lambda: KisVirtualStand("KIS live US day market", US_DAY, "real"),
    "KIS paper KRX": lambda: KisVirtualStand("KIS paper KRX", KRX, "paper"),
    "KIS paper US": lambda: KisVirtualStand("KIS paper US", US, "paper"),
}


def case(number: str, text: str) -> Callable[[Test], Test]:
    """Mark a test as a numbered case; several tests may show one case."""
    return pytest.mark.case(number, text)


class Declined(msgspec.Struct, frozen=True, kw_only=True):
    """Why a case cannot be done on a stand, and the code the broker gives when it refuses."""

    why: str
    code: str = "KIND_NOT_SUPPORTED"


# Sources: kis.md 3.3.2, 4.1, 4.5 and 7.3, krx_market.md 4.1. A reader of the page has neither.
KIS_PAPER: Final = Declined(why="KIS's paper service takes nothing but limit and market orders")
KIS_PAPER_US: Final = Declined(why="KIS's paper service takes US limit orders only")
KIS_US: Final = Declined(why="KIS takes US orders as limit, LOO, LOC, MOO and MOC only")
KIS_SELLS: Final = Declined(why="KIS takes MOO and MOC orders as sells only")
NXT_LIMIT: Final = Declined(
    why="NXT takes no market orders (at KIS the broker's switch nxt_market_immediate)"
)
DAY_MARKET: Final = Declined(why="the US day market takes LIMIT DAY orders only")
KOREA: Final = Declined(why="Korean venues have no orders for one auction only")
US_PART: Final = Declined(
    why="nobody has seen KIS cancel a part of a US order (the broker's switch us_partial_cancel)",
    code="NOT_MODIFIABLE",
)

_KIS_US: Final = ("KIS live US", "KIS live US day market", "KIS paper US")
_DAY_MARKET: Final = dict.fromkeys(("paper US day market", "KIS live US day market"), DAY_MARKET)
_AT_HOME: Final = tuple(name for name in STANDS if "US" not in name)
_PLAIN_US: Final = {"KIS live US": KIS_US, "KIS paper US": KIS_PAPER_US} | _DAY_MARKET
_IMMEDIATE: Final = _PLAIN_US | {"KIS paper KRX": KIS_PAPER}
_AUCTION: Final = dict.fromkeys(_AT_HOME, KOREA) | {"KIS paper US": KIS_PAPER_US} | _DAY_MARKET

DECLINED: Final[dict[str, Mapping[str, Declined]]] = {
    "C-11": _PLAIN_US | {"paper NXT": NXT_LIMIT, "KIS live NXT": NXT_LIMIT},
    "C-12": _IMMEDIATE,
    "C-13": _IMMEDIATE,
    "C-14": _IMMEDIATE,
    "C-15": _IMMEDIATE,
    "C-22": dict.fromkeys(_KIS_US, US_PART),
    "C-70": _AUCTION,
    "C-71": _AUCTION,
    "C-72": _AUCTION,
    "C-73": _AUCTION | {"KIS live US": KIS_SELLS},
    "C-74": _AUCTION,
    "C-75": _AUCTION,
    "C-76": _AUCTION | {"KIS live US": KIS_SELLS},
}

# What passes and is not quite alike; each case asserts which of the two it is.
DIFFERS: Final[dict[str, Mapping[str, str]]] = {
    "C-05": dict.fromkeys(
        ("paper US", "paper US day market", *_KIS_US),
        "US exchanges have no daily price limits: the order is taken and rests",
    ),
    "C-17": {"KIS paper US": "KIS's paper service tells no dollars: shares agree, cash is untold"},
    "C-22": dict.fromkeys(
        (name for name in _AT_HOME if name.startswith("KIS")),
        "KIS cancels a part and the number stays; once the rest has filled, its list reads as cancelled",
    ),
    "C-52": dict.fromkeys(
        (name for name in STANDS if name.startswith("KIS")),
        "how KIS tells this is documented nowhere: no end is claimed, the list is asked for",
    ),
    "C-61": dict.fromkeys(
        (name for name in STANDS if name.startswith("KIS")),
        "KIS tells a cancel of a part and of all alike: no end is claimed, the list is asked for",
    ),
}


async def declined(stand: Stand, number: str, request: SubmitRequest | ModifyRequest) -> bool:
    """Where a case is declined, show that the broker refuses it here, with its reason, and sends nothing."""
    reason = DECLINED[number].get(stand.name)
    if reason is None:
        return False
    before = stand.orders_sent
    told: object
    if isinstance(request, SubmitRequest):
        told = await stand.broker.submit(request, yes)
    else:
        told = await stand.broker.modify(request, yes)
    assert isinstance(told, Rejected | ModifyRefused), told
    assert (told.code, told.raw) == (reason.code, NOTHING_SENT)
    assert told.text, "a person reads it"
    assert stand.orders_sent == before
    stand.declined = True
    return True


def takes(stand: Stand, kind: OrderType, tif: TimeInForce) -> bool:
    """Whether the broker says that it takes a kind, before anybody asks."""
    return (stand.place.venue, kind, tif) in stand.broker.traits.kinds
