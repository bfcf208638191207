"""Which signals a replay takes: of a declared account and a known symbol, near the bars it has."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Final

from jumun.model.errors import BadInput
from jumun.model.ids import AccountId
from jumun.model.instruments import InstrumentMaster
from jumun.model.reasons import Reason
from jumun.model.signals import TradingSignal
from jumun.replay.timeline import SECOND_NS
from jumun.rules.sessions import trade_date_of
from jumun.rules.trading_days import NO_OVERRIDES

# How far a signal may lie from the bars: the evening before the first and the night after the last. The rules
# judge what is nearer; what is farther would only drag the clock through days on which nothing trades.
MARGIN_NS: Final = 24 * 3_600 * SECOND_NS

NAMED_MAX: Final = 5  # accounts in a sentence

Span = tuple[int, int]  # first and last instant, UTC ns


def signal_check(
    accounts: Collection[AccountId], master: InstrumentMaster, span: Span | None
) -> Callable[[TradingSignal], None]:
    """Return what refuses a signal by raising OmsError. `span` is that of the bars, None without any."""

    def check(signal: TradingSignal) -> None:
        if signal.account_id not in accounts:
            raise BadInput(
                f"account {signal.account_id!r} is not declared; correct it to one of "
                f"{_some(accounts)}, or declare it under [[accounts]] in the settings file",
                reason=Reason.UNKNOWN_ACCOUNT,
            )
        venue = master.get(signal.symbol).venue
        trade_date_of(venue, signal.signal_ts_ns, NO_OVERRIDES)  # raises NoCalendar
        _require_near(signal.signal_ts_ns, span)

    return check


def _require_near(ts_ns: int, span: Span | None) -> None:
    if span is None:
        raise BadInput(
            "there is no usable bar to trade on; correct the prices", reason=Reason.NO_REFERENCE_PRICE
        )
    first_ns, last_ns = span
    if first_ns - MARGIN_NS <= ts_ns <= last_ns + MARGIN_NS:
        return
    side, edge_ns = ("before the first", first_ns) if ts_ns < first_ns else ("after the last", last_ns)
    raise BadInput(
        f"signal_ts {_shown(ts_ns)} lies more than 24 hours {side} bar ({_shown(edge_ns)}); "
        "correct it or give bars for that day",
        reason=Reason.BAD_TIME,
    )


def _shown(ts_ns: int) -> str:
    return datetime.fromtimestamp(ts_ns // SECOND_NS, tz=UTC).isoformat()


def _some(accounts: Collection[AccountId]) -> str:
    names = sorted(accounts)
    return ", ".join(names[:NAMED_MAX]) + (", …" if len(names) > NAMED_MAX else "")
