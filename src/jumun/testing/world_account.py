"""The account of a simulated day: what it brings along, and the desk's settings for it."""

from decimal import Decimal
from typing import Final

from jumun.brokers.paper.broker import paper_traits
from jumun.exchange.market import Market
from jumun.model.commands import BookOpening
from jumun.model.fills import LedgerAccount, LedgerKind, LedgerRow
from jumun.model.ids import AccountId, UserId
from jumun.model.money import Currency
from jumun.model.positions import Account
from jumun.rules.policy import Limits, Policy
from jumun.testing.world import Scenario

KRW: Final = Currency.KRW
USD: Final = Currency.USD
ACCOUNT: Final = AccountId("day-01")
OPERATOR: Final = UserId("operator")
OPENING_CASH: Final = {"KRW": Decimal(300_000_000), "USD": Decimal(300_000)}
OPENING_SHARES: Final = {
    "005930": (Decimal(200), Decimal(11_000_000)),
    "0197X0": (Decimal(400), Decimal(800_000)),
    "005935": (Decimal(200), Decimal(4_000_000)),
    "AAPL": (Decimal(60), Decimal(11_000)),
}
LIMITS: Final = Limits(order_timeout_s=90, priority_timeout_s=60)


def policy_of(scenario: Scenario, market: Market) -> Policy:
    """The desk's settings for this day."""
    world = market.world
    traits = paper_traits(carries_reference=scenario.carries_reference)
    account = Account(
        account_id=ACCOUNT,
        base_currency=KRW,
        may_buy=True,
        may_sell=True,
        exclusive=scenario.exclusive,
        cost_plans={"KRX": "krw", "US": "usd"},
    )
    return Policy(
        environment="sim",
        instruments=market.master,
        accounts={ACCOUNT: account},
        cost_plans={"krw": world.plans[KRW], "usd": world.plans[USD]},
        sessions=world.overrides,
        limits=LIMITS,
        kinds=traits.kinds,
        carries_reference=scenario.carries_reference,
        unknown_order_policy=scenario.unknown_order_policy,
        visible_after_ns=scenario.visible_after_ns,
        settles_after_ns=traits.settles_after_ns,
        modifies=traits.modifies,
        session_kinds=traits.sessions,
    )


def opening() -> BookOpening:
    """What the account brings along, as a document of the desk."""
    rows = []
    for currency, amount in OPENING_CASH.items():
        rows.append(_opening_row(Currency(currency), amount, LedgerAccount.CASH))
    for symbol, (qty, basis) in OPENING_SHARES.items():
        currency = USD if symbol == "AAPL" else KRW
        rows.append(_opening_row(currency, basis, LedgerAccount.SECURITIES, symbol, qty))
    return BookOpening(account_id=ACCOUNT, rows=tuple(rows), document="opening balance of the simulated day")


def _opening_row(
    currency: Currency, amount: Decimal, debit: LedgerAccount, symbol: str = "", qty: Decimal = Decimal(0)
) -> LedgerRow:
    return LedgerRow(
        kind=LedgerKind.OPENING,
        account_id=ACCOUNT,
        currency=currency,
        amount=amount,
        debit=debit,
        credit=LedgerAccount.OUTSIDE,
        symbol=symbol,
        qty=qty,
        trade_date="",
        settlement_date="",
    )
