"""The independent audit: everything the books say, computed a second time from the journal's records.

Nothing here goes through `rules.ledger`, `rules.book` or `rules.order_machine`: positions, cost, cash and
statuses are derived anew, in other words and with other arithmetic, so that agreement means something. Only
the dated tables (costs, settlement) are shared. Each check counts under its invariant of trading_controls.md
section 5, and a check that was never made shows as absent.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from jumun.model.ids import AccountId
from jumun.rules.audit_facts import (
    AuditFacts,
    AuditReport,
    BrokerNumber,
    Checks,
    ExchangeFacts,
    Place,
    Traded,
)
from jumun.rules.audit_money import check_money, check_reserved
from jumun.rules.audit_orders import Stories, Story, check_orders, stories_of

__all__ = ["AuditFacts", "AuditReport", "Checks", "ExchangeFacts", "Traded", "audit", "check_reserved"]

ZERO: Final = Decimal(0)


def audit(facts: AuditFacts, exchange: ExchangeFacts | None = None) -> AuditReport:
    """Recompute the books from the records and compare; with `exchange`, compare with what really happened.

    Pure and complete: reads every record once. Never raises for a wrong book, only reports it.
    """
    checks = Checks()
    stories = stories_of(facts.records, checks)
    check_orders(facts.orders, stories, checks)
    check_money(facts, stories, checks)
    if exchange is not None:
        _check_exchange(facts, stories, exchange, checks)
    return checks.report()


def _check_exchange(facts: AuditFacts, stories: Stories, exchange: ExchangeFacts, checks: Checks) -> None:
    _same_amounts("cash", facts.cash, exchange.cash, checks)
    held: dict[Place, Decimal] = {(p.account_id, p.symbol): p.qty for p in facts.positions}
    _same_amounts("position", held, exchange.holdings, checks)
    known: set[BrokerNumber] = set()
    for story in stories.orders.values():
        numbers = [(story.account_id, ref.trade_date, ref.branch, ref.number) for ref in story.refs]
        known.update(numbers)
        told = [exchange.traded[number] for number in numbers if number in exchange.traded]
        listed = len(told) == len(numbers)
        checks.expect("I-38", listed, "{} has numbers {} the exchange lacks", story.order_id, numbers)
        qty = sum((one.qty for one in told), ZERO)
        amount = sum((one.amount for one in told), ZERO)
        costs = sum((one.costs for one in told), ZERO)
        checks.expect(
            "I-43",
            (story.qty, story.amount) == (qty, amount),
            "{} filled {} for {} in our books, {} for {} at the exchange",
            *(story.order_id, story.qty, story.amount, qty, amount),
        )
        ours = sum(story.costs.values(), ZERO)
        text = "{} cost {} in our books, {} at the exchange"
        checks.expect("I-37", ours == costs, text, story.order_id, ours, costs)
        _check_requests(story, exchange, checks)
    for number, traded in exchange.traded.items():
        lost = number not in known and bool(traded.qty) and AccountId(number[0]) in facts.accounts
        checks.expect(
            "I-38", not lost, "the exchange filled {} of {} and our books do not", traded.qty, number
        )
    for order_id, count in exchange.received.items():
        text = "the exchange received {} requests of {}, which has no intent in the journal"
        checks.expect("I-21", order_id in stories.orders, text, count, order_id)


def _check_requests(story: Story, exchange: ExchangeFacts, checks: Checks) -> None:
    """Received no oftener than intended, accepted once, or once a session where it is carried over days."""
    name, attempts = story.order_id, story.attempts
    received, accepted = exchange.received.get(name, 0), exchange.accepted.get(name, 0)
    text = "{} was received {} times for {} intended sends and accepted {} times"
    once = received <= attempts and accepted <= max(1, story.sent)
    checks.expect("I-07", once, text, name, received, attempts, accepted)


def _same_amounts(
    what: str, ours: Mapping[Place, Decimal], theirs: Mapping[Place, Decimal], checks: Checks
) -> None:
    for place in sorted({*ours, *theirs}):
        mine, yours = ours.get(place, ZERO), theirs.get(place, ZERO)
        text = "{} {} {} is {} in our books and {} at the exchange"
        checks.expect("I-38", mine == yours, text, what, *place, mine, yours)
