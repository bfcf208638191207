"""A day of mojito2, a client that others wrote, at any KIS. Runs in its own environment, not in ours.

Called with the two addresses, an app key, its secret, an HTS id and an account; prints one line of JSON.
"""

import json
import multiprocessing
import queue
import sys
from typing import Any

from peer_waiting import paced, until  # type: ignore[import-not-found]

OPEN = {"CTX_AREA_FK100": "", "CTX_AREA_NK100": "", "INQR_DVSN_1": "0", "INQR_DVSN_2": "0"}
NOTICE, TRADE, BOOK = "체잔", "체결", "호가"


def main(rest: str, stream: str, app_key: str, secret: str, hts_id: str, account_no: str) -> dict[str, Any]:
    """Log in, look, buy, modify, cancel, trade, and hear of all of it; an order in the US."""
    import mojito  # type: ignore[import-not-found]
    import mojito.koreainvestment as calls  # type: ignore[import-not-found]

    # All that is changed: where the service is. The address of the stream stands inside a function.
    connect = calls.websockets.connect
    calls.websockets.connect = lambda _, **more: connect(stream, **more)
    mojito.KoreaInvestment.set_base_url = lambda self, mock=True: setattr(self, "base_url", rest)
    heard: dict[str, list[dict[str, str]]] = {NOTICE: [], TRADE: [], BOOK: []}
    socket = mojito.KoreaInvestmentWS(app_key, secret, ["H0STCNT0", "H0STASP0"], ["005930"], user_id=hts_id)
    socket.base_url = rest
    socket.start()

    def listen() -> None:
        while True:
            try:
                kind, told = socket.queue.get_nowait()
            except queue.Empty:
                return
            heard[kind].append(told)

    def hears(kind: str, number: str = "", state: str = "") -> bool:
        listen()
        return any(
            number in ("", one.get("주문번호")) and state in ("", one.get("체결여부")) for one in heard[kind]
        )

    def sent(answer: dict[str, Any]) -> tuple[str, str]:
        assert answer["rt_cd"] == "0", answer
        paced(answer)
        return answer["output"]["KRX_FWDG_ORD_ORGNO"], answer["output"]["ODNO"]

    def pending() -> list[list[Any]]:
        rows = paced(kis.fetch_open_order(OPEN))["output"]
        return [[row["odno"], int(row["ord_unpr"]), int(row["psbl_qty"])] for row in rows]

    until(lambda: hears(TRADE) and hears(BOOK), "the stream tells prices")
    kis = mojito.KoreaInvestment(app_key, secret, account_no)
    price = paced(kis.fetch_price("005930"))["output"]["stck_prpr"]
    before = paced(kis.fetch_balance())["output2"][0]["dnca_tot_amt"]
    affordable = paced(kis.check_buy_order("005930", 50_000, "00"))["output"]["nrcvb_buy_qty"]
    branch, first = sent(kis.create_limit_buy_order("005930", 50_000, 3))
    placed = pending()
    _, second = sent(kis.modify_order(branch, first, "00", 50_100, 3, True))
    moved = pending()
    _, cancel = sent(kis.cancel_order(branch, second, 3, True))
    left = pending()
    _, bought = sent(kis.create_market_buy_order("005930", 2))
    until(lambda: hears(NOTICE, bought, "2"), "the fill is told")
    held = {row["pdno"]: int(row["hldg_qty"]) for row in paced(kis.fetch_balance())["output1"]}
    abroad = mojito.KoreaInvestment(app_key, secret, account_no, exchange="나스닥")
    us_price = paced(abroad.fetch_price("AAPL"))["output"]["last"]
    usd = paced(abroad.fetch_present_balance())["output2"][0]["frcr_dncl_amt_2"]
    _, us_order = sent(abroad.create_limit_buy_order("AAPL", 150, 1))
    listen()
    socket.terminate()
    return {
        "price": int(price),
        "cash_before": before,
        "affordable": int(affordable),
        "numbers": [first, second, cancel, bought, us_order],
        "pending": placed,
        "moved": moved,
        "left": left,
        "held": held,
        "us_price": us_price,
        "usd": usd,
        "heard": [
            [one["주문번호"], one["체결여부"], int(one["체결단가"]), int(one["체결수량"])]
            for one in heard[NOTICE]
        ],
        "trades": len(heard[TRADE]),
        "books": len(heard[BOOK]),
    }


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")  # its listener is a process, which has to know the address too
    print(json.dumps(main(*sys.argv[1:])), flush=True)
    sys.exit()
