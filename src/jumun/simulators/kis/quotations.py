"""Prices, order book and interruptions, all from the market (kis.md 3.2.1, 3.2.2, 3.2.5, 3.3.8)."""

import re
from datetime import date
from decimal import Decimal
from typing import Final

from jumun.exchange.line import Mode
from jumun.exchange.order_book import BookOrder
from jumun.exchange.records import Interrupted
from jumun.model.errors import OmsError
from jumun.model.instruments import Instrument, Market, Venue
from jumun.model.money import EXACT, WIDE
from jumun.model.orders import Side, TradingSession
from jumun.rules.bands import PriceBand
from jumun.rules.ticks import tick_size
from jumun.simulators.kis.asking import Ask, Fields, Told
from jumun.simulators.kis.day_prices import NXT, PLACE_OF_CODE, DayPrices
from jumun.simulators.kis.figures import HUNDRED, ZERO, fixed, hms, korean, ratio, read_day, whole, ymd
from jumun.simulators.kis.messages import QUOTED, bad_field
from jumun.simulators.kis.office import Office

LEVELS: Final = 10
MARKET_NAME: Final = {Market.KOSPI: "KOSPI", Market.KOSDAQ: "KOSDAQ", Market.KONEX: "KONEX"}
EXCHANGE_OF_QUOTE: Final = {
    "NAS": "NASD",
    "NYS": "NYSE",
    "AMS": "AMEX",
    "BAQ": "NASD",
    "BAY": "NYSE",
    "BAA": "AMEX",
}
ABROAD: Final = ("HKS", "SHS", "SZS", "TSE", "HNX", "HSX")
UP_LIMIT, UP, FLAT, DOWN_LIMIT, DOWN = "1", "2", "3", "4", "5"
VI_KIND: Final = {"static": "1", "dynamic": "2"}
_VI_TEXT: Final = re.compile(r"(?P<kind>static|dynamic): (?P<price>[\d.]+) against (?P<base>[\d.]+)")


def inquire_price(office: Office, ask: Ask) -> Told:
    """Return price and limits of an issue; zeros for one that is not listed here."""
    place = PLACE_OF_CODE.get(ask.text("FID_COND_MRKT_DIV_CODE"))
    if place is None:
        raise bad_field("FID_COND_MRKT_DIV_CODE")
    instrument = office.instrument(ask.text("FID_INPUT_ISCD"), overseas=False)
    if instrument is None or (place == NXT and not instrument.nxt):
        return Told(blocks={"output": {"stck_shrn_iscd": ask.text("FID_INPUT_ISCD")}}, msg_cd=QUOTED)
    venue = Venue.NXT if place == NXT else Venue.KRX
    price, base = office.board.price(instrument, place), office.board.base(instrument)
    day, today = office.board.today(instrument, place), office.today()
    band = _band(office, instrument, today)
    known = _price_fields(price, base, band, day) | {
        "iscd_stat_cls_code": "58" if is_halted(office, instrument, venue) else "00",
        "marg_rate": "100.00",
        "rprs_mrkt_kor_name": MARKET_NAME.get(instrument.market, ""),
        "temp_stop_yn": "Y" if is_halted(office, instrument, venue) else "N",
        "stck_sdpr": whole(base),
        "stck_mxpr": whole(band.upper if band else ZERO),
        "stck_llam": whole(band.lower if band else ZERO),
        "rstc_wdth_prc": whole(band.upper - base if band else ZERO),
        "aspr_unit": _tick(instrument, price, today),
        "hts_deal_qty_unit_val": whole(instrument.lot),
        "stck_shrn_iscd": instrument.symbol,
        "vi_cls_code": "Y" if vi_until(office, instrument.symbol, venue) else "N",
        "ovtm_vi_cls_code": "N",
        "mrkt_warn_cls_code": "00",
        "mang_issu_cls_code": "N",
        "bstp_kor_isnm": instrument.product.value,
    }
    # The market has no other days: highs and lows of longer spans are today's.
    high, low, now = known["stck_hgpr"], known["stck_lwpr"], ymd(today)
    for span in ("d250_hgpr", "w52_hgpr"):
        known |= {span: high, f"{span}_date": now}
    for span in ("d250_lwpr", "w52_lwpr"):
        known |= {span: low, f"{span}_date": now}
    known |= {"stck_dryy_hgpr": high, "dryy_hgpr_date": now, "stck_dryy_lwpr": low, "dryy_lwpr_date": now}
    return Told(blocks={"output": known}, msg_cd=QUOTED)


def asking_price(office: Office, ask: Ask) -> Told:
    """Return ten levels of the order book, and what an auction would do."""
    place = PLACE_OF_CODE.get(ask.text("FID_COND_MRKT_DIV_CODE"))
    if place is None:
        raise bad_field("FID_COND_MRKT_DIV_CODE")
    instrument = office.instrument(ask.text("FID_INPUT_ISCD"), overseas=False)
    if instrument is None or (place == NXT and not instrument.nxt):
        return Told(blocks={"output1": {}, "output2": {}}, msg_cd=QUOTED)
    venues = {"J": (Venue.KRX,), "NX": (Venue.NXT,), "UN": (Venue.KRX, Venue.NXT)}
    chosen = venues[ask.text("FID_COND_MRKT_DIV_CODE")]
    levels = book_levels(office, instrument, chosen if instrument.nxt else chosen[:1])
    price, base = office.board.price(instrument, place), office.board.base(instrument)
    day, band = office.board.today(instrument, place), _band(office, instrument, office.today())
    expected = _expected(office, instrument, base) if Venue.KRX in chosen else {}
    book: Fields = {"aspr_acpt_hour": hms(korean(office.market.now_ns))}
    totals: list[Decimal] = []
    for side, ask_or_bid in ((Side.SELL, "askp"), (Side.BUY, "bidp")):
        total = ZERO
        for number, (at, qty) in enumerate(levels[side], start=1):
            book |= {f"{ask_or_bid}{number}": whole(at), f"{ask_or_bid}_rsqn{number}": whole(qty)}
            total = EXACT.add(total, qty)
        book[f"total_{ask_or_bid}_rsqn"] = whole(total)
        totals.append(total)
    book["ntby_aspr_rsqn"] = whole(totals[1] - totals[0])
    book["new_mkop_cls_code"] = "20"
    prices = _price_fields(price, base, band, day)
    rest = {name: prices[name] for name in ("stck_prpr", "stck_oprc", "stck_hgpr", "stck_lwpr")}
    rest |= expected | {
        "stck_sdpr": whole(base),
        "stck_shrn_iscd": instrument.symbol,
        "vi_cls_code": "Y" if vi_until(office, instrument.symbol, chosen[0]) else "N",
    }
    return Told(blocks={"output1": book, "output2": rest}, msg_cd=QUOTED)


def vi_status(office: Office, ask: Ask) -> Told:
    """Return the day's volatility interruptions, newest first."""
    wanted = read_day(ask.text("FID_INPUT_DATE_1")) or office.today()
    symbol = ask.text("FID_INPUT_ISCD")
    board = {"K": Market.KOSPI, "Q": Market.KOSDAQ}.get(ask.text("FID_MRKT_CLS_CODE"))
    rows: list[Fields] = []
    counts: dict[str, int] = {}
    for event in office.board.interruptions:
        instrument = office.market.master.get(event.symbol) if event.symbol in office.market.master else None
        is_other = instrument is None or instrument.venue is Venue.US or korean(event.ts_ns).date() != wanted
        if is_other or event.what != "VI" or symbol not in ("", event.symbol):
            continue
        assert instrument is not None, "an interruption of an issue that is not listed"
        counts[event.symbol] = counts.get(event.symbol, 0) + 1
        if board in (None, instrument.market):
            rows.append(_vi_row(office, instrument, event, counts[event.symbol]))
    rows.reverse()
    return Told(blocks={"output": rows}, msg_cd=QUOTED)


def overseas_price(office: Office, ask: Ask) -> Told:
    """Return the price of a US issue; an empty one for what is not listed here."""
    code = ask.choice("EXCD", (*EXCHANGE_OF_QUOTE, *ABROAD))
    symbol = ask.text("SYMB")
    rsym = f"D{code}{symbol}"
    instrument = office.instrument(symbol, overseas=True)
    if instrument is None or instrument.exchange not in ("", EXCHANGE_OF_QUOTE.get(code)):
        empty = dict.fromkeys(("zdiv", "base", "pvol", "last", "sign", "diff", "rate", "tvol", "tamt"), "")
        return Told(blocks={"output": empty | {"rsym": rsym}}, msg_cd=QUOTED)
    price, base = office.board.price(instrument), office.board.base(instrument)
    day = office.board.today(instrument)
    change = ratio(price - base, base)
    known = {
        "rsym": rsym,
        "zdiv": "4",
        "base": fixed(base, 4),
        "pvol": whole(day.volume_before if day else ZERO),
        "last": fixed(price, 4),
        "sign": sign_of(price, base, None),
        "diff": fixed(abs(price - base), 4),
        "rate": f"{'+' if change > ZERO else ''}{fixed(change, 2)}",
        "tvol": whole(day.volume if day else ZERO),
        "tamt": whole(day.amount if day else ZERO),
        "ordy": "매수불가" if is_halted(office, instrument, Venue.US) else "매도가능",
    }
    return Told(blocks={"output": known}, msg_cd=QUOTED)


def sign_of(price: Decimal, base: Decimal, band: PriceBand | None) -> str:
    """Return prdy_vrss_sign."""
    if price == base:
        return FLAT
    if price > base:
        return UP_LIMIT if band is not None and price >= band.upper else UP
    return DOWN_LIMIT if band is not None and price <= band.lower else DOWN


def is_halted(office: Office, instrument: Instrument, venue: Venue) -> bool:
    """Whether nothing of it trades although its venue is open."""
    try:
        return office.market.mode_of(instrument.symbol, venue, TradingSession.REGULAR) is Mode.HALTED
    except OmsError:  # no calendar for that day: nothing says that it is halted
        return False


def vi_until(office: Office, symbol: str, venue: Venue) -> int:
    """Return when the volatility interruption under way ends; 0 without one."""
    now_ns = office.market.now_ns
    ends = (
        event.until_ns or 0
        for event in office.board.interruptions
        if event.symbol == symbol and event.venue is venue
    )
    return max((end_ns for end_ns in ends if end_ns > now_ns), default=0)


def book_levels(
    office: Office, instrument: Instrument, venues: tuple[Venue, ...]
) -> dict[Side, list[tuple[Decimal, Decimal]]]:
    """Return price and quantity of the best ten levels of each side; orders without a price have no level."""
    found: dict[Side, list[tuple[Decimal, Decimal]]] = {}
    for side in (Side.SELL, Side.BUY):
        sums: dict[Decimal, Decimal] = {}
        for venue in venues:
            resting: tuple[BookOrder, ...] = office.market.book_of(instrument.symbol, venue).resting(side)
            for entry in resting:
                if entry.price is not None:
                    sums[entry.price] = EXACT.add(sums.get(entry.price, ZERO), entry.qty_left)
        found[side] = sorted(sums.items(), reverse=side is Side.BUY)[:LEVELS]
    return found


def _price_fields(price: Decimal, base: Decimal, band: PriceBand | None, day: DayPrices | None) -> Fields:
    volume = day.volume if day else ZERO
    before = day.volume_before if day else ZERO
    return {
        "stck_prpr": whole(price),
        "prdy_vrss": whole(price - base),
        "prdy_vrss_sign": sign_of(price, base, band),
        "prdy_ctrt": fixed(ratio(price - base, base), 2),
        "acml_tr_pbmn": whole(day.amount if day else ZERO),
        "acml_vol": whole(volume),
        "prdy_vrss_vol_rate": fixed(ratio(volume, before) - HUNDRED if before else ZERO, 2),
        "stck_oprc": whole(day.opened if day else ZERO),
        "stck_hgpr": whole(day.high if day else ZERO),
        "stck_lwpr": whole(day.low if day else ZERO),
        "wghn_avrg_stck_prc": fixed(WIDE.divide(day.amount, volume) if day and volume else ZERO, 2),
    }


def _band(office: Office, instrument: Instrument, day: date) -> PriceBand | None:
    try:
        return office.band(instrument, day)
    except OmsError:  # no tick table covers that day: no limits to show
        return None


def _tick(instrument: Instrument, price: Decimal, day: date) -> str:
    try:
        return whole(tick_size(instrument, price, day))
    except OmsError:  # no table, or no price yet
        return "0"


def _expected(office: Office, instrument: Instrument, base: Decimal) -> Fields:
    if office.market.mode_of(instrument.symbol, Venue.KRX) is not Mode.AUCTION:
        return {}
    clearing = office.market.indicative(instrument.symbol)
    if clearing is None:
        return {}
    return {
        "antc_cnpr": whole(clearing.price),
        "antc_cntg_vrss_sign": sign_of(clearing.price, base, None),
        "antc_cntg_vrss": whole(clearing.price - base),
        "antc_cntg_prdy_ctrt": fixed(ratio(clearing.price - base, base), 2),
        "antc_vol": whole(clearing.volume),
    }


def _vi_row(office: Office, instrument: Instrument, event: Interrupted, count: int) -> Fields:
    found = _VI_TEXT.search(event.text)
    price, base = (Decimal(found["price"]), Decimal(found["base"])) if found else (ZERO, ZERO)
    kind = VI_KIND[found["kind"]] if found else VI_KIND["dynamic"]
    is_active = event.until_ns is not None and event.until_ns > office.market.now_ns
    apart = fixed(ratio(price - base, base), 2)
    return {
        "hts_kor_isnm": instrument.name,
        "mksc_shrn_iscd": instrument.symbol,
        "vi_cls_code": "Y" if is_active else "N",
        "bsop_date": ymd(korean(event.ts_ns)),
        "cntg_vi_hour": hms(korean(event.ts_ns)),
        "vi_cncl_hour": "" if is_active or event.until_ns is None else hms(korean(event.until_ns)),
        "vi_kind_code": kind,
        "vi_prc": whole(price),
        "vi_stnd_prc": whole(base if kind == "1" else ZERO),
        "vi_dprt": apart if kind == "1" else "0.00",
        "vi_dmc_stnd_prc": whole(base if kind == "2" else ZERO),
        "vi_dmc_dprt": apart if kind == "2" else "0.00",
        "vi_count": str(count),
    }
