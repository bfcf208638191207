"""The accounts of a replay: those the settings declare, and no other. A name in a signal opens nothing."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from jumun.config import AccountSettings, load
from jumun.model.errors import ConfigError
from jumun.model.ids import AccountId, UserId
from jumun.model.instruments import Venue
from jumun.model.money import Currency
from jumun.model.positions import Account
from jumun.rules.cost_tables import PLANS

PLAN_BY_VENUE: Final = {Venue.KRX.value: "kis-bankis", Venue.US.value: "kis-us"}


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """An account and the cash it starts with, by currency."""

    account: Account
    cash: dict[str, Decimal]

    @property
    def name(self) -> AccountId:
        """The account's id."""
        return self.account.account_id


def simulated(name: str, user: UserId, cash: Mapping[str, Decimal]) -> Opened:
    """Return an account that may buy and sell on both venues."""
    account = Account(
        account_id=AccountId(name),
        base_currency=Currency.KRW,
        users=(user,),
        may_buy=True,
        may_sell=True,
        cost_plans=dict(PLAN_BY_VENUE),
    )
    return Opened(account=account, cash=dict(cash))


def declared(user: UserId) -> tuple[Opened, ...]:
    """Return the accounts of the settings, SIM-001 where none is written; raises ConfigError.

    Permissions and cost plans are those declared. `user` may act on all of them: he runs the replay.
    """
    return tuple(_opened(entry, user) for entry in load().settings.accounts)


def _opened(entry: AccountSettings, user: UserId) -> Opened:
    for venue, plan in entry.cost_plans.items():
        if plan not in PLANS or venue not in Venue.__members__:
            raise ConfigError(
                f"ACCOUNTS {entry.account_id}: cost plan {venue} = {plan!r} does not exist; "
                f"use one of {', '.join(PLANS)} for one of {', '.join(Venue.__members__)}"
            )
    account = Account(
        account_id=AccountId(entry.account_id),
        base_currency=entry.base_currency,
        users=tuple(dict.fromkeys((*(UserId(name) for name in entry.users), user))),
        may_buy=entry.may_buy,
        may_sell=entry.may_sell,
        exclusive=entry.exclusive,
        cost_plans=dict(entry.cost_plans),
    )
    return Opened(account=account, cash={code.value: amount for code, amount in entry.opening_cash.items()})
