"""Records of the price streams, field by field (kis.md 5.6 to 5.8). Pure: news and a market in, values out.

What this market does not know (programme trades, short-term ratios, estimates) is a zero or empty, never made
up. Prices are GENERATED wherever the market's are.
"""

from decimal import Decimal
from typing import Final

from jumun.exchange.line import PHASE_SESSION
from jumun.exchange.market import Market
from jumun.model.instruments import Instrument, Venue
from jumun.model.orders import Side, TradingSession
from jumun.rules.sessions import Phase, phase_at
from jumun.simulators.kis.figures import (
    ZERO,
    average,
    fixed,
    hms,
    korean,
    local,
    ratio,
    whole,
    ymd,
)
from jumun.simulators.kis.frames import MARKET_CLS_CODE
from jumun.simulators.kis.tape import Print, StateChanged

LEVELS: Final = 10
US_PLACES: Final = 4  # ZDIV
Level = tuple[Decimal, Decimal]  # price and shares
NOTHING: Final[Level] = (ZERO, ZERO)

# Which phase is which digit (kis.md 5.6): NEW_MKOP_CLS_CODE and MARKET_CLS_CODE, MTYP in the US.
_OPERATION: Final = {
    Phase.CLOSED: "30",
    Phase.PRE_MARKET: "10",
    Phase.PRE_OPEN_AUCTION: "10",
    Phase.CONTINUOUS: "20",
    Phase.CLOSING_AUCTION: "21",
    Phase.PAUSE: "30",
    Phase.AFTER_CLOSE_ENTRY: "31",
    Phase.AFTER_CLOSE: "31",
    Phase.SINGLE_PRICE: "40",
    Phase.AFTER_MARKET: "30",
}
_MARKET_PART: Final = {
    Phase.PRE_MARKET: "1",
    Phase.AFTER_CLOSE_ENTRY: "5",
    Phase.AFTER_CLOSE: "5",
    Phase.CLOSING_AUCTION: "5",
    Phase.SINGLE_PRICE: "3",
    Phase.AFTER_MARKET: "3",
}
REGULAR_PART: Final = "2"
QUOTE_EXCHANGE: Final = {"NASD": "NAS", "NYSE": "NYS", "AMEX": "AMS"}
DAY_EXCHANGE: Final = {"NASD": "BAQ", "NYSE": "BAY", "AMEX": "BAA"}


def stream_keys(instrument: Instrument) -> tuple[str, ...]:
    """Return the keys an issue is registered under: its code, in the US with the exchange in front (4.7)."""
    if instrument.venue is not Venue.US:
        return (instrument.symbol,)
    listed = instrument.exchange or "NASD"
    night, day = QUOTE_EXCHANGE[listed], DAY_EXCHANGE[listed]
    return tuple(f"{prefix}{instrument.symbol}" for prefix in (f"D{night}", f"R{night}", f"R{day}"))


def sign_of(price: Decimal, base: Decimal, lower: Decimal | None, upper: Decimal | None) -> str:
    """Return PRDY_VRSS_SIGN: 1 upper limit, 2 up, 3 flat, 4 lower limit, 5 down."""
    if price == base:
        return "3"
    if price > base:
        return "1" if price == upper else "2"
    return "4" if price == lower else "5"


def levels(market: Market, symbol: str, venues: tuple[Venue, ...], side: Side) -> list[Level]:
    """Return the best levels of one side with their shares; orders without a price are left out."""
    found: dict[Decimal, Decimal] = {}
    for venue in venues:
        book = market.book_of(symbol, venue, _session_now(market, venue))
        for entry in book.resting(side):
            if entry.price is not None:
                found[entry.price] = found.get(entry.price, ZERO) + entry.qty_left
    return sorted(found.items(), reverse=side is Side.BUY)[:LEVELS]


def _session_now(market: Market, venue: Venue) -> TradingSession:
    if venue is Venue.NXT:
        return TradingSession.REGULAR  # there the whole day is one book
    phase, _ = phase_at(venue, market.now_ns, market.world.overrides)
    return PHASE_SESSION.get(phase, TradingSession.REGULAR)


def venues_of(market: Market, symbol: str, place: str) -> tuple[Venue, ...]:
    """Return the venues whose books a place shows: UN is KRX with NXT, where NXT trades the issue."""
    if place != "UN":
        return (Venue(place),)
    return (Venue.KRX, Venue.NXT) if market.master.get(symbol).nxt else (Venue.KRX,)


def trade_values(news: Print, market: Market) -> dict[str, str]:
    """Return the fields of H0STCNT0, H0UNCNT0 and H0NXCNT0, in every layout."""
    venues = venues_of(market, news.symbol, news.place)
    asks = levels(market, news.symbol, venues, Side.SELL)
    bids = levels(market, news.symbol, venues, Side.BUY)
    ask, bid = (asks or [NOTHING])[0], (bids or [NOTHING])[0]
    change = news.price - news.base
    direction = "1" if news.rises else "5"
    values = {
        "MKSC_SHRN_ISCD": news.symbol,
        "STCK_CNTG_HOUR": hms(korean(news.ts_ns)),
        "STCK_PRPR": whole(news.price),
        "PRDY_VRSS_SIGN": sign_of(news.price, news.base, news.lower, news.upper),
        "PRDY_VRSS": whole(change),
        "PRDY_CTRT": fixed(ratio(change, news.base), 2),
        "WGHN_AVRG_STCK_PRC": fixed(average(news.amount_day, news.volume_day), 2),
        "STCK_OPRC": whole(news.opened),
        "STCK_HGPR": whole(news.high),
        "STCK_LWPR": whole(news.low),
        "ASKP1": whole(ask[0]),
        "BIDP1": whole(bid[0]),
        "CNTG_VOL": whole(news.volume),
        "ACML_VOL": whole(news.volume_day),
        "ACML_TR_PBMN": whole(news.amount_day),
        "CCLD_DVSN": direction,
        "CNTG_CLS_CODE": direction,
        "OPRC_HOUR": hms(korean(news.opened_ns)),
        "OPRC_VRSS_PRPR_SIGN": _compared(news.price, news.opened),
        "OPRC_VRSS_PRPR": whole(news.price - news.opened),
        "HGPR_HOUR": hms(korean(news.high_ns)),
        "HGPR_VRSS_PRPR_SIGN": _compared(news.price, news.high),
        "HGPR_VRSS_PRPR": whole(news.price - news.high),
        "LWPR_HOUR": hms(korean(news.low_ns)),
        "LWPR_VRSS_PRPR_SIGN": _compared(news.price, news.low),
        "LWPR_VRSS_PRPR": whole(news.price - news.low),
        "BSOP_DATE": news.trade_date,
        "NEW_MKOP_CLS_CODE": _OPERATION[news.phase],
        "TRHT_YN": "N",
        "ASKP_RSQN1": whole(ask[1]),
        "BIDP_RSQN1": whole(bid[1]),
        "TOTAL_ASKP_RSQN": whole(_shares(asks)),
        "TOTAL_BIDP_RSQN": whole(_shares(bids)),
        "HOUR_CLS_CODE": "0",
        "MRKT_TRTM_CLS_CODE": "",
        MARKET_CLS_CODE: _MARKET_PART.get(news.phase, REGULAR_PART),
    }
    return dict.fromkeys(_TRADE_UNKNOWN, "0") | dict.fromkeys(_TRADE_RATES, "0.00") | values


def overseas_trade_values(news: Print, market: Market, key: str) -> dict[str, str]:
    """Return the fields of HDFSCNT0 for the key it was registered under."""
    asks = levels(market, news.symbol, (Venue.US,), Side.SELL)
    bids = levels(market, news.symbol, (Venue.US,), Side.BUY)
    ask, bid = (asks or [NOTHING])[0], (bids or [NOTHING])[0]
    here, there = korean(news.ts_ns), local(Venue.US, news.ts_ns)
    change = news.price - news.base
    return {
        "RSYM": key,
        "SYMB": news.symbol,
        "ZDIV": str(US_PLACES),
        "TYMD": news.trade_date,
        "XYMD": ymd(there.date()),
        "XHMS": hms(there),
        "KYMD": ymd(here.date()),
        "KHMS": hms(here),
        "OPEN": fixed(news.opened, US_PLACES),
        "HIGH": fixed(news.high, US_PLACES),
        "LOW": fixed(news.low, US_PLACES),
        "LAST": fixed(news.price, US_PLACES),
        "SIGN": sign_of(news.price, news.base, None, None),
        "DIFF": fixed(abs(change), US_PLACES),
        "RATE": fixed(ratio(change, news.base), 2),
        "PBID": fixed(bid[0], US_PLACES),
        "PASK": fixed(ask[0], US_PLACES),
        "VBID": whole(bid[1]),
        "VASK": whole(ask[1]),
        "EVOL": whole(news.volume),
        "TVOL": whole(news.volume_day),
        "TAMT": whole(news.amount_day),
        "BIVL": "0",
        "ASVL": "0",
        "STRN": "0.00",
        "MTYP": "1",
    }


def book_values(market: Market, symbol: str, place: str, ts_ns: int, volume_day: Decimal) -> dict[str, str]:
    """Return the fields of H0STASP0, H0UNASP0 and H0NXASP0; auctions' estimates are zero."""
    venues = venues_of(market, symbol, place)
    asks, bids = levels(market, symbol, venues, Side.SELL), levels(market, symbol, venues, Side.BUY)
    values = dict.fromkeys(_BOOK_UNKNOWN, "0") | {
        "MKSC_SHRN_ISCD": symbol,
        "BSOP_HOUR": hms(korean(ts_ns)),
        "HOUR_CLS_CODE": "0",
        "TOTAL_ASKP_RSQN": whole(_shares(asks)),
        "TOTAL_BIDP_RSQN": whole(_shares(bids)),
        "ANTC_CNTG_VRSS_SIGN": "3",
        "ANTC_CNTG_PRDY_CTRT": "0.00",
        "ACML_VOL": whole(volume_day),
        "STCK_DEAL_CLS_CODE": "",
        "KMID_CLS_CODE": "",
        "NMID_CLS_CODE": "",
        MARKET_CLS_CODE: REGULAR_PART,
    }
    for name, side in (("ASKP", asks), ("BIDP", bids)):
        for number in range(1, LEVELS + 1):
            price, shares = side[number - 1] if number <= len(side) else NOTHING
            values[f"{name}{number}"] = whole(price)
            values[f"{name}_RSQN{number}"] = whole(shares)
    return values


def state_values(news: StateChanged, symbol: str, place: str) -> dict[str, str]:
    """Return the fields of H0STMKO0 and its twins; codes this market has no source for are empty."""
    return {
        "MKSC_SHRN_ISCD": symbol,
        "TRHT_YN": "Y" if news.halted else "N",
        "TR_SUSP_REAS_CNTT": news.text.replace("^", " "),
        "MKOP_CLS_CODE": news.code,
        "ANTC_MKOP_CLS_CODE": "",
        "MRKT_TRTM_CLS_CODE": "",
        "DIVI_APP_CLS_CODE": "",
        "ISCD_STAT_CLS_CODE": "58" if news.halted else "00",
        "VI_CLS_CODE": "Y" if news.vi else "N",
        "OVTM_VI_CLS_CODE": "N",
        "EXCH_CLS_CODE": {"KRX": "1", "NXT": "2"}.get(place, "3"),
    }


def _compared(price: Decimal, other: Decimal) -> str:
    return sign_of(price, other, None, None)


def _shares(side: list[Level]) -> Decimal:
    return sum((shares for _, shares in side), ZERO)


_TRADE_UNKNOWN: Final = (
    "SELN_CNTG_CSNU",
    "SHNU_CNTG_CSNU",
    "NTBY_CNTG_CSNU",
    "SELN_CNTG_SMTN",
    "SHNU_CNTG_SMTN",
    "PRDY_SMNS_HOUR_ACML_VOL",
    "VI_STND_PRC",
)
_TRADE_RATES: Final = (
    "CTTR",
    "SHNU_RATE",
    "PRDY_VOL_VRSS_ACML_VOL_RATE",
    "VOL_TNRT",
    "PRDY_SMNS_HOUR_ACML_VOL_RATE",
)
_BOOK_UNKNOWN: Final = (
    "OVTM_TOTAL_ASKP_RSQN",
    "OVTM_TOTAL_BIDP_RSQN",
    "ANTC_CNPR",
    "ANTC_CNQN",
    "ANTC_VOL",
    "ANTC_CNTG_VRSS",
    "TOTAL_ASKP_RSQN_ICDC",
    "TOTAL_BIDP_RSQN_ICDC",
    "OVTM_TOTAL_ASKP_ICDC",
    "OVTM_TOTAL_BIDP_ICDC",
    "KMID_PRC",
    "KMID_TOTAL_RSQN",
    "NMID_PRC",
    "NMID_TOTAL_RSQN",
)
