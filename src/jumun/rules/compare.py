"""Our positions and cash against the broker's (R-02, R-03). A difference is a suspicion, not yet a break."""

from decimal import Decimal
from typing import Final

from jumun.model.reports import Balance
from jumun.rules.book import Book

ZERO: Final = Decimal(0)


def differences_of(balance: Balance, book: Book) -> list[tuple[str, Decimal, Decimal]]:
    """Return (subject, ours, theirs) where they differ; nothing while an order of the account is unknown.

    An unknown order explains any difference, so comparing then would only cry wolf (I-43).
    """
    account_id = balance.account_id
    if any(book.open[order_id].account_id == account_id for order_id in (*book.unknown, *book.in_flight)):
        return []
    theirs = {holding.symbol: holding.qty for holding in balance.holdings}
    ours = {symbol: held.qty for (owner, symbol), held in book.positions.items() if owner == account_id}
    found = []
    for symbol in sorted({*theirs, *ours}):
        mine, yours = ours.get(symbol, ZERO), theirs.get(symbol, ZERO)
        if mine != yours:
            found.append((symbol, mine, yours))
    for currency in sorted({*balance.cash, *(c for owner, c in book.cash if owner == account_id)}):
        mine = book.cash.get((account_id, currency), ZERO)
        yours = balance.cash.get(currency, ZERO)
        if mine != yours:
            found.append((f"CASH:{currency}", mine, yours))
    return found
