"""Frames of the KIS WebSocket as text, and the ordered fields of every stream (kis.md 5.1 to 5.10).

The field lists come from contract.json, so that a layout is written down once.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from jumun.simulators.kis.cipher import StreamCipher

CONTRACT: Final = Path(__file__).with_name("contract.json")
SEPARATOR: Final = "^"
PINGPONG: Final = "PINGPONG"
MARKET_CLS_CODE: Final = "MARKET_CLS_CODE"  # the field of 2026-09-14 (kis.md 5.6)
RECORDS_MAX: Final = 999  # the count of a frame has three digits

# Ack codes and what the text behind them says. Only "SUBSCRIBE SUCCESS", the UNSUB… beginning and ALREADY IN
# USE are known word for word (kis.md 5.2, 7.2); the rest is the meaning of kis.md 5.9.
ACK_TEXT: Final = {
    "OPSP0000": "SUBSCRIBE SUCCESS",
    "OPSP0001": "UNSUBSCRIBE SUCCESS",
    "OPSP0002": "ALREADY IN SUBSCRIBE",
    "OPSP0003": "UNSUBSCRIBE ERROR(not found!)",
    "OPSP0007": "SUBSCRIBE INTERNAL ERROR",
    "OPSP0008": "MAX SUBSCRIBE OVER",
    "OPSP0009": "SUBSCRIBE ERROR(mci send failed)",
    "OPSP0010": "WARNING(invalid appkey)",
    "OPSP0011": "invalid approval : NOT FOUND",
    "OPSP8991": "INVALID TR_ID",
    "OPSP8992": "INVALID TR_KEY",
    "OPSP8993": "TR_KEY PARSE ERROR",
    "OPSP8994": "INVALID PERSONALSECKEY",
    "OPSP8995": "INVALID APPSECRET",
    "OPSP8996": "ALREADY IN USE appkey",
    "OPSP8997": "INVALID TR_TYPE",
    "OPSP8998": "INVALID CUSTTYPE",
    "OPSP8999": "RESOURCE ERROR",
    "OPSP9990": "TR_KEY NOT FOUND",
    "OPSP9991": "INPUT NOT FOUND",
    "OPSP9992": "BODY NOT FOUND",
    "OPSP9993": "INTERNAL ERROR",
    "OPSP9994": "INVALID APPKEY",
    "OPSP9995": "RESOURCE ERROR",
    "OPSP9996": "APPKEY NOT FOUND",
    "OPSP9997": "CUSTTYPE NOT FOUND",
    "OPSP9998": "HEADER NOT FOUND",
    "OPSP9999": "JSON PARSING ERROR",
}
SUCCESS: Final = frozenset({"OPSP0000", "OPSP0001"})  # a second registration is rt_cd 1 in legacy samples
IN_USE: Final = "OPSP8996"


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of the contract: its fields in order, in the layouts that are known."""

    tr_id: str
    fields: tuple[str, ...]
    encrypted: bool
    legacy_fields: tuple[str, ...] = ()
    fields_from_2026_09_14: tuple[str, ...] = ()
    paper_tr_id: str = ""


class _Websocket(msgspec.Struct):
    streams: list[Stream]


class _Contract(msgspec.Struct):
    websocket: _Websocket


@cache
def streams() -> dict[str, Stream]:
    """Return every stream by its TR id, the paper twins of notices included."""
    contract = msgspec.json.decode(CONTRACT.read_bytes(), type=_Contract)
    found = {stream.tr_id: stream for stream in contract.websocket.streams}
    for stream in list(found.values()):
        if stream.paper_tr_id:
            found.setdefault(
                stream.paper_tr_id,
                msgspec.structs.replace(stream, tr_id=stream.paper_tr_id, paper_tr_id=""),
            )
    return found


def fields_of(tr_id: str, count: int) -> tuple[str, ...]:
    """Return the layout of a stream that has `count` fields.

    Where the contract lists no layout with one field more than the usual one, it is MARKET_CLS_CODE behind
    them all: kis.md part 8 point 2 says that its place is not verified.
    """
    stream = streams()[tr_id]
    known = (stream.fields, stream.legacy_fields, stream.fields_from_2026_09_14)
    for fields in known:
        if len(fields) == count:
            return fields
    if count == len(stream.fields) + 1:
        return (*stream.fields, MARKET_CLS_CODE)
    lengths = sorted({len(fields) for fields in known if fields})
    raise ValueError(f"{tr_id} has no layout of {count} fields; it has {lengths}")


def row(fields: Sequence[str], values: Mapping[str, str]) -> str:
    """Return one record: every field of the layout in order; raises KeyError where a value is missing."""
    texts = [values[field] for field in fields]
    broken = next((text for text in texts if SEPARATOR in text), None)
    assert broken is None, f"{broken!r} holds the separator and would move every field behind it"
    return SEPARATOR.join(texts)


def plain(tr_id: str, rows: Sequence[str]) -> str:
    """Return a frame of prices: `0|TR|count|values`."""
    assert 0 < len(rows) <= RECORDS_MAX, f"a frame holds 1 to {RECORDS_MAX} records, not {len(rows)}"
    return f"0|{tr_id}|{len(rows):03d}|{SEPARATOR.join(rows)}"


def sealed(tr_id: str, text: str, cipher: StreamCipher) -> str:
    """Return an encrypted frame of one notice."""
    return f"1|{tr_id}|001|{cipher.encrypt(text)}"


def ack(tr_id: str, tr_key: str, code: str, *, encrypt: str, cipher: StreamCipher | None) -> str:
    """Return the answer to a registration (kis.md 5.2); `cipher` goes out with it where given."""
    body: dict[str, object] = {"rt_cd": _rt_cd(code), "msg_cd": code, "msg1": ACK_TEXT[code]}
    if cipher is not None:
        body["output"] = {"iv": cipher.iv, "key": cipher.key}
    return _json({"header": {"tr_id": tr_id, "tr_key": tr_key, "encrypt": encrypt}, "body": body})


def pingpong(clock: str) -> str:
    """Return the sign of life of the server; `clock` is YYYYMMDDHHMMSS of Korea (inferred, kis.md 5.3)."""
    return _json({"header": {"tr_id": PINGPONG, "datetime": clock}})


def _rt_cd(code: str) -> str:
    if code == IN_USE:
        return "9"
    return "0" if code in SUCCESS else "1"


def _json(message: object) -> str:
    return msgspec.json.encode(message).decode()
