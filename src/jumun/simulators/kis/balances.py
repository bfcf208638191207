"""Holdings and cash of Korean shares, by symbol and by settlement day (kis.md 3.1.8, 3.1.9)."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Final

import msgspec

from jumun.exchange.snapshot import AccountState
from jumun.model.instruments import Venue
from jumun.model.money import EXACT, WIDE
from jumun.rules.sessions import is_session
from jumun.rules.trading_days import GAP_DAYS_MAX, NoCalendar
from jumun.simulators.kis.asking import Ask, Fields, Told
from jumun.simulators.kis.day_prices import BOTH, HOME, NXT
from jumun.simulators.kis.figures import ZERO, fixed, plain, ratio, whole
from jumun.simulators.kis.office import Office, shares_free
from jumun.simulators.kis.paging import page_of
from jumun.simulators.kis.positions import Traded, business_day_after

PRICED_AT: Final = {"N": HOME, "X": NXT, "Y": BOTH, "": HOME}  # AFHR_FLPR_YN since 2026-09-14
KRW: Final = "KRW"
LENDABLE: Final = Decimal("0.8")  # sbst_pric as in the portal's example; nobody lends here


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a balance."""

    symbol: str
    name: str
    qty: Decimal
    free: Decimal
    cost: Decimal
    average: Decimal
    price: Decimal
    base: Decimal
    today: Traded
    before: Traded

    @property
    def value(self) -> Decimal:
        """What it is worth now."""
        return EXACT.multiply(self.price, self.qty)

    @property
    def gain(self) -> Decimal:
        """Worth above cost."""
        return WIDE.subtract(self.value, self.cost)


def balance(office: Office, ask: Ask) -> Told:
    """Return holdings and cash."""
    ask.choice("INQR_DVSN", ("00", "01", "02"))
    state = office.account(ask.account_id)
    lines = held_lines(office, ask, state)
    page, told = page_of(ask, lines, lambda line: line.symbol, _filters(ask))
    blocks = {
        "output1": [_line(line) for line in page],
        "output2": [_cash(office, ask.account_id, state, lines)],
    }
    return msgspec.structs.replace(told, blocks=blocks)


def balance_rlz_pl(office: Office, ask: Ask) -> Told:
    """Return holdings and cash with what was realised today."""
    state = office.account(ask.account_id)
    lines = held_lines(office, ask, state)
    page, told = page_of(ask, lines, lambda line: line.symbol, _filters(ask))
    today = office.positions.traded(ask.account_id, office.today().isoformat(), KRW)
    realised = WIDE.subtract(today.realised, today.costs if ask.text("COST_ICLD_YN") == "Y" else ZERO)
    cost_of_sold = WIDE.subtract(today.sold, today.realised)
    all_cost = _sum(line.cost for line in lines)
    all_gain = WIDE.add(_sum(line.gain for line in lines), realised)
    sums = _cash(office, ask.account_id, state, lines) | {
        "rlzt_pfls": whole(realised),
        "rlzt_erng_rt": fixed(ratio(realised, cost_of_sold), 2),
        "real_evlu_pfls": whole(all_gain),
        "real_evlu_pfls_erng_rt": fixed(ratio(all_gain, all_cost), 2),
    }
    blocks = {"output1": [_line(line) for line in page], "output2": [sums]}
    return msgspec.structs.replace(told, blocks=blocks)


def held_lines(office: Office, ask: Ask, state: AccountState) -> list[Held]:
    """Return what is held, and what was sold out of and has not settled, by symbol."""
    positions, account_id = office.positions, ask.account_id
    today = office.today().isoformat()
    before = day_before(office).isoformat()
    symbols = {*state.holdings, *positions.unsettled_symbols(account_id, today)}
    place = PRICED_AT.get(ask.text("AFHR_FLPR_YN"), HOME)
    lines: list[Held] = []
    for symbol in sorted(symbols):
        instrument = office.instrument(symbol, overseas=False)
        if instrument is None:
            continue  # an overseas holding: another inquiry
        lot = positions.lot(account_id, symbol)
        lines.append(
            Held(
                symbol=symbol,
                name=instrument.name,
                qty=state.holdings.get(symbol, ZERO),
                free=shares_free(state, symbol),
                cost=lot.cost,
                average=lot.average,
                price=office.board.price(instrument, place),
                base=office.board.base(instrument),
                today=positions.traded(account_id, today, KRW, symbol),
                before=positions.traded(account_id, before, KRW, symbol),
            )
        )
    return lines


def day_before(office: Office) -> date:
    """Return the newest session before today; the calendar day before where no calendar reaches."""
    day = office.today()
    for count in range(1, GAP_DAYS_MAX):
        earlier = day.fromordinal(day.toordinal() - count)
        try:
            if is_session(Venue.KRX, earlier, office.market.world.overrides):
                return earlier
        except NoCalendar:
            break
    return day.fromordinal(day.toordinal() - 1)


def cash_by_day(office: Office, account_id: str, state: AccountState) -> tuple[Decimal, Decimal, Decimal]:
    """Return won of today, D+1 and D+2: what has settled by then, and what open orders hold back included."""
    total = state.cash.get(KRW, ZERO)
    today = office.today()
    tomorrow = business_day_after(Venue.KRX, today, office.market.world.overrides)
    late = office.positions.not_settled_by
    return (
        EXACT.subtract(total, late(account_id, KRW, today.isoformat())),
        EXACT.subtract(total, late(account_id, KRW, tomorrow.isoformat())),
        total,
    )


def _filters(ask: Ask) -> list[str]:
    names = ("CANO", "ACNT_PRDT_CD", "AFHR_FLPR_YN", "OFL_YN", "INQR_DVSN", "UNPR_DVSN", "FUND_STTL_ICLD_YN")
    return [ask.text(name) for name in names]


def _line(line: Held) -> Fields:
    return {
        "pdno": line.symbol,
        "prdt_name": line.name,
        "trad_dvsn_name": "현금",
        "bfdy_buy_qty": whole(line.before.bought_qty),
        "bfdy_sll_qty": whole(line.before.sold_qty),
        "thdt_buyqty": whole(line.today.bought_qty),
        "thdt_sll_qty": whole(line.today.sold_qty),
        "hldg_qty": whole(line.qty),
        "ord_psbl_qty": whole(line.free),
        "pchs_avg_pric": fixed(line.average, 4),
        "pchs_amt": whole(line.cost),
        "prpr": whole(line.price),
        "evlu_amt": whole(line.value),
        "evlu_pfls_amt": whole(line.gain),
        "evlu_pfls_rt": fixed(ratio(line.gain, line.cost), 2),
        "evlu_erng_rt": "0.00000000",
        "fltt_rt": fixed(ratio(line.price - line.base, line.base), 8),
        "bfdy_cprs_icdc": plain(line.price - line.base),
        "item_mgna_rt_name": "100%",
        "sbst_pric": whole(WIDE.multiply(line.base, LENDABLE)),
        "stck_loan_unpr": "0.0000",
    }


def _cash(office: Office, account_id: str, state: AccountState, lines: list[Held]) -> Fields:
    positions = office.positions
    today = positions.traded(account_id, office.today().isoformat(), KRW)
    before = positions.traded(account_id, day_before(office).isoformat(), KRW)
    at_once, next_day, after = cash_by_day(office, account_id, state)
    value, cost = _sum(line.value for line in lines), _sum(line.cost for line in lines)
    total = EXACT.add(value, after)
    # As it was yesterday: the same shares at their base prices, and what today's trades moved put back.
    moved = EXACT.subtract(EXACT.subtract(today.sold, today.bought), today.costs)
    base = _sum(
        EXACT.multiply(line.base, line.qty - line.today.bought_qty + line.today.sold_qty) for line in lines
    )
    yesterday = EXACT.add(base, EXACT.subtract(after, moved))
    return {
        "dnca_tot_amt": whole(at_once),
        "nxdy_excc_amt": whole(next_day),
        "prvs_rcdl_excc_amt": whole(after),
        "bfdy_buy_amt": whole(before.bought),
        "thdt_buy_amt": whole(today.bought),
        "bfdy_sll_amt": whole(before.sold),
        "thdt_sll_amt": whole(today.sold),
        "bfdy_tlex_amt": whole(before.costs),
        "thdt_tlex_amt": whole(today.costs),
        "scts_evlu_amt": whole(value),
        "tot_evlu_amt": whole(total),
        "nass_amt": whole(total),
        "fncg_gld_auto_rdpt_yn": "",
        "pchs_amt_smtl_amt": whole(cost),
        "evlu_amt_smtl_amt": whole(value),
        "evlu_pfls_smtl_amt": whole(WIDE.subtract(value, cost)),
        "bfdy_tot_asst_evlu_amt": whole(yesterday),
        "asst_icdc_amt": whole(EXACT.subtract(total, yesterday)),
        "asst_icdc_erng_rt": "0.00000000",
    }


def _sum(numbers: Iterable[Decimal]) -> Decimal:
    total = ZERO
    for number in numbers:
        total = WIDE.add(total, number)
    return total
