"""Brings within the desk's reach what a command is about, where it is not in memory (DESIGN, The picture 5).

The doors do this before a command enters the desk. Once the book was made anew, what they fetched may be gone
again, and the desk looks for itself.
"""

from msgspec.structs import replace

from jumun.model.commands import (
    CancelOrder,
    Command,
    ConcludeCancel,
    ConcludeModify,
    ConcludeSubmit,
    HearReport,
    ModifyOrder,
    SettleOrder,
    StudyHistory,
    SubmitOrder,
)
from jumun.model.errors import UnknownOrder
from jumun.model.events import Event, OrderEvent
from jumun.model.ids import AccountId, OrderId
from jumun.model.orders import BrokerRef, Order
from jumun.model.reports import CostReport, FillNotice, OrderReport, TradeBust
from jumun.ports.journal import Journal
from jumun.rules.book import Book
from jumun.rules.decide_submit import key_of


class Nearby:
    """Looks orders up in the journal. Raises StoreUnavailable when that cannot be read."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def bring(self, command: Command, book: Book) -> Command:
        """Return the command with what the store has for it; what it is about is in `book` then.

        Raises UnknownOrder for a wish about an order that was never durable: nothing of it ever left.
        """
        match command:
            case SubmitOrder():
                return await self._with_existing(command, book)
            case CancelOrder() | ModifyOrder() | SettleOrder():
                if await self._by_id(command.order_id, book) is None:
                    raise UnknownOrder(f"order {command.order_id} was never written; nothing of it ever left")
                if isinstance(command, SettleOrder) and command.look is not None:
                    await self.bring(command.look, book)
            case ConcludeSubmit() | ConcludeCancel() | ConcludeModify():
                await self._by_id(command.order_id, book)
            case HearReport(report=FillNotice() | OrderReport() | TradeBust() | CostReport() as report):
                await self._by_report(report, book)
            case StudyHistory():
                for report in command.history.orders:
                    await self._by_report(report, book)
            case _:
                pass
        return command

    async def bring_for(self, event: Event, book: Book) -> None:
        """Bring the order near that a record is about, before the record is folded."""
        if isinstance(event, OrderEvent) and not hasattr(event, "order"):
            await self._by_id(event.order_id, book)

    async def _with_existing(self, command: SubmitOrder, book: Book) -> SubmitOrder:
        key = key_of(command.intent)
        if book.order_by_key(key) is not None:
            return command
        existing = await self._journal.order_by_key(key)
        _admit(existing, book)
        return replace(command, existing=existing)

    async def _by_id(self, order_id: OrderId, book: Book) -> Order | None:
        known = book.order(order_id)
        if known is None:
            known = await self._journal.order(order_id)
            _admit(known, book)
        return known

    async def _by_report(self, report: FillNotice | OrderReport | TradeBust | CostReport, book: Book) -> None:
        await self._by_ref(report.account_id, report.ref, book)
        if isinstance(report, OrderReport) and report.replaces is not None:
            await self._by_ref(report.account_id, report.replaces, book)

    async def _by_ref(self, account_id: AccountId, ref: BrokerRef, book: Book) -> None:
        if book.order_by_ref(account_id, ref) is None:
            _admit(await self._journal.order_by_ref(account_id, ref), book)


def _admit(order: Order | None, book: Book) -> None:
    if order is not None and order.status.is_final:
        book.admit(order)
