"""Orders and fills of US shares (kis.md 3.3.3, 3.3.4). Their dates are New York's."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

import msgspec

from jumun.simulators.kis.asking import Ask, Fields, Told
from jumun.simulators.kis.domestic_inquiries import PERIOD_MAX_DAYS, SIDE_CODE
from jumun.simulators.kis.figures import (
    ZERO,
    average,
    fixed,
    hms,
    korean,
    local,
    read_day,
    whole,
    ymd,
)
from jumun.simulators.kis.messages import bad_field
from jumun.simulators.kis.office import Office
from jumun.simulators.kis.paging import page_of
from jumun.simulators.kis.requests import RequestKind
from jumun.simulators.kis.rows import Row

US: Final = "840"
CHANGE_CODE: Final = {RequestKind.NEW: "00", RequestKind.REVISE: "01", RequestKind.CANCEL: "02"}
CHANGE_NAME: Final = {RequestKind.NEW: "", RequestKind.REVISE: "정정", RequestKind.CANCEL: "취소"}
SIDE_NAME: Final = {"01": "매도", "02": "매수"}
MARKET_NAME: Final = {"NASD": "나스닥", "NYSE": "뉴욕거래소", "AMEX": "아멕스"}
WHOLE_US: Final = ("NASD", "%", "")
ABROAD: Final = ("SEHK", "SHAA", "SZAA", "TKSE", "HASE", "VNSE")
REJECTED_REASON: Final = "9999"  # rjct_rson; the real codes are not documented


def nccs(office: Office, ask: Ask) -> Told:
    """Return the unfilled orders; NASD, or nothing, asks for the whole US."""
    exchange = ask.choice("OVRS_EXCG_CD", ("", "NASD", "NYSE", "AMEX", *ABROAD))
    days = sorted({record.trade_date for record in office.records.open_orders(ask.account_id)})
    rows = [
        row
        for day in days
        for row in office.rows(ask.account_id, day, overseas=True)
        if row.left > ZERO and row.kind is not RequestKind.CANCEL and _is_at(row, exchange)
    ]
    if ask.text("SORT_SQN") != "DS":
        rows.reverse()
    page, told = page_of(ask, rows, _place, _filters(ask, "OVRS_EXCG_CD", "SORT_SQN"))
    return _found(office, told, {"output": [_unfilled(office, row) for row in page]}, rows)


def ccnl(office: Office, ask: Ask) -> Told:
    """Return every order of a period of local dates; an order number cannot be asked for."""
    _require_unfiltered_on_paper(ask)
    first, last = read_day(ask.text("ORD_STRT_DT")), read_day(ask.text("ORD_END_DT"))
    if first is None or last is None or first > last or (last - first).days > PERIOD_MAX_DAYS:
        raise bad_field("ORD_STRT_DT" if first is None else "ORD_END_DT")
    # One day more: the day market of a session begins on the evening before, in New York.
    days = [(first + timedelta(days=count)).isoformat() for count in range((last - first).days + 2)]
    rows = [
        row
        for day in days
        for row in office.rows(ask.account_id, day, overseas=True)
        if first <= _date(office, row) <= last and _is_wanted(ask, row)
    ]
    if ask.is_paper or ask.text("SORT_SQN") != "DS":
        rows.reverse()
    filters = _filters(
        ask, "PDNO", "ORD_STRT_DT", "ORD_END_DT", "SLL_BUY_DVSN", "CCLD_NCCS_DVSN", "OVRS_EXCG_CD"
    )
    page, told = page_of(ask, rows, _place, filters)
    return _found(office, told, {"output": [_listed(office, row) for row in page]}, rows)


def _require_unfiltered_on_paper(ask: Ask) -> None:
    """Paper takes the open question only (kis.md 3.3.4)."""
    if not ask.is_paper:
        return
    for name, only in (("PDNO", ""), ("OVRS_EXCG_CD", ""), ("SLL_BUY_DVSN", "00"), ("CCLD_NCCS_DVSN", "00")):
        if ask.text(name) != only:
            raise bad_field(name, f"must be {only!r} on paper")


def _is_wanted(ask: Ask, row: Row) -> bool:
    side = ask.text("SLL_BUY_DVSN") or "00"
    filled = ask.text("CCLD_NCCS_DVSN") or "00"
    return (
        ask.text("PDNO") in ("%", "", row.symbol)
        and side in ("00", SIDE_CODE[row.side])
        and (filled == "00" or (row.filled > ZERO if filled == "01" else row.left > ZERO))
        and _is_at(row, ask.text("OVRS_EXCG_CD"))
    )


def _is_at(row: Row, exchange: str) -> bool:
    return exchange in WHOLE_US or exchange == row.note.exchange


def _date(office: Office, row: Row) -> date:
    """Return the date that a row is listed under: the local one, unless `daytime_dates` says otherwise."""
    if office.switches.daytime_dates == "session":
        return date.fromisoformat(row.trade_date)
    return local(row.venue, row.ts_ns).date()


def _unfilled(office: Office, row: Row) -> Fields:
    return _common(office, row) | {
        "rvse_cncl_dvsn_cd": CHANGE_CODE[row.kind],
        "rvse_cncl_dvsn_cd_name": CHANGE_NAME[row.kind],
        "ord_tmd": hms(korean(row.ts_ns)),
        "natn_cd": US,
        "natn_kor_name": "미국",
    }


def _listed(office: Office, row: Row) -> Fields:
    at = korean(row.ts_ns)
    return _common(office, row) | {
        "rvse_cncl_dvsn": CHANGE_CODE[row.kind],
        "rvse_cncl_dvsn_name": CHANGE_NAME[row.kind],
        "prcs_stat_name": "거부" if row.rejected > ZERO else ("전송" if row.left > ZERO else "완료"),
        "rjct_rson": REJECTED_REASON if row.rejected > ZERO else "",
        "rjct_rson_name": row.text if row.rejected > ZERO else "",
        "ord_tmd": hms(local(row.venue, row.ts_ns)),
        "tr_natn": US,
        "tr_natn_name": "미국",
        "dmst_ord_dt": ymd(at),
        "thco_ord_tmd": hms(at),
        "mdia_dvsn_name": "OpenAPI",
    }


def _common(office: Office, row: Row) -> Fields:
    instrument = office.market.master.get(row.symbol)
    side = SIDE_CODE[row.side]
    return {
        "ord_dt": ymd(_date(office, row)),
        "ord_gno_brno": office.market.world.branch,
        "odno": row.number,
        "orgn_odno": row.original,
        "sll_buy_dvsn_cd": side,
        "sll_buy_dvsn_cd_name": SIDE_NAME[side],
        "pdno": row.symbol,
        "prdt_name": instrument.name,
        "ft_ord_qty": whole(row.qty),
        "ft_ord_unpr3": fixed(row.price or ZERO, 8),
        "ft_ccld_qty": whole(row.filled),
        "ft_ccld_unpr3": fixed(average(row.amount, row.filled), 8),
        "ft_ccld_amt3": fixed(row.amount, 5),
        "nccs_qty": whole(row.left),
        "tr_mket_name": MARKET_NAME.get(row.note.exchange, ""),
        "ovrs_excg_cd": row.note.exchange,
        "tr_crcy_cd": "USD",
        "loan_type_cd": "10",
        "usa_amk_exts_rqst_yn": "N",
    }


def _found(office: Office, told: Told, blocks: dict[str, list[Fields]], rows: Sequence[Row]) -> Told:
    msg_cd = told.msg_cd if rows else office.switches.nothing_found
    return msgspec.structs.replace(told, blocks=dict(blocks), msg_cd=msg_cd)


def _filters(ask: Ask, *names: str) -> list[str]:
    return [ask.text("CANO"), ask.text("ACNT_PRDT_CD"), *(ask.text(name) for name in names)]


def _place(row: Row) -> str:
    return row.place
