"""Control calls for the exchange's own acts, so that they reach it over a socket and stand in its ledger.

Each is one method of `Acts` or `Pit`; see there for what it does and which fault it plays.
"""

from decimal import Decimal
from typing import Final, assert_never

import msgspec

from jumun.exchange.market import Market
from jumun.model.instruments import Venue


class Offer(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="offer"):
    """Bring background interest into the next auction."""

    symbol: str
    price: Decimal
    volume: Decimal


class Halt(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="halt"):
    """Stop trading of one issue, until an instant or until `Resume`."""

    symbol: str
    until_ns: int | None = None
    text: str = "halted"


class Resume(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="resume"):
    """End a halt."""

    symbol: str


class Interrupt(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="interrupt"):
    """Start a volatility interruption."""

    symbol: str


class BreakCircuit(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="break_circuit"):
    """Stop a whole market."""

    venue: Venue
    stage: int = 1


class MassCancel(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="mass_cancel"):
    """Cancel open orders ex officio."""

    symbol: str | None = None
    account_id: str | None = None
    text: str = "cancelled by the exchange"


class RefuseLater(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="refuse_later"):
    """Reject an order that was accepted."""

    key: str
    text: str = "refused by the exchange"


class IgnoreCancels(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="ignore_cancels"):
    """Answer the next cancels and carry none of them out."""

    count: int


class OverFill(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="over_fill"):
    """Fill an order beyond what it asked for."""

    key: str
    qty: Decimal
    price: Decimal


class BustTrade(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="bust_trade"):
    """Take a fill back, or reprice it."""

    execution_id: str
    price_new: Decimal | None = None


class Adjust(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="adjust"):
    """Move cash or shares without a fill."""

    account_id: str
    cash: dict[str, Decimal] = {}
    holdings: dict[str, Decimal] = {}
    text: str = ""


class BlockCash(msgspec.Struct, frozen=True, kw_only=True, tag_field="method", tag="block_cash"):
    """Hold back cash for no order."""

    account_id: str
    currency: str
    amount: Decimal


Act = (
    Offer
    | Halt
    | Resume
    | Interrupt
    | BreakCircuit
    | MassCancel
    | RefuseLater
    | IgnoreCancels
    | OverFill
    | BustTrade
    | Adjust
    | BlockCash
)
ACTS: Final = (
    Offer,
    Halt,
    Resume,
    Interrupt,
    BreakCircuit,
    MassCancel,
    RefuseLater,
    IgnoreCancels,
    OverFill,
    BustTrade,
    Adjust,
    BlockCash,
)


def carry_out(market: Market, act: Act, now_ns: int) -> None:
    """Do it; raises BadInput where it cannot be."""
    match act:
        case Offer():
            market.offer(act.symbol, act.price, act.volume, now_ns)
        case Halt():
            market.halt(act.symbol, now_ns, until_ns=act.until_ns, text=act.text)
        case Resume():
            market.resume(act.symbol, now_ns)
        case Interrupt():
            market.interrupt(act.symbol, now_ns)
        case BreakCircuit():
            market.break_circuit(act.venue, now_ns, stage=act.stage)
        case MassCancel():
            market.mass_cancel(now_ns, symbol=act.symbol, account_id=act.account_id, text=act.text)
        case RefuseLater():
            market.refuse_later(act.key, now_ns, text=act.text)
        case IgnoreCancels():
            market.ignore_cancels(act.count)
        case OverFill():
            market.over_fill(act.key, act.qty, act.price, now_ns)
        case BustTrade():
            market.bust(act.execution_id, now_ns, price_new=act.price_new)
        case Adjust():
            market.adjust(act.account_id, now_ns, cash=act.cash, holdings=act.holdings, text=act.text)
        case BlockCash():
            market.block_cash(act.account_id, act.currency, act.amount, now_ns)
        case _:
            assert_never(act)
