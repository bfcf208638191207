"""What a rule can ask about a call: whose account, which issue, which page."""

from typing import Final

import msgspec

from jumun.ports.wire import HttpCall

NEW_ORDER_PATHS: Final = ("/order-cash", "/overseas-stock/v1/trading/order", "/daytime-order")
SYMBOL_KEYS: Final = ("PDNO", "FID_INPUT_ISCD", "SYMB", "ITEM_CD")


class CallFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Empty texts where the call does not say."""

    path: str = ""
    tr_id: str = ""
    account: str = ""
    symbol: str = ""
    is_question: bool = False
    is_continued: bool = False
    is_new_order: bool = False


def facts_of(call: HttpCall) -> CallFacts:
    """Return what a call says of itself; a body that cannot be read says nothing."""
    headers = {name.lower(): text for name, text in call.headers.items()}
    said = {name.upper(): text for name, text in call.query.items()} | _body(call.body)
    account, product = said.get("CANO", ""), said.get("ACNT_PRDT_CD", "")
    return CallFacts(
        path=call.path,
        tr_id=headers.get("tr_id", ""),
        account=f"{account}-{product}" if account else "",
        symbol=next((said[key] for key in SYMBOL_KEYS if said.get(key)), ""),
        is_question=call.method == "GET",
        is_continued=headers.get("tr_cont", "").strip() == "N",
        is_new_order=call.method == "POST" and call.path.endswith(NEW_ORDER_PATHS),
    )


def _body(body: bytes) -> dict[str, str]:
    if not body:
        return {}
    try:
        said = msgspec.json.decode(body)
    except msgspec.MsgspecError:
        return {}
    if not isinstance(said, dict):
        return {}
    return {name.upper(): text for name, text in said.items() if isinstance(text, str)}
