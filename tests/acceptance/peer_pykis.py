"""A day of pykis, a client that others wrote, at any KIS. Runs in its own environment, not in ours.

Called with the two addresses, an app key, its secret, an HTS id and an account; prints one line of JSON.
"""

import json
import sys
from typing import Any

from peer_waiting import paced  # type: ignore[import-not-found]


def main(rest: str, stream: str, app_key: str, secret: str, hts_id: str, account_no: str) -> dict[str, Any]:
    """Log in, look, buy, modify, cancel and trade. It knows no stream and no other country."""
    from pykis import Api, DomainInfo  # type: ignore[import-not-found]

    account = {"account_code": account_no[:8], "product_code": account_no[9:]}
    # All that is changed: where the service is, for which it has an argument.
    kis = Api({"appkey": app_key, "appsecret": secret}, DomainInfo(url=rest), account)

    def pending() -> list[list[Any]]:
        table = paced(kis.get_kr_orders())
        return [
            [number, int(row["주문가격"]), int(row["정정취소가능수량"])] for number, row in table.iterrows()
        ]

    price = paced(kis.get_kr_current_price("005930"))
    upper, lower = paced(kis.get_kr_max_price("005930")), paced(kis.get_kr_min_price("005930"))
    deposit = paced(kis.get_kr_deposit())
    first = paced(kis.buy_kr_stock("005930", 3, 50_000))
    placed = pending()
    # Its own default is one branch for everybody; KIS names the branch in its answer.
    second = paced(kis.revise_kr_order(first["ODNO"], 50_100, order_branch=first["KRX_FWDG_ORD_ORGNO"]))[
        "output"
    ]
    moved = pending()
    paced(kis.cancel_all_kr_orders())
    left = pending()
    bought = paced(kis.buy_kr_stock("005930", 2, 0))  # at the market
    held = paced(kis.get_kr_stock_balance())
    sold = paced(kis.sell_kr_stock("005930", 1, 0))
    return {
        "price": price,
        "upper": upper,
        "lower": lower,
        "deposit": deposit,
        "numbers": [one["ODNO"] for one in (first, second, bought, sold)],
        "pending": placed,
        "moved": moved,
        "left": left,
        "held": {symbol: int(row["보유수량"]) for symbol, row in held.iterrows()},
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])), flush=True)
    sys.exit()
