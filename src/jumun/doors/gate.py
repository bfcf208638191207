"""What every door of one service shares: the engine, who may use it, and whether it takes requests yet."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from jumun.limits import BROKER_SILENT_MAX_S
from jumun.model.errors import BrokerUnavailable, OrderDenied
from jumun.model.ids import IdempotencyKey
from jumun.model.orders import Order
from jumun.model.reasons import Reason
from jumun.model.signals import ApprovedOrderIntent
from jumun.services.bulk import BulkSubmitter
from jumun.services.intake import Intake
from jumun.services.order_engine import OrderEngine

NOT_YET: Final = "the service has not finished its start; try again when /readyz says so"
NOT_YET_AT_BROKER: Final = "the service has not finished its start, because the broker does not let it in"
STOPPING: Final = "the service is stopping; try again after its next start"
OF_AN_EXCHANGE: Final = "start it again"
NS: Final = 1_000_000_000
_Answer = TypeVar("_Answer")


class Gate:
    """Closed until recovery is done and again from the stop on; app opens and closes it."""

    def __init__(self, engine: OrderEngine, intake: Intake, *, environment: str, prices: str) -> None:
        self.engine = engine
        self.intake = intake
        self.submitter = BulkSubmitter(engine)
        self.on_close: list[Callable[[], None]] = []  # what must end by itself when the service stops
        self.environment = environment
        self.prices = prices  # what the prices are, for people
        self.version = ""
        self.store = ""
        self.exchange = ""  # where the broker is, for people
        self.remedy = OF_AN_EXCHANGE  # what a person does about a broker that does not answer
        self.started_ns = 0
        self._why_closed: str | None = NOT_YET
        self._running: set[asyncio.Task[Any]] = set()

    def open(self) -> None:
        """Recovery is done: requests may come."""
        self._why_closed = None

    def close(self) -> None:
        """Stop taking requests; those inside go on."""
        self._why_closed = STOPPING
        for tell in self.on_close:
            tell()

    def require_open(self) -> None:
        """Raise OrderDenied NOT_READY while requests are not taken: the book may be half loaded."""
        why = self._closed()
        if why is not None:
            raise OrderDenied(why, reason=Reason.NOT_READY)

    def unready(self) -> str | None:
        """Return why new orders are not taken, or None when they are."""
        why = self._closed()
        if why is not None:
            return why
        desk = self.engine.desk
        if (failing := self.failing()) is not None:
            return failing
        if desk.book.halt is not None:
            return f"HALTED: {desk.book.halt.reason}: {desk.book.halt.text}"
        silent = self.broker_silent_since()
        if silent is not None:
            where = f" at {self.exchange}" if self.exchange else ""
            why = f" ({desk.deaf})" if desk.deaf else ""
            return (
                f"BROKER_UNAVAILABLE: the broker{where} has not answered since {silent}{why}; {self.remedy}"
            )
        return None if desk.accepting else "the desk does not take new orders; its log says why"

    def failing(self) -> str | None:
        """Return what ended the desk, or what its start waits for: `CODE: sentence`; else None."""
        failure = self.engine.desk.failure
        if failure is not None:
            return f"{failure.code}: {failure}"
        return f"{Reason.BROKER_UNAVAILABLE}: {waits}" if (waits := self.start_waits_for()) else None

    def _closed(self) -> str | None:
        waits = self.start_waits_for()
        return f"{NOT_YET_AT_BROKER}: {waits}" if waits else self._why_closed

    def start_waits_for(self) -> str:
        """Return the broker's newest words while they keep the start from ending; else empty."""
        return self.engine.start_waits_for if self._why_closed == NOT_YET else ""

    def broker_silent_since(self) -> str | None:
        """Return the UTC time since when the broker is not heard, or its questions fail; else None.

        A silent stream counts at once: it was listened for. Questions must fail for BROKER_SILENT_MAX_S.
        """
        clock, deaf_ns = self.engine.clock, self.engine.desk.deaf_since_ns
        since_ns = self.engine.reconciler.failing_since_ns if deaf_ns is None else deaf_ns
        if since_ns is None:
            return None
        silent_ns = clock.monotonic_ns() - since_ns
        if deaf_ns is None and silent_ns <= BROKER_SILENT_MAX_S * NS:
            return None
        return datetime.fromtimestamp((clock.now_ns() - silent_ns) // NS, UTC).isoformat()

    def unanswered(self, error: BrokerUnavailable) -> BrokerUnavailable:
        """Return what a person is told of a question that the broker has not answered."""
        if self.remedy != OF_AN_EXCHANGE:
            text = str(error)  # a real broker's refusal says by itself what to do
            return BrokerUnavailable(text if ";" in text else f"{text}; {self.remedy}")
        where = f" at {self.exchange}" if self.exchange else ""
        why = str(error).partition(";")[0]
        return BrokerUnavailable(
            f"the exchange{where} does not answer ({why}); start it or correct OMS_EXCHANGE"
        )

    async def require_near(self, intent: ApprovedOrderIntent) -> None:
        """Raise BadInput for a new order whose signal is of another time."""
        await self.intake.require_near(intent, self.engine.clock.now_ns(), self._known)

    async def _known(self, key: IdempotencyKey) -> Order | None:
        return self.engine.desk.book.order_by_key(key) or await self.engine.lookup.find(key)

    async def whole(self, work: Coroutine[Any, Any, _Answer]) -> _Answer:
        """Await `work` to its end even when the caller goes away: a client that leaves stops no order."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)  # bounded by the calls a door takes at once
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def drained(self) -> None:
        """Wait until no request is inside."""
        await self.submitter.drained()
        while self._running:
            await asyncio.wait(self._running)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # the caller may be gone; whoever is there gets it from the shield
