"""What is listed, and which days trade (kis.md 3.2.3, 3.2.4, 3.2.6)."""

from datetime import date, timedelta
from typing import Final

from jumun.model.instruments import Instrument, Market, Product, Venue
from jumun.rules.sessions import is_session
from jumun.rules.trading_days import LAST_DAY, NoCalendar
from jumun.simulators.kis.asking import Ask, Fields, Told
from jumun.simulators.kis.balances import day_before
from jumun.simulators.kis.figures import read_day, whole, ymd
from jumun.simulators.kis.messages import COMPLETE, MORE, QUOTE_UNKNOWN, KisRefused, bad_field
from jumun.simulators.kis.office import Office
from jumun.simulators.kis.overseas_balances import PRODUCT_TYPE
from jumun.simulators.kis.quotations import is_halted

DOMESTIC_TYPE: Final = "300"
BOARD: Final = {Market.KOSPI: ("STK", "02"), Market.KOSDAQ: ("KSQ", "03"), Market.KONEX: ("KNX", "03")}
GROUP: Final = {Product.SHARE: "ST", Product.PREFERRED: "ST", Product.ETF: "EF", Product.ETN: "EN"}
DAYS_IN_PAGE: Final = 24
SATURDAY: Final = 5


def search_stock_info(office: Office, ask: Ask) -> Told:
    """Return what kind of issue it is, and whether NXT trades it."""
    ask.choice("PRDT_TYPE_CD", (DOMESTIC_TYPE,))
    instrument = office.instrument(ask.text("PDNO"), overseas=False)
    if instrument is None:
        raise KisRefused(QUOTE_UNKNOWN, rt_cd="7")
    board, exchange = BOARD[instrument.market]
    today = office.board.today(instrument)
    halted = is_halted(office, instrument, Venue.KRX)
    known = _names(instrument) | {
        "pdno": f"00000A{instrument.symbol}",
        "prdt_type_cd": DOMESTIC_TYPE,
        "mket_id_cd": board,
        "scty_grp_id_cd": GROUP[instrument.product],
        "excg_dvsn_cd": exchange,
        "etf_dvsn_cd": "1" if instrument.product is Product.ETF else "0",
        "tr_stop_yn": "Y" if halted else "N",
        "admn_item_yn": "N",
        "thdt_clpr": whole(office.board.price(instrument)) if today else "0",
        "bfdy_clpr": whole(office.board.base(instrument)),
        "clpr_chng_dt": ymd(day_before(office)),
        "cptt_trad_tr_psbl_yn": "Y" if instrument.nxt else "N",
        "nxt_tr_stop_yn": "Y" if not instrument.nxt or is_halted(office, instrument, Venue.NXT) else "N",
    }
    return Told(blocks={"output": known})


def search_info(office: Office, ask: Ask) -> Told:
    """Return the names of an issue; `rt_cd` 7 tells a client that probes to try the next market."""
    wanted, symbol = ask.text("PRDT_TYPE_CD"), ask.text("PDNO")
    instrument = office.instrument(symbol, overseas=wanted != DOMESTIC_TYPE)
    if instrument is None or wanted not in (DOMESTIC_TYPE, PRODUCT_TYPE.get(instrument.exchange)):
        raise KisRefused(QUOTE_UNKNOWN, rt_cd="7")
    is_domestic = wanted == DOMESTIC_TYPE
    known = _names(instrument) | {
        "pdno": f"00000A{symbol}" if is_domestic else symbol,
        "prdt_type_cd": wanted,
        "shtn_pdno": symbol,
        "prdt_clsf_name": instrument.product.value,
        "ivst_prdt_type_cd_name": instrument.market.value,
    }
    return Told(blocks={"output": known})


def chk_holiday(office: Office, ask: Ask) -> Told:
    """Return consecutive days; a page goes on while a calendar reaches.

    Whether banks work is taken from the exchange's calendar, except on its own holiday at the end of a year.
    """
    first = read_day(ask.text("CTX_AREA_NK") if ask.is_next else ask.text("BASS_DT"))
    if first is None:
        raise bad_field("BASS_DT")
    days = [first + timedelta(days=count) for count in range(DAYS_IN_PAGE)]
    if not office.market.world.overrides.always_open:
        days = [day for day in days if day <= LAST_DAY]
    more = len(days) == DAYS_IN_PAGE
    context = {
        "ctx_area_nk": ymd(first + timedelta(days=DAYS_IN_PAGE)) if more else "",
        "ctx_area_fk": ymd(first),
    }
    return Told(
        blocks={"output": [_day(office, day) for day in days]},
        msg_cd=MORE if more else COMPLETE,
        tr_cont=("M" if ask.is_next else "F") if more else ("E" if ask.is_next else "D"),
        context=context,
    )


def _day(office: Office, day: date) -> Fields:
    try:
        is_open = is_session(Venue.KRX, day, office.market.world.overrides)
    except NoCalendar:  # nobody has confirmed that day: closed, until somebody does
        is_open = False
    works = is_open or (day.month == 12 and day.day == 31 and day.weekday() < SATURDAY)
    yes_no = {True: "Y", False: "N"}
    return {
        "bass_dt": ymd(day),
        "wday_dvsn_cd": f"{day.isoweekday() % 7 + 1:02d}",  # 01 is Sunday
        "bzdy_yn": yes_no[works],
        "tr_day_yn": yes_no[is_open],
        "opnd_yn": yes_no[is_open],
        "sttl_day_yn": yes_no[is_open],
    }


def _names(instrument: Instrument) -> Fields:
    name = instrument.name or instrument.symbol
    korean = ("prdt_name", "prdt_name120", "prdt_abrv_name")
    english = ("prdt_eng_name", "prdt_eng_name120", "prdt_eng_abrv_name")
    return dict.fromkeys((*korean, *english), name) | {"std_pdno": _isin(instrument)}


def _isin(instrument: Instrument) -> str:
    """Return something shaped like an ISIN: GENERATED, without a true check digit."""
    return f"KR7{instrument.symbol}003" if len(instrument.symbol) == 6 and instrument.exchange == "" else ""
