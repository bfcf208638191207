"""Specification 000's constructor keywords, and what they stand for here (S000-102).

    OrderEngine(broker_client=…, order_queue=…, position_manager=…, commission_calculator=…,
                event_bus=…, redis_manager=…)

000 keeps its state in Redis, through `redis_manager`. Here that keyword takes `Surroundings`: the journal
that keeps the state, and what else a desk needs and 000 does not name. Whoever wires the parts by hand gives
them by their own keywords instead.
"""

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from jumun.model.commands import BookOpening
from jumun.model.errors import ConfigError
from jumun.model.instruments import Venue
from jumun.model.money import Currency
from jumun.model.positions import Account
from jumun.ports.journal import Journal
from jumun.ports.outside import Clock, IdSource, Prices
from jumun.rules.commission import CommissionCalculator
from jumun.rules.policy import Policy

_CURRENCY: dict[Venue, Currency] = {
    Venue.KRX: Currency.KRW,
    Venue.NXT: Currency.KRW,
    Venue.US: Currency.USD,
}
_Part = TypeVar("_Part")


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """All that a desk stands in: where its state is kept, its rules, its clock, ids and prices."""

    journal: Journal
    policy: Policy
    clock: Clock
    ids: IdSource
    prices: Prices
    openings: Sequence[BookOpening] = ()


def surroundings(
    given: Surroundings | None,
    *,
    journal: Journal | None = None,
    policy: Policy | None = None,
    clock: Clock | None = None,
    ids: IdSource | None = None,
    prices: Prices | None = None,
    openings: Sequence[BookOpening] = (),
    calculator: CommissionCalculator | None = None,
) -> Surroundings:
    """Return the whole of it: each part from its own keyword, else from `given`.

    A `calculator` decides what orders cost. Raises ConfigError naming a part that nobody gave.
    """
    whole = Surroundings(
        journal=_part("journal", journal, None if given is None else given.journal),
        policy=_part("policy", policy, None if given is None else given.policy),
        clock=_part("clock", clock, None if given is None else given.clock),
        ids=_part("ids", ids, None if given is None else given.ids),
        prices=_part("prices", prices, None if given is None else given.prices),
        openings=openings or (given.openings if given is not None else ()),
    )
    if calculator is None:
        return whole
    return msgspec.structs.replace(whole, policy=with_rates(whole.policy, calculator))


def with_rates(policy: Policy, calculator: CommissionCalculator) -> Policy:
    """Return the policy with the calculator's rates for every account and venue, in place of its plans."""
    plans = {plan.name: plan for plan in calculator.plans.values()}
    names = {venue.value: calculator.plans[currency].name for venue, currency in _CURRENCY.items()}
    accounts: dict[object, Account] = {
        account_id: msgspec.structs.replace(account, cost_plans=dict(names))
        for account_id, account in policy.accounts.items()
    }
    return msgspec.structs.replace(policy, cost_plans={**policy.cost_plans, **plans}, accounts=accounts)


def _part(name: str, own: _Part | None, given: _Part | None) -> _Part:
    part = own if own is not None else given
    if part is None:
        raise ConfigError(
            f"OrderEngine needs {name}; give redis_manager=Surroundings(…), which holds it, or {name}=…"
        )
    return part
