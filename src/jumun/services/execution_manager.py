"""ExecutionManager: what became of each order, and of the day (S000-29 to S000-33, S000-108, S000-109).

It keeps nothing that a restart would lose. An open order is in the book, a closed one in the journal, the
day's figures in the book and its snapshots. The lists of recent fills and alarms are for screens: bounded,
and empty after a start.
"""

from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import msgspec

from jumun.model.days import DayStats
from jumun.model.errors import BadInput, OrderDenied
from jumun.model.events import OrderAlarmed
from jumun.model.fills import Fill
from jumun.model.ids import AccountId
from jumun.model.instruments import Venue
from jumun.model.journal import Entry
from jumun.model.orders import Order
from jumun.model.reasons import Reason
from jumun.rules.day_stats import DAYS_MAX, newest_session
from jumun.rules.execution_quality import day_total, quality_of
from jumun.services.trackers import ExecutionTracker

if TYPE_CHECKING:
    from jumun.services.order_engine import OrderEngine

HISTORY_MAX: Final = 1_000  # fills and alarms kept for screens (S000-115)
FILLS_SHOWN_MAX: Final = 1_000  # of one order in an answer; ten times what fragments it badly (S000-101)


class Unfilled(msgspec.Struct, frozen=True, kw_only=True):
    """An order with open shares, and how long it has been waiting."""

    order: Order
    age_ns: int  # since its creation
    since_fill_ns: int | None  # since its first fill; None before it
    qty_left: Decimal


class ExecutionManager:
    """Reads the desk; decides nothing. The alarms are the desk's own, in its journal and on the bus."""

    def __init__(self, engine: "OrderEngine | None" = None) -> None:
        self.fills: deque[Fill] = deque(maxlen=HISTORY_MAX)
        self.alarms: deque[OrderAlarmed] = deque(maxlen=HISTORY_MAX)
        self._engine: OrderEngine | None = None
        if engine is not None:
            self.attach(engine)

    def attach(self, engine: "OrderEngine") -> None:
        """Listen to this desk from now on; once."""
        if self._engine is engine:
            return
        assert self._engine is None, "an ExecutionManager belongs to one desk"
        self._engine = engine
        engine.listeners.append(self._hear)

    @property
    def config(self) -> dict[str, object]:
        """What the desk watches fills by, under 000's names (S000-99 to S000-101)."""
        limits = self._desk().desk.policy.limits
        return {
            "max_partial_fill_time": limits.max_partial_fill_time_s,
            "min_fill_size": limits.min_fill_size,
            "max_fills_per_order": limits.max_fills_per_order,
            "enable_partial_fills": limits.enable_partial_fills,
        }

    async def get_execution_status(self, order_id: str) -> dict[str, object]:
        """Return how an order was executed, while it is open, after it has closed and after a restart.

        Prices and amounts are exact decimals in the order's currency; what is not known is None. Raises
        UnknownOrder.
        """
        engine = self._desk()
        order = await engine.find(order_id)
        fills = (await engine.journal.fills_of(order.order_id))[-FILLS_SHOWN_MAX:]
        quality = quality_of(order, fills)
        return {
            "order_id": order.order_id,
            "account_id": order.account_id,
            "symbol": order.symbol,
            "side": order.side.value,
            "status": order.status.value,
            "total_quantity": order.qty,
            "filled_quantity": order.qty_filled,
            "remaining_quantity": order.qty_left if order.is_executable else Decimal(0),
            "fill_ratio": quality.fill_ratio,
            "average_fill_price": quality.average_price,
            "total_fills": quality.fill_count,
            "fills": fills,
            "smallest_fill": quality.smallest_fill,
            "largest_fill": quality.largest_fill,
            "arrival_price": quality.arrival_price,
            "slippage": quality.slippage,
            "slippage_bp": quality.slippage_bp,
            "commission": quality.costs,
            "created_ns": order.created_ns,
            "time_to_first_fill_ns": quality.first_fill_ns,
            "time_to_completion_ns": quality.completion_ns,
            "alarms": [alarm.value for alarm in order.alarms],
            "flags": [flag.value for flag in order.flags],
        }

    async def get_tracker(self, order_id: str) -> ExecutionTracker:
        """Return 000's tracker of an order; raises UnknownOrder."""
        engine = self._desk()
        order = await engine.find(order_id)
        return ExecutionTracker.of(order, (await engine.journal.fills_of(order.order_id))[-FILLS_SHOWN_MAX:])

    async def get_unfilled_orders(
        self, symbol: str | None = None, older_than_s: float = 0.0
    ) -> list[Unfilled]:
        """Return open orders, the longest waiting first (S000-31)."""
        engine = self._desk()
        now_ns = engine.clock.now_ns()
        found = [
            Unfilled(
                order=order,
                age_ns=now_ns - order.created_ns,
                since_fill_ns=None if order.first_fill_ns is None else now_ns - order.first_fill_ns,
                qty_left=order.qty_left,
            )
            for order in engine.desk.book.open.values()
            if symbol in (None, order.symbol)
        ]
        waiting = [one for one in found if one.age_ns >= int(older_than_s * 1_000_000_000)]
        return sorted(waiting, key=lambda one: (one.order.created_ns, one.order.order_id))

    async def get_daily_execution_stats(
        self,
        trade_date: str | None = None,
        account_id: AccountId | None = None,
        venue: Venue | None = None,
    ) -> dict[str, object]:
        """Return a trading day's figures (S000-109): of one account, or of all together.

        Without `trade_date` it is the newest session that has begun, at `venue` or at any venue the desk
        trades; so the figures last until the next session begins, not to midnight. Money is apart by
        currency. Raises BadInput for a date that the book no longer keeps.
        """
        engine = self._desk()
        day = trade_date or self._today(engine, venue)
        days = [
            stats
            for (account, date), stats in engine.desk.book.days.items()
            if date == day and account_id in (None, account)
        ]
        if not days:
            self._refuse_forgotten(engine.desk.book.days, day, account_id)
        return {"trade_date": day, "accounts": sorted(stats.account_id for stats in days), **day_total(days)}

    def _today(self, engine: "OrderEngine", venue: Venue | None) -> str:
        policy = engine.desk.policy
        venues = {instrument.venue for instrument in policy.instruments} if venue is None else {venue}
        if not venues:
            raise BadInput("no instrument is configured, so there is no trading day; give the trade date")
        return newest_session(venues, engine.clock.now_ns(), policy.sessions)

    def _refuse_forgotten(
        self, kept: "dict[tuple[str, str], DayStats]", day: str, account_id: AccountId | None
    ) -> None:
        """A day that was dropped must not read as a day on which nothing happened."""
        dates: dict[str, list[str]] = {}
        for account, date in kept:
            if account_id in (None, account):
                dates.setdefault(account, []).append(date)
        if any(len(of_one) >= DAYS_MAX and day < min(of_one) for of_one in dates.values()):
            raise BadInput(
                f"the figures of {day} are no longer in memory; the newest {DAYS_MAX} days are, "
                "and older ones are in the tables fills and orders"
            )

    def _hear(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if entry.fill is not None:
                self.fills.append(entry.fill)
            if isinstance(entry.record.event, OrderAlarmed):
                self.alarms.append(entry.record.event)

    def _desk(self) -> "OrderEngine":
        if self._engine is None:
            raise OrderDenied(
                "this ExecutionManager has no desk; make it with ExecutionManager(engine)",
                reason=Reason.NOT_READY,
            )
        return self._engine
