"""Values that the pure half of the KIS broker is tested with; a test names only what it is about."""

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

from jumun.brokers.kis.access import KisAccess, KisAccount, KisEnvironment, Secret, parse_account
from jumun.brokers.kis.fields import Fields
from jumun.model.ids import AccountId, BrokerOrderNo, OrderId
from jumun.model.instruments import Instrument, Market, Product, Venue
from jumun.model.money import Currency
from jumun.model.orders import BrokerRef, OrderType, Side, TimeInForce, TradingSession
from jumun.model.reports import CancelRequest, ModifyRequest, SubmitRequest
from jumun.ports.wire import HttpReply

LIVE, PAPER = KisEnvironment.LIVE, KisEnvironment.PAPER
FIXTURES: Final = Path(__file__).resolve().parents[2] / "fixtures" / "kis"
TODAY: Final = date(2026, 11, 20)
BEFORE_REFORM: Final = date(2026, 9, 11)
ACCOUNT: Final[KisAccount] = parse_account("12345678-01")
SHARE: Final = Instrument(
    symbol="005930",
    market=Market.KOSPI,
    product=Product.SHARE,
    currency=Currency.KRW,
    venue=Venue.KRX,
    nxt=True,
)
FUND: Final = Instrument(
    symbol="069500", market=Market.KOSPI, product=Product.ETF, currency=Currency.KRW, venue=Venue.KRX
)
APPLE: Final = Instrument(
    symbol="AAPL",
    market=Market.US,
    product=Product.SHARE,
    currency=Currency.USD,
    venue=Venue.US,
    exchange="NASD",
)
REF: Final = BrokerRef(trade_date="2026-11-20", branch="06010", number=BrokerOrderNo("0000012345"))


def an_access(
    environment: KisEnvironment = LIVE, *, rest: str = "", ws: str = "", rate: int = 18
) -> KisAccess:
    return KisAccess(
        environment=environment,
        app_key=Secret("k" * 36),
        app_secret=Secret("s" * 180),
        accounts=(ACCOUNT,),
        hts_id="myhtsid",
        rate_per_s=rate,
        rest_base=rest,
        ws_base=ws,
    )


def a_request(
    instrument: Instrument = SHARE,
    *,
    venue: Venue | None = None,
    side: Side = Side.BUY,
    order_type: OrderType = OrderType.LIMIT,
    tif: TimeInForce = TimeInForce.DAY,
    session: TradingSession = TradingSession.REGULAR,
    qty: str = "10",
    price: str | None = "70000",
    stop_price: str | None = None,
    is_venue_asked: bool = False,
) -> SubmitRequest:
    return SubmitRequest(
        order_id=OrderId("o-1"),
        attempt=1,
        account_id=ACCOUNT.account_id,
        symbol=instrument.symbol,
        venue=venue or instrument.venue,
        is_venue_asked=is_venue_asked,
        currency=instrument.currency,
        side=side,
        order_type=order_type,
        tif=tif,
        qty=Decimal(qty),
        price=None if price is None else Decimal(price),
        trade_date=TODAY.isoformat(),
        reference=None,
        stop_price=None if stop_price is None else Decimal(stop_price),
        session=session,
    )


def a_modify(
    *,
    instrument: Instrument = SHARE,
    before: str = "10",
    left: str = "10",
    price_before: str | None = "70000",
    price: str | None = "70000",
) -> ModifyRequest:
    return ModifyRequest(
        order_id=OrderId("o-1"),
        account_id=ACCOUNT.account_id,
        symbol=instrument.symbol,
        venue=instrument.venue,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        tif=TimeInForce.DAY,
        ref=REF,
        qty=Decimal(left),
        qty_left=Decimal(left),
        qty_left_before=Decimal(before),
        price=None if price is None else Decimal(price),
        price_before=None if price_before is None else Decimal(price_before),
    )


def a_cancel(instrument: Instrument = SHARE, *, left: str = "7") -> CancelRequest:
    return CancelRequest(
        order_id=OrderId("o-1"),
        account_id=ACCOUNT.account_id,
        symbol=instrument.symbol,
        venue=instrument.venue,
        ref=REF,
        qty_left=Decimal(left),
    )


def body_of(name: str) -> dict[str, object]:
    """Return a recorded-shape reply; see tests/fixtures/kis/README.md."""
    body = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    assert isinstance(body, dict)
    return body


def a_reply(body: Mapping[str, object] | bytes, *, status: int = 200, tr_id: str = "") -> HttpReply:
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return HttpReply(status=status, headers={"tr_id": tr_id} if tr_id else {}, body=raw)


def recorded(name: str, *, status: int = 200, tr_id: str = "") -> HttpReply:
    return a_reply((FIXTURES / f"{name}.json").read_bytes(), status=status, tr_id=tr_id)


def rows_of(body: Mapping[str, object], block: str = "output1") -> list[Fields]:
    rows = body[block]
    assert isinstance(rows, list)
    return [Fields(row, f"row {index}") for index, row in enumerate(rows, 1)]


def first_of(name: str, block: str) -> dict[str, object]:
    """Return the first row of a recorded-shape reply."""
    rows = body_of(name)[block]
    assert isinstance(rows, list)
    row = rows[0]
    assert isinstance(row, dict)
    return row


def a_row(
    number: int,
    ordered: object,
    *,
    filled: object = 0,
    working: object = 0,
    refused: object = 0,
    cancelled: object = 0,
    parent: int = 0,
    mark: str = "",
    **fields: str,
) -> dict[str, object]:
    """One row of inquire-daily-ccld: whole numbers as text, at 70,000 won a share."""
    return first_of("daily_ccld_working", "output1") | {
        "odno": f"{number:010}",
        "orgn_odno": f"{parent:010}" if parent else "",
        "ord_qty": str(ordered),
        "tot_ccld_qty": str(filled),
        "tot_ccld_amt": str(70_000 * int(str(filled))),
        "rmn_qty": str(working),
        "rjct_qty": str(refused),
        "cncl_cfrm_qty": str(cancelled),
        "cncl_yn": mark,
        **fields,
    }


def listed(*rows: Mapping[str, object]) -> list[Fields]:
    return [Fields(row, f"row {index}") for index, row in enumerate(rows, 1)]


def an_account_id() -> AccountId:
    return ACCOUNT.account_id
