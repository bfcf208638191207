"""Ids are types. Ours are time-ordered UUIDs (version 7) so that indexes append."""

from typing import NewType

OrderId = NewType("OrderId", str)
AccountId = NewType("AccountId", str)
CommandId = NewType("CommandId", str)
FillId = NewType("FillId", str)
ExecutionId = NewType("ExecutionId", str)
BrokerOrderNo = NewType("BrokerOrderNo", str)
IdempotencyKey = NewType("IdempotencyKey", str)
UserId = NewType("UserId", str)

_MS_MASK = (1 << 48) - 1
_RANDOM_BITS = 74


def uuid7(ts_ns: int, chance: int) -> str:
    """Return the version 7 UUID of a UTC instant in nanoseconds and 74 bits of `chance`.

    Pure: time and chance come from the IdSource port, so one seed gives one day (I-63).
    Layout: RFC 9562 section 5.7 (48 bits of milliseconds, version, 12 and 62 random bits).
    """
    if not 0 <= chance < 1 << _RANDOM_BITS:
        raise ValueError(f"chance {chance} is not a number of {_RANDOM_BITS} bits")
    ms = (ts_ns // 1_000_000) & _MS_MASK
    high, low = chance >> 62, chance & ((1 << 62) - 1)
    value = (ms << 80) | (0x7 << 76) | (high << 64) | (0b10 << 62) | low
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def idempotency_key(
    account: str, strategy_version: str, symbol: str, signal_ts_ns: int, side: str, leg: str = ""
) -> IdempotencyKey:
    """Return specification 002's key: the same signal always gives the same key (S002-19, C-3, C-4).

    `signal_ts_ns` counts in whole milliseconds; `leg` is empty unless one signal has several orders.
    The parts are joined by `|`, which no part may hold: two signals must never share a key.
    """
    parts = [
        account.strip(),
        strategy_version.strip(),
        symbol.strip().upper(),
        str(signal_ts_ns // 1_000_000),
        side.strip().upper(),
    ]
    if leg:
        parts.append(leg)
    for part in parts:
        if not part or "|" in part:
            raise ValueError(f"key part {part!r} is empty or holds '|'; two signals could share a key")
    return IdempotencyKey("|".join(parts))
