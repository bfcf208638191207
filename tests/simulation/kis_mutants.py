"""Known bugs of a KIS client, put in on purpose: `python -m tests.simulation.kis_mutants NAME SEEDS`.

In a process of its own, because it patches the running program; prints the first break as JSON.
"""

import json
import sys
from collections.abc import Callable
from typing import Final

from jumun.model.reports import OrderHistory
from jumun.testing.invariants import Violation
from jumun.testing.kis_day import simulate_kis_day
from tools.mutants import book_every_notice


def resend_unknown_at_once() -> None:
    """No answer is taken for not received, and the order is sent again."""
    from jumun.brokers.kis.broker import KISBrokerClient
    from jumun.model.reports import SubmitOutcome, SubmitRequest, Unknown
    from jumun.ports.broker import SendPermit

    submit = KISBrokerClient.submit

    async def blind(self: KISBrokerClient, request: SubmitRequest, permit: SendPermit) -> SubmitOutcome:
        outcome = await submit(self, request, permit)
        return await submit(self, request, permit) if isinstance(outcome, Unknown) else outcome

    _patch(KISBrokerClient, "submit", blind)


def ignore_look_again() -> None:
    """What a notice leaves open is taken for what it seems to say: a cancel of a part ends the order."""
    from jumun.brokers.kis.changes import Changes
    from jumun.model.reports import BrokerReport, LookAgain, OrderReport

    hear_cancel = Changes._hear_cancel

    def certain(self: Changes, report: OrderReport) -> BrokerReport:
        told = hear_cancel(self, report)
        return report if isinstance(told, LookAgain) else told

    _patch(Changes, "_hear_cancel", certain)


def believe_every_end() -> None:
    """A list calls a number cancelled, so it has ended; that a person revised it is not thought of."""
    from jumun.brokers.kis.ends import Ends

    judged = Ends.judged

    def certain(self: Ends, history: OrderHistory, _: object) -> OrderHistory:
        return judged(self, history, lambda _report: True)

    _patch(Ends, "judged", certain)


BUGS: Final[dict[str, Callable[[], None]]] = {
    "resend unknown at once": resend_unknown_at_once,
    "count a fill notice twice": book_every_notice,
    "ignore LookAgain": ignore_look_again,
    "believe every end": believe_every_end,
}


def hunt(name: str, seeds: int) -> dict[str, object]:
    """Put a bug in and run days until a check breaks; an empty invariant: it survived them all."""
    BUGS[name]()
    for seed in range(seeds):
        try:
            simulate_kis_day(seed)
        except Violation as violation:
            return {"invariant": violation.invariant, "seed": seed, "text": violation.text}
    return {"invariant": "", "seed": -1, "text": ""}


def _patch(owner: object, name: str, new: object) -> None:
    """Replace what exists; a renamed function must not leave a mutant without its bug."""
    assert hasattr(owner, name), f"{owner} has no {name} any more: adapt the mutant"
    setattr(owner, name, new)


if __name__ == "__main__":
    print(json.dumps(hunt(sys.argv[1], int(sys.argv[2]))))
