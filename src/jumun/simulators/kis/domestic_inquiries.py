"""Korean orders and fills: what can still be changed, and a period in full (kis.md 3.1.4, 3.1.5)."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Final

from msgspec.structs import replace

from jumun.model.instruments import Instrument, Market
from jumun.model.money import EXACT
from jumun.model.orders import Side, TradingSession
from jumun.simulators.kis.asking import Ask, Fields, Told
from jumun.simulators.kis.figures import ZERO, average, compact, fixed, hms, korean, plain, read_day, whole
from jumun.simulators.kis.kinds import VENUES, name_of
from jumun.simulators.kis.messages import bad_field
from jumun.simulators.kis.office import Office
from jumun.simulators.kis.paging import page_of
from jumun.simulators.kis.requests import RequestKind
from jumun.simulators.kis.rows import Row

SIDE_CODE: Final = {Side.SELL: "01", Side.BUY: "02"}
SIDE_NAME: Final = {Side.SELL: "현금매도", Side.BUY: "현금매수"}
KIND_NAME: Final = {RequestKind.NEW: "", RequestKind.REVISE: "정정*", RequestKind.CANCEL: "취소*"}
BOARD_CODE: Final = {Market.KOSPI: "02", Market.KOSDAQ: "03", Market.KONEX: "03"}
SESSION_CODE: Final = {TradingSession.CLOSE_BEFORE: "61", TradingSession.SINGLE_PRICE: "81"}
OTHER_CREDIT: Final = ("02", "03", "04", "05", "06", "07")  # INQR_DVSN_3: nothing of it is traded here
ANY_NUMBER: Final = "0" * 10
PERIOD_MAX_DAYS: Final = 3_660  # of one inquiry; nobody keeps orders longer
BOUNDARY_MONTHS: Final = 3
BOUNDARY_DAYS: Final = 90
CONDITION_NAME: Final = {"11": "IOC", "13": "IOC", "15": "IOC", "12": "FOK", "14": "FOK", "16": "FOK"}


def psbl_rvsecncl(office: Office, ask: Ask) -> Told:
    """Return the orders of which something can still be revised or cancelled."""
    basis = ask.choice("INQR_DVSN_1", ("0", "1", "2"))
    side = ask.choice("INQR_DVSN_2", ("0", "1", "2"))
    wanted = {"1": Side.SELL, "2": Side.BUY}.get(side)
    days = sorted({record.trade_date for record in office.records.open_orders(ask.account_id)})
    rows = [
        row
        for day in days
        for row in office.rows(ask.account_id, day, overseas=False)
        if row.left > ZERO and row.kind is not RequestKind.CANCEL and wanted in (None, row.side)
    ]
    if basis == "1":
        rows.sort(key=lambda row: row.symbol)
    page, told = page_of(ask, rows, _place, _filters(ask, "INQR_DVSN_1", "INQR_DVSN_2"))
    return _found(office, replace(told, blocks={"output": [_changeable(office, row) for row in page]}), rows)


def daily_ccld(office: Office, ask: Ask) -> Told:
    """Return every order of a period, revises, cancels and refusals by the exchange included."""
    days = _period(office, ask)
    exchange = "ALL" if ask.is_old else ask.choice("EXCG_ID_DVSN_CD", ("", "ALL", *VENUES)) or "ALL"
    if ask.is_paper and exchange not in ("KRX", "ALL"):
        raise bad_field("EXCG_ID_DVSN_CD")
    every = [row for day in days for row in office.rows(ask.account_id, day, overseas=False)]
    rows = list(filter(_wanted(ask, exchange), every))
    if ask.choice("INQR_DVSN", ("00", "01")) == "00":
        rows.reverse()
    filters = _filters(ask, "INQR_STRT_DT", "INQR_END_DT", "SLL_BUY_DVSN_CD", "PDNO", "ODNO")
    page, told = page_of(ask, rows, _place, filters)
    blocks = {"output1": [_daily_row(office, row) for row in page], "output2": _totals(rows, every)}
    return _found(office, replace(told, blocks=blocks), rows)


def boundary(office: Office) -> date:
    """Return the first day that belongs to the recent history TR."""
    today = office.today()
    if office.switches.history_boundary == "days":
        return today - timedelta(days=BOUNDARY_DAYS)
    months = today.year * 12 + today.month - 1 - BOUNDARY_MONTHS
    year, month = divmod(months, 12)
    for day in range(today.day, 0, -1):  # the 31st of a month that has none is its last day
        try:
            return date(year, month + 1, day)
        except ValueError:
            continue
    raise AssertionError("every month has a first day")


def _found(office: Office, told: Told, rows: Sequence[Row]) -> Told:
    return told if rows else replace(told, msg_cd=office.switches.nothing_found)


def _filters(ask: Ask, *names: str) -> list[str]:
    return [ask.text("CANO"), ask.text("ACNT_PRDT_CD"), *(ask.text(name) for name in names)]


def _place(row: Row) -> str:
    return row.place


def _period(office: Office, ask: Ask) -> list[str]:
    first, last = read_day(ask.text("INQR_STRT_DT")), read_day(ask.text("INQR_END_DT"))
    if first is None or last is None or first > last:
        raise bad_field("INQR_STRT_DT" if first is None else "INQR_END_DT")
    if (last - first).days > PERIOD_MAX_DAYS:
        raise bad_field("INQR_STRT_DT", "is too long ago")
    border = boundary(office)
    if ask.endpoint.name.endswith("recent"):
        first = max(first, border)
    else:
        last = min(last, border - timedelta(days=1))
    return [(first + timedelta(days=count)).isoformat() for count in range((last - first).days + 1)]


def _wanted(ask: Ask, exchange: str) -> Callable[[Row], bool]:
    side = {"01": Side.SELL, "02": Side.BUY}.get(ask.text("SLL_BUY_DVSN_CD"))
    symbol, number = ask.text("PDNO"), ask.text("ODNO").rjust(10, "0")
    filled = ask.text("CCLD_DVSN") or "00"
    # Credit, ELW and the free board have no orders here.
    nothing = ask.text("INQR_DVSN_3") in OTHER_CREDIT or ask.text("INQR_DVSN_1") != ""

    def is_wanted(row: Row) -> bool:
        return (
            not nothing
            and side in (None, row.side)
            and symbol in ("", row.symbol)
            and number in (ANY_NUMBER, row.number)
            and (filled == "00" or (row.filled > ZERO if filled == "01" else row.left > ZERO))
            and exchange in ("ALL", row.note.exchange)
        )

    return is_wanted


def _daily_row(office: Office, row: Row) -> Fields:
    instrument = office.market.master.get(row.symbol)
    at, told = korean(row.ts_ns), korean(row.changed_ns)
    known = {
        "ord_dt": compact(row.trade_date),
        "ord_gno_brno": office.market.world.branch,
        "odno": row.number,
        "orgn_odno": row.original,
        "ord_dvsn_name": name_of(row.note.ord_dvsn, row.venue),
        "sll_buy_dvsn_cd": SIDE_CODE[row.side],
        "sll_buy_dvsn_cd_name": side_name(row),
        "pdno": row.symbol,
        "prdt_name": instrument.name,
        "ord_qty": whole(row.qty),
        "ord_unpr": whole(row.price or ZERO),
        "ord_tmd": hms(at),
        "tot_ccld_qty": whole(row.filled),
        "avg_prvs": plain(average(row.amount, row.filled), 4),
        "cncl_yn": "Y" if row.cancel_yn else "",
        "tot_ccld_amt": whole(row.amount),
        "ordr_empno": "OpnAPI",
        "ord_dvsn_cd": row.note.ord_dvsn,
        "cncl_cfrm_qty": whole(row.cancelled),
        "rmn_qty": whole(row.left),
        "rjct_qty": whole(row.rejected),
        "ccld_cndt_name": CONDITION_NAME.get(row.note.ord_dvsn, "없음"),
        "inqr_ip_addr": row.note.ip,
        "infm_tmd": hms(told),
        "prdt_type_cd": "300",
        "excg_dvsn_cd": board_of(instrument, row),
        "ord_orgno": "00000",
        "excg_id_dvsn_cd": row.note.exchange,
        "stpm_cndt_pric": whole(row.note.stop_price or ZERO),
    }
    if office.switches.both_spellings:
        known |= {"cnc_cfrm_qty": known["cncl_cfrm_qty"], "excg_id_dvsn_Cd": known["excg_id_dvsn_cd"]}
    return known


def _totals(rows: Sequence[Row], every: Sequence[Row]) -> Fields:
    filled = sum((row.filled for row in rows), ZERO)
    amount = ZERO
    for row in rows:
        amount = EXACT.add(amount, row.amount)
    return {
        "tot_ord_qty": whole(sum((row.qty for row in rows), ZERO)),
        "tot_ccld_qty": whole(filled),
        "tot_ccld_amt": whole(amount),
        # Of all rows: the real one was seen to ignore the ODNO filter (kis.md 3.1.5).
        "prsm_tlex_smtl": whole(sum((row.costs for row in every), ZERO)),
        "pchs_avg_pric": fixed(average(amount, filled), 4),
    }


def _changeable(office: Office, row: Row) -> Fields:
    instrument = office.market.master.get(row.symbol)
    return {
        "ord_gno_brno": office.market.world.branch,
        "odno": row.number,
        "orgn_odno": row.original,
        "ord_dvsn_name": name_of(row.note.ord_dvsn, row.venue),
        "pdno": row.symbol,
        "prdt_name": instrument.name,
        "rvse_cncl_dvsn_name": side_name(row) if row.original else "",
        "ord_qty": whole(row.qty),
        "ord_unpr": whole(row.price or ZERO),
        "ord_tmd": hms(korean(row.ts_ns)),
        "tot_ccld_qty": whole(row.filled),
        "tot_ccld_amt": whole(row.amount),
        "psbl_qty": whole(row.left),
        "sll_buy_dvsn_cd": SIDE_CODE[row.side],
        "ord_dvsn_cd": row.note.ord_dvsn,
        "excg_dvsn_cd": board_of(instrument, row),
        "excg_id_dvsn_cd": row.note.exchange,
        "excg_id_dvsn_name": row.note.exchange,
        "stpm_cndt_pric": whole(row.note.stop_price or ZERO),
    }


def side_name(row: Row) -> str:
    """Return the text that tells a person what a row is; nothing may be read out of it."""
    name = SIDE_NAME[row.side] + KIND_NAME[row.kind]
    return f"{name}거부" if row.rejected > ZERO else name


def board_of(instrument: Instrument, row: Row) -> str:
    """Return excg_dvsn_cd: the board, or the session beside the regular one."""
    if row.note.ord_dvsn == "05":
        return SESSION_CODE[TradingSession.CLOSE_BEFORE]
    if row.note.ord_dvsn == "07":
        return SESSION_CODE[TradingSession.SINGLE_PRICE]
    return BOARD_CODE[instrument.market]
