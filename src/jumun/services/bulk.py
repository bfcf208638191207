"""Many orders in one step: one question for their keys, one turn of the desk, one group commit.

Whoever offers orders waits for no task of its own, and nothing that was offered is taken back: a caller
that goes away stops no order (requirements 3.1, rule 7). Orders are decided in the order they were offered.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from jumun.model.commands import SubmitOrder
from jumun.model.errors import OmsError, OrderDenied
from jumun.model.ids import IdempotencyKey
from jumun.model.orders import Order
from jumun.model.reasons import Reason
from jumun.model.signals import ApprovedOrderIntent
from jumun.model.words import counted
from jumun.rules.decide_submit import key_of
from jumun.rules.draft import Decision
from jumun.services.desk import Ticket
from jumun.services.order_engine import OrderEngine

__all__ = ["BulkSubmitter", "Decision", "Offer", "Posted"]  # doors get what is decided from here

OFFERED_MAX: Final = 20_000  # orders that wait to be decided: as many as may wait for the disk
ASKED_AT_ONCE: Final = 1_000  # keys in one question, as in key_lookup
LINGER_S: Final = 0.002  # where several came together, more are on their way: a fifth less work an order
LINGER_BELOW: Final = 100  # orders that wait already; more are worth a commit by themselves
POSTED_AT_ONCE: Final = 50  # decisions between two looks at everything else: some ten milliseconds

Offer = ApprovedOrderIntent | OmsError  # an intent, or why the request could not be read
Posted = Ticket | OmsError  # a decision that is not durable yet, or why nothing was decided


class _Group(NamedTuple):
    offers: Sequence[Offer]
    posted: "asyncio.Future[list[Posted]]"


class BulkSubmitter:
    """One queue before the desk for every order of every door."""

    def __init__(self, engine: OrderEngine) -> None:
        self._engine = engine
        self._waiting: deque[_Group] = deque()
        self._working: list[_Group] = []
        self._count = 0
        self._size_before = 0  # how many were decided together the last time
        self._task: asyncio.Task[None] | None = None

    def offer(self, offers: Sequence[Offer]) -> "asyncio.Future[list[Posted]]":
        """Take orders in; the future holds what became of each, in order, before it is durable.

        Raises OrderDenied OVERLOADED, with nothing taken, while too many wait.
        """
        if self._count + len(offers) > OFFERED_MAX:
            raise OrderDenied(
                f"undecided as yet: {counted(self._count, 'order')}; try again later with the same ids",
                reason=Reason.OVERLOADED,
            )
        loop = asyncio.get_running_loop()
        group = _Group(offers, loop.create_future())
        self._waiting.append(group)
        self._count += len(offers)
        if self._task is None:
            self._task = loop.create_task(self._work(), name="bulk-submit")
            self._task.add_done_callback(self._ended)
        return group.posted

    async def drained(self) -> None:
        """Wait until everything offered is decided. Durable it is when the desk is quiet."""
        while self._task is not None:
            await asyncio.wait([self._task])

    async def _work(self) -> None:
        while self._waiting:
            if self._size_before > 1 and self._count < LINGER_BELOW:
                await asyncio.sleep(LINGER_S)  # never for a caller that sends one after the other
            size = 0
            while self._waiting and (not size or size + len(self._waiting[0].offers) <= ASKED_AT_ONCE):
                size += len(self._waiting[0].offers)
                self._working.append(self._waiting.popleft())
            offers = [offer for group in self._working for offer in group.offers]
            self._size_before = size
            posted = await self._post(offers)
            self._count -= size
            start = 0
            for group in self._working:
                end = start + len(group.offers)
                if not group.posted.done():  # whoever left needs no answer
                    group.posted.set_result(posted[start:end])
                start = end
            self._working.clear()
        self._task = None  # in the same step as the last look, or an offer could slip between

    async def _post(self, offers: Sequence[Offer]) -> list[Posted]:
        keys = [_key(offer) for offer in offers]
        book = self._engine.desk.book
        missing = [key for key in keys if isinstance(key, str) and book.order_by_key(key) is None]
        stored: dict[IdempotencyKey, Order] = {}
        failure: OmsError | None = None
        if missing:
            try:
                stored = await self._stored(missing)
            except OmsError as error:
                failure = error
        posted: list[Posted] = []
        for place, (offer, key) in enumerate(zip(offers, keys, strict=True)):
            if isinstance(offer, OmsError):
                posted.append(offer)
            elif isinstance(key, OmsError):
                posted.append(key)
            else:
                posted.append(await self._post_one(offer, key, stored.get(key), failure))
            if place % POSTED_AT_ONCE == POSTED_AT_ONCE - 1:
                await asyncio.sleep(0)  # reports and cancels must not wait for a thousand orders
        return posted

    async def _stored(self, keys: list[IdempotencyKey]) -> dict[IdempotencyKey, Order]:
        found: dict[IdempotencyKey, Order] = {}
        for start in range(0, len(keys), ASKED_AT_ONCE):
            found |= await self._engine.journal.orders_by_keys(keys[start : start + ASKED_AT_ONCE])
        return found

    async def _post_one(
        self,
        intent: ApprovedOrderIntent,
        key: IdempotencyKey,
        existing: Order | None,
        failure: OmsError | None,
    ) -> Posted:
        desk = self._engine.desk
        if existing is not None and existing.status.is_final:
            desk.book.admit(existing)
        if failure is not None and desk.book.order_by_key(key) is None:
            return failure  # nobody knows whether this key made an order before
        try:
            return await desk.offer(SubmitOrder(intent=intent, existing=existing))
        except OmsError as error:
            return error

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A defect must reach those who wait, and stop nobody else: the next offer starts anew."""
        if self._task is task:
            self._task = None
        error = None if task.cancelled() else task.exception()
        if error is None and not task.cancelled():
            return
        for group in (*self._working, *self._waiting):
            if not group.posted.done():
                if error is None:
                    group.posted.cancel()
                else:
                    group.posted.set_exception(error)
        self._working.clear()
        self._waiting.clear()
        self._count = 0


def _key(offer: Offer) -> "IdempotencyKey | OmsError":
    if isinstance(offer, OmsError):
        return offer
    try:
        return key_of(offer)
    except OmsError as error:
        return error
