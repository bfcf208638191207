"""What nobody has confirmed about the KIS stream, as switches; rows are those of kis.md part 8."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final, Literal

import msgspec

from jumun.model.errors import ConfigError


class StreamSwitches(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One simulated stream. Every default is what a majority of sources says, or the safer reading."""

    # Layouts
    notice_layout: Literal[26, 23] = 26  # row 1: official tables 26; sample frames and two clients 23
    overseas_layout: Literal[25, 21] = 25  # 5.8: official 25; legacy samples and python-kis 21
    trade_layout: Literal[47, 46] = 47  # row 2: a 47th field since 2026-09-14; UN and NX alike is inferred
    book_layout: Literal[59, 60] = 59  # row 2: whether H0STASP0 has it too is not verified
    zero_kind_on_fills: bool = True  # 5.5: fill notices of the portal's example say 00 for any kind
    # Acknowledgements
    encrypt: Literal["Y", "N"] = "Y"  # row 19: of notices; the official client decrypts only after Y
    keys: Literal["session", "tr"] = "session"  # 5.2: one key for a session, or one for each TR
    keys_on_every_ack: bool = True  # 5.2: one client reads them from the acks of prices as well
    # Sessions
    registrations: int = 41  # row 14: 41, in code comments 40
    sessions_per_key: int = 1  # 7.2
    release_s: int = 0  # 5.9: how long an ended session still occupies its app key; not published
    pingpong_s: int = 30  # row 25: period not published; 0: never
    pingpong_misses: int = 3  # 5.3: unanswered ones until the session is dropped
    unregisters_with_0: bool = False  # row 15: tr_type 2 in all clients, 0 in some comments
    # What is told
    notes_ex_officio: bool = (
        True  # a cancel by the exchange is told like a confirmed one, with its own number
    )
    notes_expiry: bool = False  # the end of the session cancels in silence (F-55)
    tells_phases: bool = True  # 5.7: market state on phase changes is inferred
    records_per_frame: int = 1  # 5.4: trades that are told at once share a frame, up to so many


NAMES: Final = tuple(field.name for field in msgspec.structs.fields(StreamSwitches))
_LEAST: Final = {"sessions_per_key": 1, "registrations": 1, "pingpong_misses": 1, "records_per_frame": 1}
_MOST: Final = {"records_per_frame": 999}


def stream_switches_from(given: Mapping[str, str], base: StreamSwitches | None = None) -> StreamSwitches:
    """Return `base` with switches set from texts; raises ConfigError naming one that cannot be.

    An empty text means true.
    """
    values = msgspec.structs.asdict(base or StreamSwitches())
    for name, text in given.items():
        if name not in values:
            close = get_close_matches(name, NAMES, n=1)
            meant = f"did you mean {close[0]}?" if close else f"use one of {', '.join(NAMES)}"
            raise ConfigError(f"{name!r} is no switch of the simulated stream; {meant}")
        values[name] = _value(text.strip(), values[name])
        try:
            msgspec.convert(values, StreamSwitches)
        except msgspec.ValidationError as error:
            raise ConfigError(f"switch {name} of the simulated stream cannot be {text!r}: {error}") from error
        _require_range(name, values[name])
    return msgspec.convert(values, StreamSwitches)


def _value(text: str, default: object) -> object:
    if isinstance(default, bool):
        return {"": True, "true": True, "false": False}.get(text.lower(), text)
    if isinstance(default, int) and text.isascii() and text.isdigit():
        return int(text)
    return text


def _require_range(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        return
    if value < _LEAST.get(name, 0) or value > _MOST.get(name, value):
        least, most = _LEAST.get(name, 0), _MOST.get(name)
        upto = f" to {most}" if most else " or more"
        raise ConfigError(f"switch {name} of the simulated stream is {value}; write {least}{upto}")
