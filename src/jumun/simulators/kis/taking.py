"""The four things a client can do to the market through this house, with the numbers KIS gives out for them.

New orders and revises carry the market's numbers. A cancel has a number of its own, as has any request that
the exchange refuses after KIS took it (switch `refusals`).
"""

from decimal import Decimal

import msgspec

from jumun.exchange.records import MarketEvent, NewOrder, OrderChanged, OrderRecord, Refusal, RejectCode
from jumun.model.instruments import Venue
from jumun.model.reports import BrokerState
from jumun.simulators.kis.asking import Ask, Fields
from jumun.simulators.kis.figures import hms, korean
from jumun.simulators.kis.messages import EXCHANGE_SAYS, SHARED, refused_by_market
from jumun.simulators.kis.office import Office
from jumun.simulators.kis.records import OwnRow
from jumun.simulators.kis.requests import OrderNote, RequestKind, RequestTaken


def submit(office: Office, ask: Ask, order: NewOrder, note: OrderNote, trade_date: str) -> Fields:
    """Send a new order; raises KisRefused. `trade_date` is the venue's, for a refusal that comes later."""
    market = office.market
    count = len(market.orders)

    def act(events: tuple[MarketEvent, ...]) -> RequestTaken | None:
        if len(market.orders) == count:
            return None
        key = next(reversed(market.orders))  # the newest: one call takes one order in
        made = next(one.order for one in events if isinstance(one, OrderChanged) and one.order.key == key)
        office.records.note(key, note)
        return _told_of(office, ask, RequestKind.NEW, made, note, number=made.number, key=key)

    answer, told = office.carry_out(lambda: market.submit(order, market.now_ns), act)
    if told is not None:
        return _ticket(office, told.number)
    assert isinstance(answer, Refusal), "an order was taken and nobody was told"
    _require_told_later(office, answer, overseas=order.venue is Venue.US)
    row = OwnRow(
        kind=RequestKind.NEW,
        account_id=order.account_id,
        trade_date=trade_date,
        number=office.records.own_number(trade_date),
        original="",
        symbol=order.symbol,
        venue=order.venue,
        side=order.side,
        qty=order.qty,
        price=order.price,
        note=note,
        ts_ns=market.now_ns,
        rejected=True,
        confirmed=False,
        text=answer.text,
    )
    return _told_later(office, ask, row, key="")


def cancel(office: Office, ask: Ask, record: OrderRecord, note: OrderNote) -> Fields:
    """Cancel all that is left of an order; raises KisRefused."""
    market = office.market

    def act(events: tuple[MarketEvent, ...]) -> RequestTaken | None:
        mine = [one.order for one in events if isinstance(one, OrderChanged) and one.order.key == record.key]
        if events and not mine:
            return None  # refused
        done = any(one.state is BrokerState.CANCELLED for one in mine)
        row = _row(office, RequestKind.CANCEL, record, record.qty_left, note, confirmed=done)
        return _kept(office, ask, row, key=record.key)

    answer, told = office.carry_out(lambda: market.cancel(*_named(record), market.now_ns), act)
    if told is None:
        assert isinstance(answer, Refusal), "a cancel was done and nobody was told"
        return _refused_change(office, ask, RequestKind.CANCEL, record, record.qty_left, note, answer)
    return _ticket(office, told.number)


def cut(office: Office, ask: Ask, record: OrderRecord, qty: Decimal, note: OrderNote) -> Fields:
    """Cancel a part: the rest stays at KIS under the old number; raises KisRefused."""
    market = office.market

    def act(events: tuple[MarketEvent, ...]) -> RequestTaken | None:
        rest = _rest_of(record, events)
        if rest is None:
            return None
        if rest.key != record.key:
            office.records.go_on(record.key, rest.key)
        row = _row(office, RequestKind.CANCEL, record, qty, note)
        return _kept(office, ask, row, key=record.key, made=rest.key)

    answer, told = office.carry_out(
        lambda: market.modify(*_named(record), market.now_ns, qty_cut=qty, tag=ask.tag), act
    )
    if told is None:
        assert isinstance(answer, Refusal), "a cancel was done and nobody was told"
        return _refused_change(office, ask, RequestKind.CANCEL, record, qty, note, answer)
    return _ticket(office, told.number)


def revise(office: Office, ask: Ask, record: OrderRecord, price: Decimal | None, note: OrderNote) -> Fields:
    """Set another price on all that is left; raises KisRefused. The rest goes to a new number."""
    market = office.market

    def act(events: tuple[MarketEvent, ...]) -> RequestTaken | None:
        rest = _rest_of(record, events)
        if rest is None:
            return None
        office.records.note(rest.key, note)
        original = office.records.number_of(record.key)
        return _told_of(
            office,
            ask,
            RequestKind.REVISE,
            rest,
            note,
            number=rest.number,
            original=original,
            key=record.key,
            made=rest.key,
        )

    answer, told = office.carry_out(
        lambda: market.modify(*_named(record), market.now_ns, price=price, tag=ask.tag), act
    )
    if told is None:
        assert isinstance(answer, Refusal), "a revise was done and nobody was told"
        kind, changed = RequestKind.REVISE, msgspec.structs.replace(record, price=price)
        return _refused_change(office, ask, kind, changed, record.qty_left, note, answer)
    return _ticket(office, told.number)


def require_open(office: Office, record: OrderRecord | None) -> OrderRecord:
    """Return the order a change names; raises KisRefused for none.

    One that has ended is refused by the exchange, in the reply or later.
    """
    if record is None:
        refusal = Refusal(code=RejectCode.NOT_FOUND, text="no such order")
        raise refused_by_market(refusal, overseas=False, closed_code=SHARED)
    if not record.is_open and office.switches.refusals == "reply":
        refusal = Refusal(code=RejectCode.FINISHED, text=f"order {record.key} is already {record.state}")
        raise refused_by_market(refusal, overseas=False, closed_code=SHARED)
    return record


def _named(record: OrderRecord) -> tuple[str, str, str, str]:
    return record.account_id, record.trade_date, record.branch, record.number


def _rest_of(record: OrderRecord, events: tuple[MarketEvent, ...]) -> OrderRecord | None:
    """Return the order that holds the rest after a modify, as it was before it traded on."""
    changed = [event.order for event in events if isinstance(event, OrderChanged)]
    return next((one for one in changed if record.key in (one.replaces, one.key) and one.is_open), None)


def _row(
    office: Office,
    kind: RequestKind,
    record: OrderRecord,
    qty: Decimal,
    note: OrderNote,
    *,
    confirmed: bool = True,
) -> OwnRow:
    return OwnRow(
        kind=kind,
        account_id=record.account_id,
        trade_date=record.trade_date,
        number=office.records.own_number(record.trade_date),
        original=office.records.number_of(record.key),
        symbol=record.symbol,
        venue=record.venue,
        side=record.side,
        qty=qty,
        price=record.price,
        note=note,
        ts_ns=office.market.now_ns,
        confirmed=confirmed,
    )


def _kept(office: Office, ask: Ask, row: OwnRow, *, key: str, made: str = "") -> RequestTaken:
    """Keep a request that has a number of its own; return what is told of it."""
    office.records.add(row)
    return RequestTaken(
        kind=row.kind,
        customer=ask.customer,
        account_id=row.account_id,
        trade_date=row.trade_date,
        branch=office.market.world.branch,
        number=row.number,
        original=row.original,
        key=key,
        made=made,
        symbol=row.symbol,
        venue=row.venue,
        side=row.side,
        ord_dvsn=row.note.ord_dvsn,
        exchange=row.note.exchange,
        qty=row.qty,
        price=row.price,
        ts_ns=row.ts_ns,
        taken=not row.rejected,
        confirmed=row.confirmed,
        text=row.text,
    )


def _told_of(
    office: Office,
    ask: Ask,
    kind: RequestKind,
    order: OrderRecord,
    note: OrderNote,
    *,
    number: str,
    key: str,
    original: str = "",
    made: str = "",
) -> RequestTaken:
    return RequestTaken(
        kind=kind,
        customer=ask.customer,
        account_id=order.account_id,
        trade_date=order.trade_date,
        branch=order.branch,
        number=number,
        original=original,
        key=key,
        made=made,
        symbol=order.symbol,
        venue=order.venue,
        side=order.side,
        ord_dvsn=note.ord_dvsn,
        exchange=note.exchange,
        qty=order.qty,
        price=order.price,
        ts_ns=office.market.now_ns,
    )


def _refused_change(
    office: Office,
    ask: Ask,
    kind: RequestKind,
    record: OrderRecord,
    qty: Decimal,
    note: OrderNote,
    refusal: Refusal,
) -> Fields:
    _require_told_later(office, refusal, overseas=record.venue is Venue.US)
    row = _row(office, kind, record, qty or record.qty, note, confirmed=False)  # nothing is left of some
    row = msgspec.structs.replace(row, rejected=True, text=refusal.text)
    return _told_later(office, ask, row, key=record.key)


def _told_later(office: Office, ask: Ask, row: OwnRow, *, key: str) -> Fields:
    office.tell(_kept(office, ask, row, key=key))
    return _ticket(office, row.number)


def _require_told_later(office: Office, refusal: Refusal, *, overseas: bool) -> None:
    """Raise the refusal, unless the exchange tells it by a notice after KIS has said yes (F-51)."""
    if office.switches.refusals == "reply" or refusal.code not in EXCHANGE_SAYS:
        raise refused_by_market(refusal, overseas=overseas, closed_code=office.switches.closed_code)


def _ticket(office: Office, number: str) -> Fields:
    """Return what KIS answers to every request it took."""
    now = korean(office.market.now_ns)
    return {"KRX_FWDG_ORD_ORGNO": office.market.world.branch, "ODNO": number, "ORD_TMD": hms(now)}
