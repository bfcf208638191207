"""Our books of an account beside what the broker counts, for people: the balance is kept for ten seconds.

Something that traded meanwhile makes the kept answer one about another moment, so it is asked for again.
Nothing is decided here: a difference is a break only when the reconciler sees it twice (I-43).
"""

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import msgspec

from jumun.model.ids import AccountId
from jumun.model.reports import Balance
from jumun.rules.book import Book
from jumun.rules.compare import differences_of
from jumun.services.balance_cache import BalanceCache

if TYPE_CHECKING:
    from jumun.services.order_engine import OrderEngine

ZERO: Final = Decimal(0)
CASH: Final = "CASH:"
_NS: Final = 1_000_000_000
Counted = dict[str, Decimal]  # a symbol, or CASH:<currency>


class AccountLine(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol, or one currency's cash. `open` says that an order on its way may explain the difference."""

    subject: str  # a symbol, or CASH:<currency>
    ours: Decimal
    theirs: Decimal
    difference: Decimal  # theirs less ours
    open: bool


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """An account as both count it; the broker's figures were asked for `age_s` seconds ago, at `asked_ns`."""

    account_id: str
    asked_ns: int
    age_s: Decimal
    agrees: bool  # no difference but those that an order on its way may explain
    lines: tuple[AccountLine, ...]


class AccountLook:
    """See the module. Remembers as many accounts as there are."""

    def __init__(self, engine: "OrderEngine") -> None:
        self._engine = engine
        self._cache = BalanceCache(engine.broker, engine.clock)
        self._counted: dict[AccountId, Counted] = {}  # what we held when the kept answer was asked for
        self._looking: dict[AccountId, asyncio.Lock] = {}

    async def look(self, account_id: AccountId) -> AccountView:
        """Return both counts; raises BrokerUnavailable where the broker gives no complete answer."""
        async with self._looking.setdefault(account_id, asyncio.Lock()):
            now = counted(self._engine.desk.book, account_id)
            if self._counted.get(account_id) != now:
                self._cache.forget(account_id)
                self._counted[account_id] = now
            balance = await self._cache.balance(account_id)
        return account_view(balance, self._engine.desk.book, self._engine.clock.now_ns())


def counted(book: Book, account_id: AccountId) -> Counted:
    """Return what our books hold of an account: shares by symbol, cash by currency."""
    ours = {symbol: held.qty for (owner, symbol), held in book.positions.items() if owner == account_id}
    cash = {f"{CASH}{money}": amount for (owner, money), amount in book.cash.items() if owner == account_id}
    return {**ours, **cash}


def account_view(balance: Balance, book: Book, now_ns: int) -> AccountView:
    """Return the view; what neither holds is left out."""
    ours = counted(book, balance.account_id)
    theirs = {holding.symbol: holding.qty for holding in balance.holdings}
    theirs |= {f"{CASH}{money}": amount for money, amount in balance.cash.items()}
    proven = {subject for subject, _, _ in differences_of(balance, book)}
    lines = []
    for subject in sorted({*ours, *theirs}, key=lambda subject: (not subject.startswith(CASH), subject)):
        mine, yours = ours.get(subject, ZERO), theirs.get(subject, ZERO)
        if mine or yours:
            is_open = mine != yours and subject not in proven
            lines.append(
                AccountLine(subject=subject, ours=mine, theirs=yours, difference=yours - mine, open=is_open)
            )
    return AccountView(
        account_id=balance.account_id,
        asked_ns=balance.asked_ns,
        age_s=Decimal(max(now_ns - balance.asked_ns, 0)) / _NS,
        agrees=not proven,
        lines=tuple(lines),
    )
