"""Where an order is and where it filled, for people: its venue, or the router that chose one."""

from collections.abc import Callable, Iterable

import msgspec

from jumun.model.events import FillBooked, OrderAccepted, OrderSent
from jumun.model.journal import Record
from jumun.model.orders import Order

SOR = "SOR"  # smart order routing: the broker chooses the market
UNTOLD = "?"
Told = Callable[[str], tuple[str, str] | None]  # the broker's words to (route, market)


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """`route` is what the broker was asked for: a venue, or SOR. `markets` are where fills happened.

    A market that nobody has told is `?`; it is never taken from where the issue is listed.
    """

    route: str
    markets: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """One word where nothing was routed: SOR, or SOR: NXT once it is known."""
        if self.route != SOR or not self.markets:
            return self.route
        return f"{SOR}: {'+'.join(self.markets)}"


def where_of(order: Order, records: Iterable[Record], told: Told, *, is_routed: bool = False) -> Where:
    """Return where an order is. `is_routed`: by the settings it goes to SOR, until the broker's words say."""
    route = SOR if is_routed else order.venue.value
    markets: dict[str, None] = {}
    for record in records:
        event = record.event
        if not isinstance(event, OrderSent | OrderAccepted | FillBooked):
            continue
        place = told(event.raw)
        if place is not None:
            route = place[0]
        if isinstance(event, FillBooked):
            markets[place[1] if place is not None and place[1] else UNTOLD] = None
    if route != SOR:
        return Where(route=route)
    return Where(route=route, markets=tuple(sorted(markets)))
