"""Our positions and cash against the broker's (R-02, R-03). A difference is a suspicion, not yet a break."""

from decimal import Decimal
from typing import Final

from jumun.model.reports import Balance
from jumun.rules.book import Book

ZERO: Final = Decimal(0)


def differences_of(balance: Balance, book: Book) -> list[tuple[str, Decimal, Decimal]]:
    """Return (subject, ours, theirs) where they differ.

    An order whose outcome is not known yet explains any difference in its symbol and in its currency's cash,
    so these are left out while it lasts (I-43); everything else is compared all the same.
    """
    account_id = balance.account_id
    open_to_question = [book.open[order_id] for order_id in {**book.unknown, **dict.fromkeys(book.in_flight)}]
    mine_only = [order for order in open_to_question if order.account_id == account_id]
    symbols = {order.symbol for order in mine_only}
    currencies = {order.currency.value for order in mine_only}
    theirs = {holding.symbol: holding.qty for holding in balance.holdings}
    ours = {symbol: held.qty for (owner, symbol), held in book.positions.items() if owner == account_id}
    found = []
    for symbol in sorted({*theirs, *ours} - symbols):
        mine, yours = ours.get(symbol, ZERO), theirs.get(symbol, ZERO)
        if mine != yours:
            found.append((symbol, mine, yours))
    known = {*balance.cash, *(currency for owner, currency in book.cash if owner == account_id)}
    for currency in sorted(known - currencies - {*balance.cash_untold}):
        mine = book.cash.get((account_id, currency), ZERO)
        yours = balance.cash.get(currency, ZERO)
        if mine != yours:
            found.append((f"CASH:{currency}", mine, yours))
    return found
