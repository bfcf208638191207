"""Reading a signal: every field is checked, and what is missing or odd is refused with its name (F-96)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeVar

from jumun.model.errors import BadInput, OmsError
from jumun.model.ids import AccountId, UserId
from jumun.model.money import decimal_of_double, to_decimal
from jumun.model.orders import OrderType, Side, TimeInForce
from jumun.model.reasons import Reason
from jumun.model.signals import ApprovedOrderIntent, TradingSignal

_Choice = TypeVar("_Choice", bound=StrEnum)
FIELDS: Final = frozenset(
    {
        "symbol",
        "side",
        "quantity",
        "order_type",
        "price",
        "strategy_id",
        "strategy_version",
        "account_id",
        "signal_ts",
        "time_in_force",
        "stop_price",
        "leg",
    }
)
NS: Final = 1_000_000_000
DIGITS_MAX: Final = 19  # nanoseconds of today


def signal_from(data: object) -> TradingSignal:
    """Return the signal a mapping describes; raises BadInput naming the field (S000-34).

    Numbers may be text, int, Decimal, or a double (converted through its shortest text, C-44). `signal_ts`
    is a zone-aware datetime, its ISO text, or whole seconds or milliseconds since 1970. A naive time, an
    unknown field, side, type or time in force is refused.
    """
    if not isinstance(data, Mapping):
        raise BadInput(
            f"a signal is a mapping of fields, not {type(data).__name__}", reason=Reason.BAD_SIGNAL
        )
    unknown = sorted(str(key) for key in data if key not in FIELDS)
    if unknown:
        raise BadInput(
            f"signal field {unknown[0]!r} is unknown; use {sorted(FIELDS)}", reason=Reason.BAD_SIGNAL
        )
    tif = data.get("time_in_force")
    return TradingSignal(
        symbol=_text(data, "symbol"),
        side=_choice(Side, data.get("side"), "side", Reason.UNKNOWN_SIDE),
        quantity=_number(data.get("quantity"), "quantity"),
        order_type=_choice(OrderType, data.get("order_type"), "order_type", Reason.BAD_SIGNAL),
        price=_optional_number(data.get("price"), "price"),
        strategy_id=_text(data, "strategy_id"),
        strategy_version=_text(data, "strategy_version"),
        account_id=AccountId(_text(data, "account_id")),
        signal_ts_ns=instant_ns(data.get("signal_ts"), "signal_ts"),
        time_in_force=None if not tif else _choice(TimeInForce, tif, "time_in_force", Reason.BAD_SIGNAL),
        stop_price=_optional_number(data.get("stop_price"), "stop_price"),
        leg=_leg(data),
    )


def intent_of(signal: TradingSignal, user_id: UserId) -> ApprovedOrderIntent:
    """Turn a signal into the intent that risk is asked to approve (S000-35)."""
    return ApprovedOrderIntent(
        account_id=signal.account_id,
        symbol=signal.symbol,
        side=signal.side,
        order_type=signal.order_type,
        qty=signal.quantity,
        price=signal.price,
        time_in_force=signal.time_in_force,
        stop_price=signal.stop_price,
        strategy_id=signal.strategy_id,
        strategy_version=signal.strategy_version,
        signal_ts_ns=signal.signal_ts_ns,
        leg=signal.leg,
        user_id=user_id,
    )


def market_data_from(data: Mapping[str, object]) -> tuple[str, Decimal, int | None]:
    """Return symbol, price and instant of a `market_data_received` event (S000-65), UTC nanoseconds.

    `price`, else `close`, is the newest trade; `timestamp`, else `ts`, says when it was, and None that nobody
    said. The fields may stand in a mapping under `data`. Raises BadInput naming the field.
    """
    inner = data.get("data", data)
    if not isinstance(inner, Mapping):
        raise BadInput("market data is a mapping of fields; give symbol and price", reason=Reason.BAD_INPUT)
    price = _number(inner.get("price", inner.get("close")), "price")
    if not price.is_finite() or price <= 0:
        raise BadInput(f"price {price} is no price; give one above zero", reason=Reason.BAD_NUMBER)
    when = inner.get("timestamp", inner.get("ts"))
    return _text(inner, "symbol"), price, None if when is None else instant_ns(when, "timestamp")


def instant_ns(value: object, field: str) -> int:
    """Return UTC nanoseconds; the unit of a number is told by its size (requirements 3.1, 4)."""
    if isinstance(value, str):
        if value.isascii() and value.isdigit() and len(value) <= DIGITS_MAX:
            return _sized(int(value), field)
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise BadInput(
                f"{field} {str(value)[:40]!r} is no ISO time; give 2026-11-20T09:00:00+09:00",
                reason=Reason.BAD_TIME,
            ) from error
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise BadInput(f"{field} {value} has no time zone; add one, as in +09:00", reason=Reason.BAD_TIME)
        try:
            since = value.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        except OverflowError as error:
            raise BadInput(
                f"{field} {value} is outside the calendar; correct the year", reason=Reason.BAD_TIME
            ) from error
        return (since.days * 86_400 + since.seconds) * NS + since.microseconds * 1_000
    if isinstance(value, int) and not isinstance(value, bool):
        return _sized(value, field)
    raise BadInput(f"{field} is missing or no time; give an ISO time with its zone", reason=Reason.BAD_TIME)


def _sized(value: int, field: str) -> int:
    """Seconds, milliseconds, microseconds or nanoseconds of the years 2001 to 2286, by magnitude."""
    for digits, factor in ((10, NS), (13, 1_000_000), (16, 1_000), (19, 1)):
        if 10 ** (digits - 1) <= value < 10**digits:
            return value * factor
    shown = value if abs(value) < 10**DIGITS_MAX else "of so many digits"
    raise BadInput(
        f"{field} {shown} is no instant; give seconds, ms, us or ns since 1970", reason=Reason.BAD_TIME
    )


def _text(data: Mapping[object, object], field: str) -> str:
    value = data.get(field)
    if not isinstance(value, str) or not value.strip() or len(value) > 100 or "|" in value:
        raise BadInput(
            f"signal field {field} is missing, too long or holds '|'; give a short text",
            reason=Reason.BAD_SIGNAL,
        )
    return value.strip()


def _leg(data: Mapping[object, object]) -> str:
    """Empty unless one signal has several orders; part of the key, so as strict as the other parts (C-4)."""
    leg = data.get("leg")
    if leg is None or (isinstance(leg, str) and not leg.strip()):
        return ""
    return _text(data, "leg")


def _choice(kind: type[_Choice], value: object, field: str, reason: Reason) -> _Choice:
    if isinstance(value, str) and value.strip().upper() in kind.__members__:
        return kind[value.strip().upper()]
    raise BadInput(f"{field} {value!r} is unknown; use one of {', '.join(kind.__members__)}", reason=reason)


def _optional_number(value: object, field: str) -> Decimal | None:
    return None if value is None or value == "" else _number(value, field)


def _number(value: object, field: str) -> Decimal:
    try:
        if isinstance(value, float):
            return decimal_of_double(value, field=field)
        return to_decimal(value, field=field)
    except OmsError as error:
        raise BadInput(str(error), reason=Reason.BAD_NUMBER) from error
