"""Carries out one call of the protocol on a market: the same in memory, on a socket and in a replay."""

from collections.abc import Iterable
from decimal import ROUND_DOWN
from typing import Final, assert_never

import msgspec

from jumun.exchange.market import Market
from jumun.exchange.protocol import (
    PAGE_SIZE,
    VERSION,
    Advance,
    Answer,
    AskBalance,
    AskHistory,
    AskIndicative,
    AskOracle,
    AskQuotes,
    BalanceTold,
    Cancel,
    Change,
    Command,
    Done,
    Hello,
    HistoryPage,
    IndicativeTold,
    Modify,
    OpenAccount,
    OracleTold,
    OrderCancelled,
    OrderModified,
    OrderTaken,
    Question,
    QuotesTold,
    Refused,
    SetBase,
    Step,
    Submit,
    Subscribe,
    Welcome,
)
from jumun.exchange.records import (
    AccountAdjusted,
    AccountOpened,
    CancelNotDone,
    CostsTold,
    Executed,
    Interrupted,
    MarketEvent,
    ModifyNotDone,
    OrderChanged,
    OrderRecord,
    OrderRefused,
    Printed,
    Refusal,
    TradeBusted,
)
from jumun.exchange.scripted import ACTS, carry_out
from jumun.exchange.world import World
from jumun.model.errors import OmsError

CHANGES: Final = (Submit, Cancel, Modify, Step, SetBase, OpenAccount, Advance, *ACTS)


def is_change(command: Command) -> bool:
    """Whether a call can change the market, and so must be in the ledger before it is answered."""
    return isinstance(command, CHANGES)


def answer(market: Market, command: Command, now_ns: int) -> Answer:
    """Carry out any call. What we refuse on purpose is an answer; anything else is a bug and raises."""
    try:
        if isinstance(command, CHANGES):
            return change(market, command, now_ns)
        return _tell(market, command, now_ns)
    except OmsError as error:
        return Refused(code=error.code, text=str(error))


def change(market: Market, command: Change, now_ns: int) -> Answer:
    """Carry out a call that can change the market; raises OmsError for a control call that cannot be."""
    match command:
        case Submit(order=order):
            taken = market.submit(order, now_ns)
            return _refused(taken) if isinstance(taken, Refusal) else OrderTaken(order=public(taken))
        case Cancel():
            ended = market.cancel(
                command.account_id, command.trade_date, command.branch, command.number, now_ns
            )
            return _refused(ended) if isinstance(ended, Refusal) else OrderCancelled(order=public(ended))
        case Modify():
            after = market.modify(
                command.account_id,
                command.trade_date,
                command.branch,
                command.number,
                now_ns,
                qty_cut=command.qty_cut,
                price=command.price,
                tag=command.tag,
            )
            return _refused(after) if isinstance(after, Refusal) else OrderModified(order=public(after))
        case Step():
            market.step(
                command.symbol,
                command.price,
                command.volume,
                now_ns,
                quote_qty=command.quote_qty,
                venue=command.venue,
                session=command.session,
            )
        case SetBase():
            market.set_base(command.symbol, command.trade_date, command.price)
        case OpenAccount():
            if not market.has_account(command.account_id):
                market.open_account(
                    command.account_id, cash=command.cash, holdings=command.holdings, now_ns=now_ns
                )
        case Advance():
            market.advance(now_ns)
        case _:
            carry_out(market, command, now_ns)
    return Done()


def concerns(event: MarketEvent, accounts: frozenset[str]) -> bool:
    """Whether a client of these accounts (none named: all) is told; what the market does is for all."""
    match event:
        case Printed() | Interrupted():
            return True
        case OrderChanged(order=order):
            return not accounts or order.account_id in accounts
        case Executed(execution=execution):
            return not accounts or execution.account_id in accounts
        case TradeBusted(bust=bust):
            return not accounts or bust.account_id in accounts
        case CostsTold():
            return not accounts or event.account_id in accounts
        case OrderRefused() | CancelNotDone() | ModifyNotDone() | AccountOpened() | AccountAdjusted():
            return False  # told in the answer only, or not at all
        case _:
            assert_never(event)


def public(order: OrderRecord, world: World | None = None) -> OrderRecord:
    """Return the order without the oracle's tag, which no real broker would send back.

    With World.truncates_averages it shows an average price as some brokers do: cut to whole units (F-39).
    """
    if world is not None and world.truncates_averages and order.qty_filled:
        average = (order.amount_filled / order.qty_filled).to_integral_value(rounding=ROUND_DOWN)
        return msgspec.structs.replace(order, tag="", average_price=average)
    return msgspec.structs.replace(order, tag="") if order.tag else order


def public_events(events: Iterable[MarketEvent], accounts: frozenset[str]) -> list[MarketEvent]:
    """Return what a client of these accounts is told, in order."""
    told: list[MarketEvent] = []
    for event in events:
        if concerns(event, accounts):
            is_order = isinstance(event, OrderChanged) and bool(event.order.tag)
            told.append(_untagged(event) if is_order else event)
    return told


def _untagged(event: MarketEvent) -> MarketEvent:
    assert isinstance(event, OrderChanged)
    return msgspec.structs.replace(event, order=public(event.order))


def _tell(market: Market, command: Question, now_ns: int) -> Answer:
    # The caller has let time pass first (Market.advance): yesterday's orders are not open in the answer.
    match command:
        case Hello():
            return Welcome(exchange=market.world.name, version=VERSION, now_ns=now_ns)
        case AskHistory():
            orders = market.orders_of(command.account_id, command.trade_date)
            page = tuple(
                public(order, market.world) for order in orders[command.start : command.start + PAGE_SIZE]
            )
            return HistoryPage(total=len(orders), start=command.start, orders=page)
        case AskBalance():
            balance = market.balance_of(command.account_id)
            return BalanceTold(balance=balance, total=len(balance.holdings))
        case AskQuotes():
            quotes = (market.quote(instrument.symbol) for instrument in market.master)
            return QuotesTold(quotes=tuple(quote for quote in quotes if quote is not None))
        case AskIndicative():
            return IndicativeTold(clearing=market.indicative(command.symbol))
        case Subscribe():
            return Done()
        case AskOracle():
            return OracleTold(
                now_ns=market.now_ns,
                orders=tuple(market.orders.values()),
                executions=tuple(market.executions),
                arrivals=tuple(market.arrivals),
                modifies=tuple(market.modifies),
                busts=tuple(market.busts),
                balances=tuple(market.balance_of(name) for name in market.accounts()),
                digest=market.digest(),
            )
        case _:
            assert_never(command)


def _refused(refusal: Refusal) -> Refused:
    return Refused(code=refusal.code.value, text=refusal.text)
