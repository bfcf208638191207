"""Frames of order notices as KIS writes them, sealed with its cipher."""

from base64 import b64encode
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from jumun.brokers.kis.access import Secret
from jumun.brokers.kis.cipher import StreamKeys
from jumun.brokers.kis.notice_records import LAYOUTS, NoticeSwitches, Stream
from jumun.brokers.kis.notices import DataFrame, Heard, hear, read_frame
from jumun.model.ids import AccountId
from jumun.model.orders import BrokerRef

NS = 1_000_000_000
SEOUL = ZoneInfo("Asia/Seoul")
KEYS = StreamKeys(key=Secret("abcdefghijklmnopqrstuvwxyz012345"), iv=Secret("0123456789abcdef"))
OURS = {"1234567801": AccountId("12345678-01")}
# The plain examples of kis.md 5.5: a market order is received, then partly filled.
RECEIVED = (
    "myhtsid^1234567801^0000012345^^02^0^01^0^005930^0000000010^000000000^093015^0^1^1^06010^000000010"
    "^고객명^000000000^1^Y^   ^10^00000000^삼성전자^000000000"
)
FILLED = (
    "myhtsid^1234567801^0000012345^^02^0^00^0^005930^0000000003^000070000^093016^0^2^2^06010^000000010"
    "^고객명^000000000^1^Y^   ^10^00000000^삼성전자^000000000"
)
WIDE, NARROW = LAYOUTS[Stream.DOMESTIC]
US_WIDE, US_NARROW = LAYOUTS[Stream.OVERSEAS]

DOMESTIC = {
    "CUST_ID": "myhtsid",
    "ACNT_NO": "1234567801",
    "ODER_NO": "0000012345",
    "OODER_NO": "",
    "SELN_BYOV_CLS": "02",
    "RCTF_CLS": "0",
    "ODER_KIND": "00",
    "ODER_COND": "0",
    "STCK_SHRN_ISCD": "005930",
    "CNTG_QTY": "0000000010",
    "CNTG_UNPR": "000070000",
    "STCK_CNTG_HOUR": "093015",
    "RFUS_YN": "0",
    "CNTG_YN": "1",
    "ACPT_YN": "1",
    "BRNC_NO": "06010",
    "ODER_QTY": "000000010",
    "ACNT_NAME": "고객명",
    "ORD_COND_PRC": "000000000",
    "ORD_EXG_GB": "1",
    "POPUP_YN": "Y",
    "FILLER": "   ",
    "CRDT_CLS": "10",
    "CRDT_LOAN_DATE": "00000000",
    "CNTG_ISNM": "삼성전자",
    "CNTG_ISNM40": "삼성전자",
    "ODER_PRC": "000000000",
}
OVERSEAS = {
    **DOMESTIC,
    "ODER_NO": "0030138112",
    "ODER_KIND2": "2",
    "ODER_COND": "6",
    "STCK_SHRN_ISCD": "AAPL",
    "CNTG_QTY": "0000000002",
    "CNTG_UNPR": "001480100",
    "STCK_CNTG_HOUR": "233512",
    "BRNC_NO": "01790",
    "DEBT_GB": "10",
    "DEBT_DATE": "00000000",
    "START_TM": "",
    "END_TM": "",
    "TM_DIV_TP": "",
    "CNTG_UNPR12": "000001480100",
}
FILL = {"CNTG_YN": "2", "ACPT_YN": "2"}
CHANGE = {"ODER_NO": "0000012399", "OODER_NO": "0000012345"}
REVISE, CANCEL = {**CHANGE, "RCTF_CLS": "1"}, {**CHANGE, "RCTF_CLS": "2"}
CONFIRMED, REFUSED = {"ACPT_YN": "2"}, {"RFUS_YN": "1"}


def plain(*overrides: dict[str, str], layout: tuple[str, ...] = WIDE) -> str:
    """One record of a layout, as text."""
    base = dict(OVERSEAS if layout in (US_WIDE, US_NARROW) else DOMESTIC)
    for override in overrides:
        base |= override
    return "^".join(base[name] for name in layout)


def seal(text: str, keys: StreamKeys = KEYS) -> str:
    """Encrypt as KIS does."""
    padder = PKCS7(128).padder()
    padded = padder.update(text.encode()) + padder.finalize()
    sealer = Cipher(AES256(keys.key.reveal().encode()), CBC(keys.iv.reveal().encode())).encryptor()
    return b64encode(sealer.update(padded) + sealer.finalize()).decode()


def frame(payload: str, *, tr_id: str = "H0STCNI0", count: int = 1) -> str:
    return f"1|{tr_id}|{count:03}|{seal(payload)}"


def at(text: str, zone: ZoneInfo = SEOUL) -> int:
    """UTC nanoseconds of a local time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC).timestamp()) * NS


NOON = at("2026-11-20 12:00:00")


def listen(text: str, *, received_ns: int = NOON, switches: NoticeSwitches | None = None) -> Heard:
    data = read_frame(text)
    assert isinstance(data, DataFrame)
    return hear(data, KEYS, received_ns, OURS, lambda symbol: None, switches)


def one(*overrides: dict[str, str], layout: tuple[str, ...] = WIDE, received_ns: int = NOON) -> object:
    """The single report that a record of ours gives."""
    tr_id = "H0GSCNI0" if layout in (US_WIDE, US_NARROW) else "H0STCNI0"
    heard = listen(frame(plain(*overrides, layout=layout), tr_id=tr_id), received_ns=received_ns)
    (report,) = heard.reports
    return report


def ref(number: str, trade_date: str = "2026-11-20", branch: str = "06010") -> BrokerRef:
    return BrokerRef(trade_date=trade_date, branch=branch, number=number)  # type: ignore[arg-type]
