"""Signals and prices from the bus (specification 000): what can be read becomes a command.

`trading_signal` carries {"signal": {…}} and becomes an order, once: its key is made of what it says, so a bus
that delivers twice makes one order (I-08). `market_data_received` revalues positions and moves held stops.
Nothing is swallowed: what is refused is logged and published as `signal_refused` with its reason.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

import structlog

from jumun.model.errors import BadInput, KeyConflict, OmsError, OrderDenied
from jumun.model.ids import IdempotencyKey, UserId
from jumun.model.journal import Message
from jumun.model.orders import Order
from jumun.model.reasons import Reason
from jumun.ports.outside import Subscriber
from jumun.rules.draft import Decision
from jumun.rules.signals import intent_of, signal_from
from jumun.services.intake import Intake

if TYPE_CHECKING:
    from jumun.services.order_engine import OrderEngine

SIGNAL: Final = "trading_signal"
MARKET_DATA: Final = "market_data_received"
REFUSED: Final = "signal_refused"
SHOWN_MAX: Final = 500  # characters of a refused event in the report: enough to find it at its sender

log = structlog.get_logger()


@runtime_checkable
class EventBus(Protocol):
    """A bus that also carries events of others, by name."""

    def subscribe(self, event_type: str, subscriber: Subscriber) -> Callable[[], None]:
        """Hear events of one type from now on; returns what ends that."""
        ...

    async def publish(self, event_type: str, event_data: Mapping[str, object], /) -> None:
        """Hand one event to its subscribers."""
        ...


def listening(engine: "OrderEngine", bus: object) -> "SignalIntake | None":
    """Return an intake that listens on the bus, or None where the bus carries no events of others."""
    if not isinstance(bus, EventBus):
        return None
    intake = SignalIntake(engine, bus)
    intake.listen()
    return intake


class SignalIntake:
    """One listener a bus. `taken` and `refused` count signals since the start."""

    def __init__(self, engine: "OrderEngine", bus: EventBus) -> None:
        self.taken = 0
        self.refused = 0
        self._engine = engine
        self._bus = bus
        self._intake = Intake(engine.desk.policy.accounts)
        self._ends: list[Callable[[], None]] = []

    def listen(self) -> None:
        """Subscribe; a second call changes nothing."""
        if not self._ends:
            self._ends = [
                self._bus.subscribe(SIGNAL, self.hear_signal),
                self._bus.subscribe(MARKET_DATA, self.hear_market_data),
            ]

    def stop(self) -> None:
        """Hear nothing more."""
        for end in self._ends:
            end()
        self._ends.clear()

    async def hear_signal(self, message: Message) -> None:
        """Take a `trading_signal`; returns when its order is durable or its refusal is reported."""
        try:
            await self.take(message.payload)
        except OmsError as error:
            await self._report(message, error)

    async def hear_market_data(self, message: Message) -> None:
        """Take a `market_data_received`; a bad one is reported like a bad signal."""
        try:
            await self._engine.handle_market_data(message.payload)
        except OmsError as error:
            await self._report(message, error)

    async def take(self, event_data: Mapping[str, object]) -> Decision:
        """Make an order of {"signal": {…}}, once; `user_id` beside it names whose, else the account's first.

        Raises BadInput for what cannot be read, OrderDenied where no order could be made (halted, queue full,
        …: the same signal may come again), KeyConflict when the same signal came before with other content.
        """
        if not self._engine.desk.accepting:  # its journal may not even be open
            raise OrderDenied(
                "the desk takes no orders at this moment; publish the signal again when it does",
                reason=Reason.NOT_READY,
            )
        signal = signal_from(event_data.get("signal"))
        user = event_data.get("user_id", "")
        if not isinstance(user, str):
            raise BadInput(f"user_id is a {type(user).__name__}; give a text", reason=Reason.BAD_SIGNAL)
        user_id: UserId = self._intake.user(self._intake.account(signal.account_id), user)
        intent = intent_of(signal, user_id)
        await self._intake.require_near(intent, self._engine.clock.now_ns(), self._known)
        decision = await self._engine.submit(intent)
        if decision.order is None:
            assert decision.denial is not None, "a decision without an order says why"
            raise OrderDenied(decision.denial.text, reason=decision.denial.reason)
        if decision.mismatch:
            raise KeyConflict(
                f"signal {signal.strategy_version} {signal.symbol} {signal.side} of this time made order "
                f"{decision.order.order_id} with other content, which stands; give the new one its own time"
            )
        self.taken += 1
        return decision

    async def _known(self, key: IdempotencyKey) -> Order | None:
        return self._engine.desk.book.order_by_key(key) or await self._engine.lookup.find(key)

    async def _report(self, message: Message, error: OmsError) -> None:
        self.refused += 1
        log.warning(
            "signal_refused",
            event_id=message.event_id,
            event_type=message.event_type,
            error=f"{error.code}: {error}",
            next_step="correct it and send it again; the same signal makes one order at most",
        )
        await self._bus.publish(
            REFUSED,
            {
                "event_type": message.event_type,
                "event_id": message.event_id,
                "reason": error.code,
                "text": str(error),
                "event": repr(message.payload)[:SHOWN_MAX],
            },
        )
