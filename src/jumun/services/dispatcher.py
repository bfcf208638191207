"""EMS-01: carries intended sends, modifies and cancels out and brings their outcomes back as commands.

Whatever happens to a send, exactly one outcome comes back: an exception of the broker link is an unknown
outcome, because nobody can say that nothing left (I-07, I-15).
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Final, assert_never

import structlog

from jumun.model.commands import ConcludeCancel, ConcludeModify, ConcludeSubmit
from jumun.model.errors import OmsError
from jumun.model.events import CancelIntended, ModifyIntended, SendIntended
from jumun.model.ids import OrderId
from jumun.model.reports import CancelOutcome, ModifyOutcome, SubmitOutcome, Unknown
from jumun.ports.broker import Broker
from jumun.services.desk import Desk, Effect
from jumun.services.order_queue import CANCELS_AT_ONCE

SUBMIT_TIMEOUT_S: Final = 10.0  # C-14: HTTP 5 to 10 s; after it the outcome is unknown
CANCEL_TIMEOUT_S: Final = 10.0

log = structlog.get_logger()


class Dispatcher:
    """One task per request in flight; sends are bounded by the queue, cancels by their own lane."""

    def __init__(
        self,
        desk: Desk,
        broker: Broker,
        bring_back: Callable[[OrderId], Awaitable[None]],
        submit_timeout_s: float = SUBMIT_TIMEOUT_S,
    ) -> None:
        """`bring_back` puts an order that has left memory within the desk's reach again."""
        self._desk = desk
        self._broker = broker
        self._bring_back = bring_back
        self._submit_timeout_s = submit_timeout_s
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._cancels = asyncio.Semaphore(CANCELS_AT_ONCE)
        self.crash: asyncio.Future[None] | None = None

    def start(self, effect: Effect) -> None:
        """Begin a request whose intent is durable."""
        match effect:
            case SendIntended():
                work = self._send(effect)
            case ModifyIntended():
                work = self._modify(effect)
            case CancelIntended():
                work = self._cancel(effect)
            case _:
                assert_never(effect)
        self._spawn(work, name=f"{type(effect).__name__}:{effect.order_id}")

    async def stop(self) -> None:
        """End the requests in flight; their outcomes stay open and are asked for at the next start."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        for task in tasks:
            await asyncio.wait([task])

    async def drained(self) -> None:
        """Wait until nothing is in flight."""
        while self._tasks:
            await asyncio.wait(list(self._tasks)[:1])

    def _spawn(self, work: Coroutine[object, object, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks[task] = None
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        """A request that failed as nobody expected stops the engine: nothing is swallowed (I-65, F-75)."""
        self._tasks.pop(task, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._desk.accepting = False  # at once: other sends look at it in their last step
        if error is not None and self.crash is not None and not self.crash.done():
            self.crash.set_exception(error)

    async def _send(self, effect: SendIntended) -> None:
        outcome = await self._submit_once(effect)
        await self._conclude(
            ConcludeSubmit(order_id=effect.order_id, attempt=effect.attempt, outcome=outcome)
        )

    async def _submit_once(self, effect: SendIntended) -> SubmitOutcome:
        try:
            async with asyncio.timeout(self._submit_timeout_s):
                return await self._broker.submit(effect.request, self._desk.may_write)
        except TimeoutError:
            return Unknown(text=f"no answer within {self._submit_timeout_s:g} s")
        except OmsError as error:
            return Unknown(text=f"the link failed: {error}")

    async def _cancel(self, effect: CancelIntended) -> None:
        async with self._cancels:
            outcome = await self._cancel_once(effect)
        await self._conclude(ConcludeCancel(order_id=effect.order_id, outcome=outcome))

    async def _cancel_once(self, effect: CancelIntended) -> CancelOutcome:
        try:
            async with asyncio.timeout(CANCEL_TIMEOUT_S):
                return await self._broker.cancel(effect.request)
        except TimeoutError:
            return Unknown(text=f"no answer within {CANCEL_TIMEOUT_S:g} s")
        except OmsError as error:
            return Unknown(text=f"the link failed: {error}")

    async def _modify(self, effect: ModifyIntended) -> None:
        outcome = await self._modify_once(effect)
        number = effect.request.number
        await self._conclude(ConcludeModify(order_id=effect.order_id, number=number, outcome=outcome))

    async def _modify_once(self, effect: ModifyIntended) -> ModifyOutcome:
        try:
            async with asyncio.timeout(self._submit_timeout_s):
                return await self._broker.modify(effect.request, self._desk.may_write)
        except TimeoutError:
            return Unknown(text=f"no answer within {self._submit_timeout_s:g} s")
        except OmsError as error:
            return Unknown(text=f"the link failed: {error}")

    async def _conclude(self, command: ConcludeSubmit | ConcludeCancel | ConcludeModify) -> None:
        try:
            await self._bring_back(
                command.order_id
            )  # its fills may have closed it long before its reply came
            await self._desk.execute(command)
        except OmsError as error:
            # The store has failed: the outcome is not written, and the next start asks the broker for it.
            log.error("outcome_not_written", order_id=command.order_id, error=str(error))
