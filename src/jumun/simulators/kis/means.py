"""What an account may still buy and sell (kis.md 3.1.6, 3.1.7, 3.1.10, 3.1.12, 3.3.7)."""

from decimal import ROUND_FLOOR, Decimal
from typing import Final

from jumun.exchange.snapshot import AccountState
from jumun.model.instruments import Instrument, Venue
from jumun.model.money import EXACT, WIDE
from jumun.model.orders import Side
from jumun.rules.bands import PriceBand
from jumun.simulators.kis.asking import Ask, Fields, Told
from jumun.simulators.kis.figures import ZERO, fixed, ratio, whole
from jumun.simulators.kis.kinds import DOMESTIC, Pricing
from jumun.simulators.kis.messages import NO_SYMBOL, QUOTE_UNKNOWN, KisRefused, bad_field
from jumun.simulators.kis.office import Office, cash_free, shares_free

CREDIT: Final = ("21", "22", "23", "24", "25", "26", "27", "28")
QUOTE_CODES: Final = ("NASD", "NYSE", "AMEX", "NAS")


def affordable(office: Office, instrument: Instrument, price: Decimal, cash: Decimal) -> Decimal:
    """Return how many shares `cash` pays for at `price`, costs included: the market's own sum."""
    if price <= ZERO or cash <= ZERO:
        return ZERO
    day = office.today(instrument.venue).isoformat()
    qty = WIDE.divide(cash, price).to_integral_value(rounding=ROUND_FLOOR)
    while qty > ZERO:
        value = EXACT.multiply(price, qty)
        need = EXACT.add(value, office.costs.total(instrument, Side.BUY, value, qty, day))
        if need <= cash:
            return qty
        over = WIDE.divide(EXACT.subtract(need, cash), price).to_integral_value(rounding=ROUND_FLOOR)
        qty -= max(over, Decimal(1))
    return ZERO


def psbl_order(office: Office, ask: Ask) -> Told:
    """Return buying power; an order kind without a price counts at the day's upper limit."""
    return Told(blocks={"output": _buying_power(office, ask, with_credit=False)})


def credit_psamount(office: Office, ask: Ask) -> Told:
    """Return buying power on credit, which nobody has here."""
    ask.choice("CRDT_TYPE", CREDIT)
    return Told(blocks={"output": _buying_power(office, ask, with_credit=True)})


def _buying_power(office: Office, ask: Ask, *, with_credit: bool) -> Fields:
    state = office.account(ask.account_id)
    cash = cash_free(state, "KRW")
    price, qty, amount = ZERO, ZERO, cash
    if ask.text("PDNO"):
        instrument = office.instrument(ask.text("PDNO"), overseas=False)
        if instrument is None:
            raise KisRefused(NO_SYMBOL)
        price = _sizing_price(office, ask, instrument)
        qty = affordable(office, instrument, price, cash)
        day = office.today().isoformat()
        amount = EXACT.subtract(cash, office.costs.total(instrument, Side.BUY, cash, Decimal(1), day))
    known = {
        "ord_psbl_cash": whole(cash),
        "psbl_qty_calc_unpr": whole(price),
        "nrcvb_buy_amt": whole(amount),
        "nrcvb_buy_qty": whole(qty),
        "max_buy_amt": whole(amount),
        "max_buy_qty": whole(qty),
        "ord_psbl_frcr_amt_wcrc": whole(_dollars_in_won(office, state) if _takes_dollars(ask) else ZERO),
    }
    if with_credit:
        known |= dict.fromkeys(("nrcvb_buy_amt", "nrcvb_buy_qty", "max_buy_amt", "max_buy_qty"), "0")
    return known


def _sizing_price(office: Office, ask: Ask, instrument: Instrument) -> Decimal:
    kind = DOMESTIC.get(ask.text("ORD_DVSN"))
    if kind is None:
        raise bad_field("ORD_DVSN")
    given = ask.number("ORD_UNPR")
    if kind.pricing is Pricing.GIVEN and given:
        return given
    band: PriceBand | None = office.band(instrument, office.today())
    return office.board.price(instrument) if band is None else band.upper


def _takes_dollars(ask: Ask) -> bool:
    return ask.text("OVRS_ICLD_YN") in ("Y", "1")


def _dollars_in_won(office: Office, state: AccountState) -> Decimal:
    return EXACT.multiply(cash_free(state, "USD"), office.switches.usd_krw)


def psbl_sell(office: Office, ask: Ask) -> Told:
    """Return how many shares of one issue can be sold."""
    instrument = office.instrument(ask.text("PDNO"), overseas=False)
    if instrument is None:
        raise KisRefused(NO_SYMBOL)
    state = office.account(ask.account_id)
    symbol = instrument.symbol
    held = state.holdings.get(symbol, ZERO)
    lot = office.positions.lot(ask.account_id, symbol)
    traded = office.positions.traded(ask.account_id, office.today().isoformat(), "KRW", symbol)
    price = office.board.price(instrument)
    value = EXACT.multiply(price, held)
    gain = WIDE.subtract(value, lot.cost)
    known = {
        "pdno": symbol,
        "prdt_name": instrument.name,
        "buy_qty": whole(traded.bought_qty),
        "sll_qty": whole(traded.sold_qty),
        "cblc_qty": whole(held),
        "ord_psbl_qty": whole(shares_free(state, symbol)),
        "pchs_avg_pric": fixed(lot.average, 4),
        "pchs_amt": whole(lot.cost),
        "now_pric": whole(price),
        "evlu_amt": whole(value),
        "evlu_pfls_amt": whole(gain),
        "evlu_pfls_rt": fixed(ratio(gain, lot.cost), 2),
    }
    return Told(blocks={office.switches.psbl_sell_block: known})


def intgr_margin(office: Office, ask: Ask) -> Told:
    """Return the margin overview: cash and dollars as they are, and nothing of what nobody has here."""
    state = office.account(ask.account_id)
    won, dollars = cash_free(state, "KRW"), cash_free(state, "USD")
    all_won, all_dollars = state.cash.get("KRW", ZERO), state.cash.get("USD", ZERO)
    free = ("20", "30", "40", "50", "60", "100")
    known = {
        "acmga_rt": "100",
        "stck_cash_objt_amt": whole(all_won),
        "stck_cash_use_amt": whole(all_won - won),
        "stck_cash_ord_psbl_amt": whole(won),
        "usd_objt_amt": fixed(all_dollars, 2),
        "usd_use_amt": fixed(all_dollars - dollars, 2),
        "usd_ord_psbl_amt": fixed(dollars, 2),
        "usd_gnrl_ord_psbl_amt": fixed(dollars, 2),
        "usd_itgr_ord_psbl_amt": fixed(dollars, 2),
        "usd_frst_bltn_exrt": fixed(office.switches.usd_krw, 4),
    }
    # Every share needs all of its price here, whatever its margin rate would be.
    known |= {f"stck_cash{rate}_max_ord_psbl_amt": whole(won) for rate in free}
    known |= {f"stck_itgr_cash{rate}_ord_psbl_amt": whole(won) for rate in free}
    return Told(blocks={"output": known})


def psamount(office: Office, ask: Ask) -> Told:
    """Return buying power in dollars; one client reads `rt_cd` 7 as "no such issue"."""
    ask.choice("OVRS_EXCG_CD", QUOTE_CODES)
    instrument = office.instrument(ask.text("ITEM_CD"), overseas=True)
    if instrument is None or instrument.venue is not Venue.US:
        raise KisRefused(QUOTE_UNKNOWN, rt_cd="7")
    state = office.account(ask.account_id)
    cash = cash_free(state, "USD")
    price = ask.number("OVRS_ORD_UNPR") or office.board.price(instrument)
    qty = affordable(office, instrument, price, cash)
    today = office.today(Venue.US).isoformat()
    unsettled = office.positions.not_settled_by(ask.account_id, "USD", today)
    amount = EXACT.multiply(price, qty)
    known = {
        "tr_crcy_cd": "USD",
        "ord_psbl_frcr_amt": fixed(cash, 2),
        "sll_ruse_psbl_amt": fixed(max(unsettled, ZERO), 2),
        "ovrs_ord_psbl_amt": fixed(amount, 2),
        "max_ord_psbl_qty": whole(qty),
        "echm_af_ord_psbl_amt": "0.00",
        "ord_psbl_qty": whole(qty),
        "exrt": fixed(office.switches.usd_krw, 10),
        "frcr_ord_psbl_amt1": fixed(amount, 6),
        "ovrs_max_ord_psbl_qty": whole(qty),
    }
    return Told(blocks={"output": known})
