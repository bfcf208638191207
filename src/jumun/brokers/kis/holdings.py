"""Shares and cash as KIS counts them (kis.md 3.1.6 to 3.1.8, 3.3.5 to 3.3.7). Pure.

A balance is complete or it is none: totals that contradict the rows make it unreadable (F-40, I-39).
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from jumun.brokers.kis.codes import EXCHANGES
from jumun.brokers.kis.fields import ZERO, Fields
from jumun.brokers.kis.replies import Envelope, record_in, rows_in
from jumun.brokers.kis.switches import DEFAULTS, KisSwitches
from jumun.model.errors import UnreadableReply
from jumun.model.instruments import Venue
from jumun.model.money import Currency, exact_sum
from jumun.model.reports import Holding

# What the totals say of the shares. Cash is not among them: it may be there without any share.
HOME_TOTALS: Final = ("pchs_amt_smtl_amt", "evlu_amt_smtl_amt")  # what they cost, what they are worth
US_COST: Final = ("frcr_pchs_amt1",)
US_TOTALS: Final = ("frcr_pchs_amt1", "tot_evlu_pfls_amt")  # what they cost, their profit so far


class BuyingPower(msgspec.Struct, frozen=True, kw_only=True):
    """What KIS would let a buy use, without unsettled credit. `price` is the one it counted with."""

    amount: Decimal
    qty: Decimal
    price: Decimal | None


class Sellable(msgspec.Struct, frozen=True, kw_only=True):
    """How many shares of a symbol KIS would let us sell now."""

    symbol: str
    qty: Decimal


def domestic_balance(
    pages: Sequence[Envelope], switches: KisSwitches = DEFAULTS
) -> tuple[tuple[Holding, ...], Decimal]:
    """Return the holdings at KRX and the cash in won, from all pages of inquire-balance.

    Holdings count by trade date. Cash is that of D+2 by default: it holds today's trades, D+1 leaves out
    today's buys. It may be below zero. The totals are those of the last page.
    """
    rows = [row for page in pages for row in rows_in(page, "output1")]
    totals = record_in(_last(pages), "output2")
    holdings = _summed(rows)
    _require_agreement(totals, HOME_TOTALS, HOME_TOTALS, has_shares=bool(holdings))
    return holdings, totals.signed(switches.krw_cash)


def us_holdings(pages: Sequence[Envelope]) -> tuple[Holding, ...]:
    """Return the US shares of one inquiry of the overseas inquire-balance, from all of its pages.

    Live, one inquiry for NASD covers all US exchanges. On paper each one is asked: join them with `joined`.
    """
    rows = [row for page in pages for row in rows_in(page, "output1")]
    totals = record_in(_last(pages), "output2")
    found: dict[str, Decimal] = {}
    for row in rows:
        exchange = row.one_of(EXCHANGES, "ovrs_excg_cd")
        if exchange.venue is not Venue.US or row.text("tr_crcy_cd") != Currency.USD:
            raise row.unreadable(f"{row.text('tr_crcy_cd')} at {row.text('ovrs_excg_cd')} was not asked for")
        symbol = row.symbol("ovrs_pdno")
        if symbol in found:
            raise row.unreadable(f"{symbol} is listed twice: the list moved while it was read")
        found[symbol] = row.number("ovrs_cblc_qty")  # a fraction of a share may be held
    holdings = tuple(Holding(symbol=symbol, qty=qty) for symbol, qty in found.items() if qty)
    _require_agreement(totals, US_COST, US_TOTALS, has_shares=bool(holdings))
    return holdings


def joined(*groups: Sequence[Holding]) -> tuple[Holding, ...]:
    """Return the holdings of several inquiries; the same fact told twice counts once.

    Two different counts of one symbol raise UnreadableReply.
    """
    found: dict[str, Holding] = {}
    for holding in (one for group in groups for one in group):
        known = found.setdefault(holding.symbol, holding)
        if known != holding:
            raise UnreadableReply(
                f"{holding.symbol} is {known.qty} shares in one answer, {holding.qty} in another; ask again",
                raw=f"{known} {holding}",
            )
    return tuple(found.values())


def us_cash(envelope: Envelope, switches: KisSwitches = DEFAULTS) -> Decimal:
    """Return the dollars of inquire-present-balance; none listed is none held.

    Live only: on paper only `output3` means anything (kis.md 7.3), so the dollars there are not told.
    """
    listed = rows_in(envelope, "output2")
    dollars = [row for row in listed if row.text("crcy_cd") == Currency.USD]
    if len(dollars) > 1:
        raise dollars[1].unreadable("dollars are listed twice")
    if dollars:
        return dollars[0].signed(switches.usd_cash)
    totals = record_in(envelope, "output3")
    if not listed and totals.signed("frcr_use_psbl_amt"):
        raise totals.unreadable("no currency is listed, yet foreign money could be used")
    return ZERO


def buying_power(envelope: Envelope) -> BuyingPower:
    """Return what inquire-psbl-order allows, without unsettled credit (nrcvb_buy_*)."""
    output = record_in(envelope, "output")
    return BuyingPower(
        amount=output.signed("nrcvb_buy_amt"),
        qty=output.shares("nrcvb_buy_qty"),
        price=output.number("psbl_qty_calc_unpr") or None,
    )


def us_buying_power(envelope: Envelope) -> BuyingPower:
    """Return what inquire-psamount allows with the account's own dollars, at the price asked for."""
    output = record_in(envelope, "output")
    if output.text("tr_crcy_cd") != Currency.USD:
        raise output.unreadable(f"tr_crcy_cd is {output.text('tr_crcy_cd')} and dollars were asked for")
    return BuyingPower(
        amount=output.signed("ovrs_ord_psbl_amt"), qty=output.shares("max_ord_psbl_qty"), price=None
    )


def sellable(envelope: Envelope) -> Sellable:
    """Return what inquire-psbl-sell allows; tables and examples name its block differently (part 8, 5)."""
    output = record_in(envelope, "output", "output1")
    return Sellable(symbol=output.symbol("pdno"), qty=output.shares("ord_psbl_qty"))


def _last(pages: Sequence[Envelope]) -> Envelope:
    assert pages, "an inquiry has at least one page"
    return pages[-1]


def _summed(rows: Sequence[Fields]) -> tuple[Holding, ...]:
    """Add up the lots of each symbol; lots differ by loan date, so the same one twice is a moved list."""
    found: dict[str, Decimal] = {}
    seen: set[tuple[str, str, str]] = set()
    for row in rows:
        symbol = row.symbol("pdno")
        lot = (symbol, row.optional("loan_dt"), row.optional("trad_dvsn_name"))
        if lot in seen:
            raise row.unreadable(f"{symbol} is listed twice: the list moved while it was read")
        seen.add(lot)
        found[symbol] = exact_sum((found.get(symbol, ZERO), row.shares("hldg_qty")))
    # What was sold stays listed with zero shares for two days.
    return tuple(Holding(symbol=symbol, qty=qty) for symbol, qty in found.items() if qty)


def _require_agreement(
    totals: Fields, of_shares_alone: Sequence[str], of_shares: Sequence[str], *, has_shares: bool
) -> None:
    """Shares and totals are both there or both not; `of_shares_alone` is zero where no share is held."""
    if not has_shares and any(totals.signed(name) for name in of_shares_alone):
        raise totals.unreadable("the totals are not zero and no row holds a share")
    if has_shares and not any(totals.signed(name) for name in of_shares):
        raise totals.unreadable("rows hold shares and the totals are zero")
