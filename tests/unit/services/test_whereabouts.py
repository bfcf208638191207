"""An order that the broker routed is shown as such, with the market once it is known."""

import pytest

from jumun.model.events import FillBooked, OrderAccepted
from jumun.model.instruments import Venue
from jumun.model.journal import Record
from jumun.services.whereabouts import where_of
from jumun.testing.builders import a_fill, a_record, a_ref, an_order

ORDER = an_order()


SAID = {"sor": ("SOR", ""), "sor krx": ("SOR", "KRX"), "sor nxt": ("SOR", "NXT"), "krx": ("KRX", "KRX")}


def told(raw: str) -> tuple[str, str] | None:
    return SAID.get(raw)


def accepted(raw: str) -> Record:
    return a_record(1, OrderAccepted(order_id=ORDER.order_id, ref=a_ref(), raw=raw))


def filled(raw: str, number: int = 1) -> Record:
    fill = a_fill(ORDER, number)
    event = FillBooked(order_id=ORDER.order_id, fill=fill, ledger=(), notice_qty=fill.qty, raw=raw)
    return a_record(1 + number, event)


@pytest.mark.req("S000-9", "S002-41")
@pytest.mark.parametrize(
    ("records", "is_routed", "text"),
    [
        ([], False, "KRX"),
        ([], True, "SOR"),
        ([accepted("krx")], True, "KRX"),
        ([accepted("sor")], False, "SOR"),
        ([accepted("sor nxt")], False, "SOR"),
        ([accepted("sor"), filled("sor nxt")], False, "SOR: NXT"),
        ([accepted("sor"), filled("sor nxt"), filled("sor krx", 2)], False, "SOR: KRX+NXT"),
        ([accepted("sor"), filled("sor")], False, "SOR: ?"),
        ([accepted("sor"), filled("sor nxt"), filled("nothing", 2)], False, "SOR: ?+NXT"),
        ([accepted("krx"), filled("krx")], False, "KRX"),
    ],
)
def test_the_brokers_own_words_go_before_the_settings_and_an_untold_market_is_not_guessed(
    records: list[Record], is_routed: bool, text: str
) -> None:
    assert where_of(ORDER, records, told, is_routed=is_routed).text == text


def test_an_order_that_nobody_routed_is_at_its_venue() -> None:
    order = an_order(venue=Venue.NXT)
    assert where_of(order, [filled("krx")], lambda _: None).text == "NXT"
