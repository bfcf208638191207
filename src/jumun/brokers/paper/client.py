"""Calls over a link, with a bound on waiting and every page fetched. Exceptions are translated here, once."""

import asyncio
from typing import Final, TypeVar

from jumun.brokers.paper.link import Link, always
from jumun.brokers.paper.wire import (
    Answer,
    AskBalance,
    AskHistory,
    AskQuotes,
    BalanceTold,
    Command,
    HistoryPage,
    OrderRecord,
    QuotesTold,
    Refused,
)
from jumun.exchange.records import AccountBalance
from jumun.model.errors import BrokerUnavailable, UnreadableReply
from jumun.ports.broker import SendPermit
from jumun.ports.outside import Quote
from jumun.ports.wire import AnswerLost, NothingSent

PAGES_MAX: Final = 10_000  # a million orders of one account on one day
_Told = TypeVar("_Told", HistoryPage, BalanceTold, QuotesTold)


class PaperClient:
    """The exchange's calls as awaitables. `answer_timeout_s` bounds each of them."""

    def __init__(self, link: Link, answer_timeout_s: float) -> None:
        self.link = link
        self._answer_timeout_s = answer_timeout_s

    async def send(self, command: Command, permit: SendPermit = always) -> Answer:
        """Send once and wait. Raises NothingSent, AnswerLost or UnreadableReply, nothing else."""
        written = False

        def noted() -> bool:
            nonlocal written
            written = permit()
            return written

        try:
            async with asyncio.timeout(self._answer_timeout_s):
                return await self.link.call(command, noted)
        except TimeoutError:
            waited = f"no answer within {self._answer_timeout_s:g} s"
            # A call that never got as far as the permit has written nothing, however long it took.
            raise (AnswerLost(waited) if written else NothingSent(f"{waited}; it was never sent")) from None

    async def history(self, account_id: str, trade_date: str) -> list[OrderRecord]:
        """Return every order of the day; raises BrokerUnavailable when a page is lost or contradictory."""
        orders: list[OrderRecord] = []
        for _ in range(PAGES_MAX):
            command = AskHistory(account_id=account_id, trade_date=trade_date, start=len(orders))
            page = await self._ask(command, HistoryPage)
            if page.start != len(orders) or page.total < len(orders) + len(page.orders):
                raise BrokerUnavailable(
                    f"history of {account_id} {trade_date}: page at {page.start} does not follow "
                    f"{len(orders)} orders; nothing is concluded, ask again"
                )
            orders += page.orders
            if len(orders) == page.total:
                return _require_unique(orders, account_id, trade_date)
            if not page.orders:
                break
        raise BrokerUnavailable(
            f"history of {account_id} {trade_date} stopped at {len(orders)} orders; nothing is concluded"
        )

    async def balance(self, account_id: str) -> AccountBalance:
        """Return the whole balance; raises BrokerUnavailable when it contradicts itself (F-40)."""
        told = await self._ask(AskBalance(account_id=account_id), BalanceTold)
        listed = len(told.balance.holdings)
        if told.total is not None and told.total != listed:
            raise BrokerUnavailable(
                f"balance of {account_id} says {told.total} holdings and lists {listed}; "
                "nothing is concluded, ask again"
            )
        return told.balance

    async def quotes(self) -> tuple[Quote, ...]:
        """Return the newest prices; raises BrokerUnavailable otherwise."""
        return (await self._ask(AskQuotes(), QuotesTold)).quotes

    async def _ask(self, command: Command, kind: type[_Told]) -> _Told:
        try:
            told = await self.send(command)
        except UnreadableReply as error:
            raise BrokerUnavailable(f"the answer could not be read: {error}; ask again") from error
        if isinstance(told, kind):
            return told
        why = told.text if isinstance(told, Refused) else f"an answer of kind {type(told).__name__}"
        raise BrokerUnavailable(f"the exchange did not answer the question: {why}; nothing is concluded")


def _require_unique(orders: list[OrderRecord], account_id: str, trade_date: str) -> list[OrderRecord]:
    if len({order.key for order in orders}) != len(orders):
        raise BrokerUnavailable(
            f"history of {account_id} {trade_date} lists an order twice; nothing is concluded, ask again"
        )
    return orders
