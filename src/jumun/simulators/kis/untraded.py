"""Products this market does not trade: their lists are empty, their requests are refused at the gateway."""

from typing import Final

from jumun.simulators.kis.asking import Ask, Told
from jumun.simulators.kis.messages import NO_PERMISSION, KisRefused
from jumun.simulators.kis.office import Office
from jumun.simulators.kis.paging import page_of

REFUSED: Final = (
    "order-credit-buy",
    "order-credit-sell",
    "order-resv",
    "order-resv-cancel",
    "order-resv-modify",
    "overseas-order-resv-us-buy",
    "overseas-order-resv-us-sell",
    "overseas-order-resv-asia",
    "overseas-order-resv-cancel",
)


def refuse(_office: Office, _ask: Ask) -> Told:
    """Refuse as for an account that has not signed up for the product: nothing was done, for certain."""
    raise KisRefused(NO_PERMISSION)


def empty_list(office: Office, ask: Ask) -> Told:
    """Return a page without rows."""
    filters = [ask.text(column.name) for column in ask.endpoint.request if not column.name.startswith("CTX")]
    _, told = page_of(ask, (), str, filters)
    return Told(blocks={}, msg_cd=office.switches.nothing_found, tr_cont=told.tr_cont, context=told.context)
