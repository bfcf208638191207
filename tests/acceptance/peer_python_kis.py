"""A day of python-kis, a client that others wrote, at any KIS. Runs in its own environment, not in ours.

Called with the two addresses, an app key, its secret, an HTS id and an account; prints one line of JSON.
"""

import json
import sys
from datetime import datetime, timedelta, timezone
from typing import Any

from peer_waiting import until  # type: ignore[import-not-found]

SEOUL = timezone(timedelta(hours=9))


def main(rest: str, stream: str, app_key: str, secret: str, hts_id: str, account_no: str) -> dict[str, Any]:
    """Log in, look, buy, modify, cancel, trade, and hear of all of it."""
    import pykis.client.websocket as sockets  # type: ignore[import-not-found]
    import pykis.kis as calls  # type: ignore[import-not-found]
    from pykis import KisAuth, PyKis

    # All that is changed: where the service is.
    calls.REAL_DOMAIN, sockets.WEBSOCKET_REAL_DOMAIN = rest, stream
    auth = KisAuth(id=hts_id, appkey=app_key, secretkey=secret, account=account_no, virtual=False)
    kis = PyKis(auth, keep_token=False)
    account, issue = kis.account(), kis.stock("005930")
    heard: list[Any] = []
    prices: list[Any] = []
    # Two for the notices, home and abroad, and one for the prices; acknowledged ones are shown nowhere else.
    # One after the other: what is asked for while it connects, this client may never register.
    tickets = [account.on("execution", lambda _, event: heard.append(event.response))]
    until(lambda: len(kis.websocket._registered_subscriptions) == 2, "the notices are registered")
    tickets.append(issue.on("price", lambda _, event: prices.append(event.response)))
    until(lambda: len(kis.websocket._registered_subscriptions) == 3, "all streams are registered")
    until(lambda: bool(prices), "a price comes")
    quote, book = issue.quote(), issue.orderbook()
    before = account.balance()
    first = issue.buy(price=50_000, qty=3)
    pending = [(str(order.number), int(order.price), int(order.qty)) for order in account.pending_orders()]
    second = first.modify(price=50_100)
    moved = [(str(order.number), int(order.price), int(order.qty)) for order in account.pending_orders()]
    second.cancel()
    left = len(account.pending_orders())
    bought = issue.buy(qty=2)  # at the market
    until(lambda: any(one.executed_qty == 2 for one in heard), "the fill is told")
    today = datetime.now(SEOUL).date()
    daily = {str(order.number): int(order.executed_qty) for order in account.daily_orders(start=today)}
    after = account.balance()
    said = {
        "quote": int(quote.price),
        "asks": len(book.asks),
        "cash_before": str(before.deposits["KRW"].amount),
        "usd_before": str(before.deposits["USD"].amount),
        "numbers": [first.number, second.number, bought.number],
        "pending": pending,
        "moved": moved,
        "left": left,
        "daily": daily,
        "held": {stock.symbol: int(stock.qty) for stock in after.stocks},
        "heard": [[one.symbol, one.type, int(one.price or 0), int(one.executed_qty)] for one in heard],
        "prices": len(prices),
    }
    for ticket in tickets:
        ticket.unsubscribe()
    kis.websocket.disconnect()
    return said


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])), flush=True)
    sys.exit()
