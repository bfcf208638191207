"""The account of a simulated day on KIS, and the desk's settings for it."""

from decimal import Decimal
from typing import Final

from jumun.exchange.world import World
from jumun.model.commands import BookOpening
from jumun.model.fills import LedgerAccount, LedgerKind, LedgerRow
from jumun.model.ids import UserId
from jumun.model.instruments import InstrumentMaster
from jumun.model.money import Currency
from jumun.model.positions import Account
from jumun.ports.broker import BrokerTraits
from jumun.rules.policy import Limits, Policy
from jumun.testing.kis_stack import ACCOUNT

ZERO: Final = Decimal(0)
OPERATOR: Final = UserId("operator")
TRADER: Final = UserId("trader")
OPENING_CASH: Final = {"KRW": Decimal(300_000_000), "USD": Decimal(300_000)}
OPENING_SHARES: Final = {
    "005930": (Decimal(200), Decimal(11_000_000)),
    "0197X0": (Decimal(400), Decimal(800_000)),
    "AAPL": (Decimal(60), Decimal(11_000)),
}
LIMITS: Final = Limits(order_timeout_s=90, priority_timeout_s=60)


def policy_of(world: World, traits: BrokerTraits, unknown_order_policy: str, *, exclusive: bool) -> Policy:
    """The desk's settings for this day."""
    account = Account(
        account_id=ACCOUNT,
        base_currency=Currency.KRW,
        may_buy=True,
        may_sell=True,
        exclusive=exclusive,
        cost_plans={"KRX": "krw", "US": "usd"},
    )
    return Policy(
        environment="sim",
        instruments=InstrumentMaster(world.instruments),
        accounts={ACCOUNT: account},
        cost_plans={"krw": world.plans[Currency.KRW], "usd": world.plans[Currency.USD]},
        sessions=world.overrides,
        limits=LIMITS,
        kinds=traits.kinds,
        carries_reference=False,
        unknown_order_policy=unknown_order_policy,
        visible_after_ns=traits.visible_after_ns,
        settles_after_ns=traits.settles_after_ns,
        modifies=True,
        session_kinds=traits.sessions,
    )


def opening() -> BookOpening:
    """What the account brings along, as a document of the desk."""
    rows = [_row(Currency(name), amount, LedgerAccount.CASH) for name, amount in OPENING_CASH.items()]
    for symbol, (qty, basis) in OPENING_SHARES.items():
        currency = Currency.USD if symbol.isalpha() else Currency.KRW
        rows.append(_row(currency, basis, LedgerAccount.SECURITIES, symbol, qty))
    return BookOpening(
        account_id=ACCOUNT, rows=tuple(rows), document="opening balance of the simulated day on KIS"
    )


def _row(
    currency: Currency, amount: Decimal, debit: LedgerAccount, symbol: str = "", qty: Decimal = ZERO
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
