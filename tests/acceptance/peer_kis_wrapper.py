"""A day of kis-wrapper, a client that others wrote, at any KIS. Runs in its own environment, not in ours.

Called with the two addresses, an app key, its secret, an HTS id and an account; prints one line of JSON.
"""

import json
import sys
from typing import Any

from peer_waiting import paced  # type: ignore[import-not-found]


def main(rest: str, stream: str, app_key: str, secret: str, hts_id: str, account_no: str) -> dict[str, Any]:
    """Log in, look, buy, modify, cancel and trade; an order in the US. Its stream names no approval key."""
    import kis.auth  # type: ignore[import-not-found]
    from kis import KIS, KISError, domestic, overseas

    # All that is changed: where the service is.
    kis.auth._URLS["prod"] = rest
    link = KIS(app_key, secret, account_no, env="prod")

    def pending() -> list[list[Any]]:
        rows = paced(domestic.pending_orders(link))
        return [[row["odno"], int(row["ord_unpr"]), int(row["psbl_qty"])] for row in rows]

    price = paced(domestic.price(link, "005930"))["stck_prpr"]
    book = paced(domestic.orderbook(link, "005930"))["output1"]
    before = paced(domestic.balance(link))["output2"][0]["dnca_tot_amt"]
    first = paced(domestic.buy(link, "005930", 3, 50_000))["ODNO"]
    placed = pending()
    second = paced(domestic.modify(link, first, 3, 50_100))["ODNO"]
    moved = pending()
    paced(domestic.cancel(link, second, 3))
    third = paced(domestic.buy(link, "005930", 3, 50_000))["ODNO"]
    paced(domestic.cancel_remaining(link, third))
    left = pending()
    bought = paced(domestic.buy(link, "005930", 2))["ODNO"]  # at the market
    held = paced(domestic.position(link, "005930"))
    try:
        overseas.buy(link, "AAPL", "NAS", 1, 150.0)
        refused = ""
    except KISError as error:
        refused = paced(error).code
    abroad = paced(overseas.buy(link, "AAPL", "NASD", 1, 150.0))["ODNO"]
    rows = paced(overseas.pending_orders(link, "NASD"))
    return {
        "price": int(price),
        "ask": int(book["askp1"]),
        "bid": int(book["bidp1"]),
        "cash_before": before,
        "numbers": [first, second, third, bought, abroad],
        "pending": placed,
        "moved": moved,
        "left": left,
        "held": 0 if held is None else held["qty"],
        "refused": refused,
        "us_pending": [[row["odno"], row["pdno"], int(row["nccs_qty"])] for row in rows],
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])), flush=True)
    sys.exit()
