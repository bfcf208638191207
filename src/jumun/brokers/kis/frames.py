"""WebSocket text to values: acknowledgements, keep-alives and data frames (kis.md 5.1 to 5.4). Pure."""

import re
from json import JSONDecodeError, loads
from typing import Any, Final

import msgspec

from jumun.brokers.kis.access import Secret
from jumun.brokers.kis.cipher import StreamKeys, decrypt
from jumun.model.errors import UnreadableReply

FRAME_CHARS_MAX: Final = 1_000_000  # 999 records of 1,000 characters
PING_TR: Final = "PINGPONG"
TAKEN_CODE: Final = "0"  # rt_cd; refusals say 1, or 9 where the app key is in use (kis.md 5.2)

_TR_ID = re.compile(r"[A-Z0-9]{1,13}", re.ASCII)
_COUNT = re.compile(r"[0-9]{3}", re.ASCII)
_KEY_PAIR = re.compile(r'("(?:key|iv|approval_key)"\s*:\s*")[^"]*', re.IGNORECASE)


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a registration. `keys` comes with those that carry them; `code` is of kis.md 5.9.

    `encrypted` is what the acknowledgement says, which disagrees between sources (kis.md part 8, 19): a
    frame says it of itself, and that decides.
    """

    tr_id: str
    tr_key: str
    is_taken: bool
    code: str
    text: str
    encrypted: bool
    keys: StreamKeys | None


class PingPong(msgspec.Struct, frozen=True):
    """A keep-alive: send `text` back as it is (kis.md 5.3, F-33)."""

    text: str


class DataFrame(msgspec.Struct, frozen=True, kw_only=True):
    """`count` records of the stream `tr_id`, still sealed if `is_sealed`."""

    tr_id: str
    is_sealed: bool
    count: int
    payload: str


Frame = Ack | PingPong | DataFrame


def read_frame(text: str) -> Frame:
    """Return what a text frame is; raises UnreadableReply, whose raw text holds no key."""
    if len(text) > FRAME_CHARS_MAX:
        raise _unreadable(
            f"a frame of {len(text)} characters is over {FRAME_CHARS_MAX}", text[:FRAME_CHARS_MAX]
        )
    if text.startswith("{"):
        return _read_json(text)
    return _read_data(text)


def open_payload(frame: DataFrame, keys: StreamKeys | None) -> str:
    """Return the plain payload. Raises UnreadableReply when it is sealed and does not open (F-28)."""
    if not frame.is_sealed:
        return frame.payload
    if keys is None:
        raise _unreadable(f"a sealed frame of {frame.tr_id} came before its key", frame.payload)
    return decrypt(frame.payload, keys)


def _read_data(text: str) -> DataFrame:
    parts = text.split("|", 3)
    if len(parts) != 4:
        raise _unreadable(f"a frame of {len(parts)} parts is neither JSON nor data", text)
    flag, tr_id, count, payload = parts
    if flag not in ("0", "1") or not _TR_ID.fullmatch(tr_id):
        raise _unreadable(f"a data frame begins with {flag[:8]!r} and {tr_id[:16]!r}", text)
    if not _COUNT.fullmatch(count) or int(count) == 0:
        raise _unreadable(f"a frame of {tr_id} counts {count[:8]!r} records", text)
    return DataFrame(tr_id=tr_id, is_sealed=flag == "1", count=int(count), payload=payload)


def _read_json(text: str) -> Ack | PingPong:
    try:
        message = loads(text)
    except (JSONDecodeError, RecursionError):
        raise _unreadable("a frame looks like JSON and is none", text) from None
    header = _part(message, "header", text)
    if header.get("tr_id") == PING_TR:
        return PingPong(text)
    body = _part(message, "body", text)
    output = body.get("output")
    return Ack(
        tr_id=_word(header, "tr_id", text, default=""),
        tr_key=_word(header, "tr_key", text, default=""),
        is_taken=_word(body, "rt_cd", text) == TAKEN_CODE,
        code=_word(body, "msg_cd", text),
        text=_word(body, "msg1", text, default="").strip(),
        encrypted=_word(header, "encrypt", text, default="") == "Y",
        keys=_keys(output, text) if isinstance(output, dict) else None,
    )


def _keys(output: dict[str, Any], text: str) -> StreamKeys | None:
    if "key" not in output and "iv" not in output:
        return None
    return StreamKeys(key=Secret(_word(output, "key", text)), iv=Secret(_word(output, "iv", text)))


def _part(message: object, name: str, text: str) -> dict[str, Any]:
    part = message.get(name) if isinstance(message, dict) else None
    if not isinstance(part, dict):
        raise _unreadable(f"a JSON frame has no {name}", text)
    return part


def _word(part: dict[str, Any], name: str, text: str, *, default: str | None = None) -> str:
    word = part.get(name)
    if word is None and default is not None:  # refusals of malformed requests name no stream
        return default
    if not isinstance(word, str):
        raise _unreadable(f"{name} of a JSON frame is {type(word).__name__}, not text", text)
    return word


def _unreadable(what: str, text: str) -> UnreadableReply:
    raw = _KEY_PAIR.sub(r"\1***", text)
    return UnreadableReply(f"{what}; the stream is not trusted until a history has been read", raw=raw)
