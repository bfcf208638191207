"""Holdings and money of US shares (kis.md 3.3.5, 3.3.6). Cash counts trades at once, as the market does."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from jumun.exchange.snapshot import AccountState
from jumun.model.instruments import Instrument, Venue
from jumun.model.money import EXACT, WIDE
from jumun.simulators.kis.asking import Ask, Block, Fields, Told
from jumun.simulators.kis.figures import ZERO, fixed, ratio, whole
from jumun.simulators.kis.office import Office, cash_free, shares_free
from jumun.simulators.kis.overseas_inquiries import MARKET_NAME, US
from jumun.simulators.kis.paging import page_of
from jumun.simulators.kis.positions import Lot, Traded

PRODUCT_TYPE: Final = {"NASD": "512", "NYSE": "513", "AMEX": "529"}
TR_MARKET: Final = {"00": "", "01": "NASD", "02": "NYSE", "05": "AMEX"}


def balance(office: Office, ask: Ask) -> Told:
    """Return the holdings of one exchange; NASD is the whole US in real, Nasdaq alone on paper."""
    exchange = ask.text("OVRS_EXCG_CD")
    state = office.account(ask.account_id)
    lines = [line for line in _lines(office, ask.account_id, state) if _holds(ask, line, exchange)]
    page, told = page_of(
        ask,
        lines,
        lambda line: line.instrument.symbol,
        [ask.text(name) for name in ("CANO", "ACNT_PRDT_CD", "OVRS_EXCG_CD", "TR_CRCY_CD")],
    )
    cost, value = _sum(line.lot.cost for line in lines), _sum(line.value for line in lines)
    today = office.positions.traded(ask.account_id, office.today(Venue.US).isoformat(), "USD")
    gain = WIDE.subtract(value, cost)
    sums = {
        "frcr_pchs_amt1": fixed(cost, 5),
        "ovrs_rlzt_pfls_amt": fixed(today.realised, 5),
        "ovrs_tot_pfls": fixed(gain, 5),
        "rlzt_erng_rt": fixed(ratio(today.realised, WIDE.subtract(today.sold, today.realised)), 8),
        "tot_evlu_pfls_amt": fixed(gain, 8),
        "tot_pftrt": fixed(ratio(gain, cost), 8),
        "frcr_buy_amt_smtl1": fixed(cost, 6),
        "ovrs_rlzt_pfls_amt2": fixed(today.realised, 5),
        "frcr_buy_amt_smtl2": fixed(cost, 6),
    }
    rows = [_holding(ask, line) for line in page]
    return msgspec.structs.replace(told, blocks={"output1": rows, "output2": sums})


def present_balance(office: Office, ask: Ask) -> Told:
    """Return holdings, currencies and totals; on paper the totals alone (kis.md 7.3)."""
    state = office.account(ask.account_id)
    exchange = TR_MARKET.get(ask.text("TR_MKET_CD"), "-")
    wanted = ask.text("NATN_CD") in ("000", US)
    lines = [
        line
        for line in _lines(office, ask.account_id, state)
        if wanted and exchange in ("", line.instrument.exchange)
    ]
    shown = not ask.is_paper or office.switches.paper_present_rows
    blocks: dict[str, Block] = {
        "output1": [_present(office, ask, line) for line in lines] if shown else [],
        "output2": [_dollars(office, ask, state)] if shown else [],
        "output3": _present_totals(office, ask, state, lines),
    }
    return Told(blocks=blocks)


def foreign_margin(office: Office, ask: Ask) -> Told:
    """Return dollars as they are; no other foreign currency is kept here."""
    state = office.account(ask.account_id)
    cash, free = state.cash.get("USD", ZERO), cash_free(state, "USD")
    today = office.positions.traded(ask.account_id, office.today(Venue.US).isoformat(), "USD")
    known = {
        "natn_name": "미국",
        "crcy_cd": "USD",
        "frcr_dncl_amt1": fixed(cash, 2),
        "ustl_buy_amt": fixed(today.bought, 2),
        "ustl_sll_amt": fixed(today.sold, 2),
        "frcr_mgn_amt": fixed(cash - free, 2),
        "frcr_gnrl_ord_psbl_amt": fixed(free, 2),
        "frcr_ord_psbl_amt1": fixed(free, 2),
        "itgr_ord_psbl_amt": fixed(free, 2),
        "bass_exrt": fixed(office.switches.usd_krw, 4),
    }
    return Told(blocks={"output": [known]})


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    instrument: Instrument
    qty: Decimal
    free: Decimal
    lot: Lot
    price: Decimal
    today: Traded

    @property
    def value(self) -> Decimal:
        return EXACT.multiply(self.price, self.qty)

    @property
    def gain(self) -> Decimal:
        return WIDE.subtract(self.value, self.lot.cost)


def _lines(office: Office, account_id: str, state: AccountState) -> list[_Line]:
    today = office.today(Venue.US).isoformat()
    symbols = {*state.holdings, *office.positions.unsettled_symbols(account_id, today)}
    lines: list[_Line] = []
    for symbol in sorted(symbols):
        instrument = office.instrument(symbol, overseas=True)
        if instrument is None:
            continue
        lines.append(
            _Line(
                instrument=instrument,
                qty=state.holdings.get(symbol, ZERO),
                free=shares_free(state, symbol),
                lot=office.positions.lot(account_id, symbol),
                price=office.board.price(instrument),
                today=office.positions.traded(account_id, today, "USD", symbol),
            )
        )
    return lines


def _holds(ask: Ask, line: _Line, exchange: str) -> bool:
    if exchange == "NASD" and not ask.is_paper:
        return True
    wanted = "NASD" if exchange == "NAS" else exchange
    return line.instrument.exchange == wanted


def _holding(ask: Ask, line: _Line) -> Fields:
    return {
        "cano": ask.text("CANO"),
        "acnt_prdt_cd": ask.text("ACNT_PRDT_CD"),
        "prdt_type_cd": PRODUCT_TYPE.get(line.instrument.exchange, "512"),
        "ovrs_pdno": line.instrument.symbol,
        "ovrs_item_name": line.instrument.name,
        "frcr_evlu_pfls_amt": fixed(line.gain, 6),
        "evlu_pfls_rt": fixed(ratio(line.gain, line.lot.cost), 2),
        "pchs_avg_pric": fixed(line.lot.average, 4),
        "ovrs_cblc_qty": whole(line.qty),
        "ord_psbl_qty": whole(line.free),
        "frcr_pchs_amt1": fixed(line.lot.cost, 5),
        "ovrs_stck_evlu_amt": fixed(line.value, 8),
        "now_pric2": fixed(line.price, 6),
        "tr_crcy_cd": "USD",
        "ovrs_excg_cd": line.instrument.exchange,
        "loan_type_cd": "10",
    }


def _present(office: Office, ask: Ask, line: _Line) -> Fields:
    rate = office.switches.usd_krw
    worth = rate if ask.text("WCRC_FRCR_DVSN_CD") == "01" else Decimal(1)
    return {
        "prdt_name": line.instrument.name,
        "cblc_qty13": fixed(line.qty, 8),
        "thdt_buy_ccld_qty1": fixed(line.today.bought_qty, 8),
        "thdt_sll_ccld_qty1": fixed(line.today.sold_qty, 8),
        "ccld_qty_smtl1": fixed(line.qty, 8),
        "ord_psbl_qty1": fixed(line.free, 8),
        "frcr_pchs_amt": fixed(line.lot.cost, 5),
        "frcr_evlu_amt2": fixed(WIDE.multiply(line.value, worth), 6),
        "evlu_pfls_amt2": fixed(WIDE.multiply(line.gain, worth), 5),
        "evlu_pfls_rt1": fixed(ratio(line.gain, line.lot.cost), 8),
        "pdno": line.instrument.symbol,
        "bass_exrt": fixed(rate, 8),
        "buy_crcy_cd": "USD",
        "ovrs_now_pric1": fixed(line.price, 8),
        "avg_unpr3": fixed(line.lot.average, 8),
        "tr_mket_name": MARKET_NAME.get(line.instrument.exchange, ""),
        "natn_kor_name": "미국",
        "pchs_rmnd_wcrc_amt": whole(WIDE.multiply(line.lot.cost, rate)),
        "thdt_buy_ccld_frcr_amt": fixed(line.today.bought, 5),
        "thdt_sll_ccld_frcr_amt": fixed(line.today.sold, 5),
        "unit_amt": "1",
        "std_pdno": line.instrument.symbol,
        "prdt_type_cd": PRODUCT_TYPE.get(line.instrument.exchange, "512"),
        "scts_dvsn_name": "현금",
        "ovrs_excg_cd": line.instrument.exchange,
        "item_lnkg_excg_cd": line.instrument.exchange,
    }


def _dollars(office: Office, ask: Ask, state: AccountState) -> Fields:
    cash, free = state.cash.get("USD", ZERO), cash_free(state, "USD")
    rate = office.switches.usd_krw
    today = office.positions.traded(ask.account_id, office.today(Venue.US).isoformat(), "USD")
    return {
        "crcy_cd": "USD",
        "crcy_cd_name": "미국 달러",
        "frcr_buy_amt_smtl": fixed(today.bought, 6),
        "frcr_sll_amt_smtl": fixed(today.sold, 6),
        "frcr_dncl_amt_2": fixed(cash, 6),
        "frst_bltn_exrt": fixed(rate, 8),
        "frcr_buy_mgn_amt": fixed(cash - free, 6),
        "frcr_drwg_psbl_amt_1": fixed(free, 6),
        "frcr_evlu_amt2": fixed(WIDE.multiply(cash, rate), 6),
        "acpl_cstd_crcy_yn": "Y",
        "nxdy_frcr_drwg_psbl_amt": fixed(free, 6),
    }


def _present_totals(office: Office, ask: Ask, state: AccountState, lines: Sequence[_Line]) -> Fields:
    rate = office.switches.usd_krw
    cash, free = state.cash.get("USD", ZERO), cash_free(state, "USD")
    cost = WIDE.multiply(_sum(line.lot.cost for line in lines), rate)
    value = WIDE.multiply(_sum(line.value for line in lines), rate)
    gain, won = WIDE.subtract(value, cost), WIDE.multiply(cash, rate)
    today = office.positions.traded(ask.account_id, office.today(Venue.US).isoformat(), "USD")
    return {
        "pchs_amt_smtl": whole(cost),
        "evlu_amt_smtl": whole(value),
        "evlu_pfls_amt_smtl": whole(gain),
        "dncl_amt": whole(state.cash.get("KRW", ZERO)),
        "tot_dncl_amt": whole(WIDE.add(state.cash.get("KRW", ZERO), won)),
        "wdrw_psbl_tot_amt": whole(cash_free(state, "KRW")),
        "frcr_evlu_tota": whole(won),
        "evlu_erng_rt1": fixed(ratio(gain, cost), 10),
        "pchs_amt_smtl_amt": whole(cost),
        "evlu_amt_smtl_amt": whole(value),
        "tot_evlu_pfls_amt": fixed(gain, 8),
        "tot_asst_amt": fixed(WIDE.add(value, won), 6),
        "buy_mgn_amt": fixed(cash - free, 2),
        "mgna_tota": fixed(cash - free, 2),
        "frcr_use_psbl_amt": fixed(free, 2),
        "ustl_sll_amt_smtl": fixed(today.sold, 2),
        "ustl_buy_amt_smtl": fixed(today.bought, 2),
        "tot_frcr_cblc_smtl": fixed(cash, 2),
    }


def _sum(numbers: Iterable[Decimal]) -> Decimal:
    total = ZERO
    for number in numbers:
        total = WIDE.add(total, number)
    return total
