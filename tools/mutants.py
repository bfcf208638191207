"""Put known bugs in, one by one: each must break an invariant of the simulated day (`make mutants`).

A check that cannot fail proves nothing. The bugs are those that have cost others money
(trading_controls.md 7.4). Each is a small patch of the running program, in a process of its own, and only of
the desk's side: the exchange stays as it is and knows what really happened.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = ROOT / "bench" / "mutants.md"
SEEDS: Final = 1_000
TOLD_MAX: Final = 110
SECONDS_MAX: Final = 3_600  # for one mutant; a thousand seeds take half of it


class Mutant(NamedTuple):
    """A known bug: how it gets in, and what kind of day it needs to show itself."""

    what: str
    put_in: Callable[[], None]
    days: int = 1
    faults: tuple[str, ...] | None = None  # the weather it needs; None: as each seed draws it

    blind: bool = False  # our own reconciliation is switched off too: only the exchange's ledger can see it


class Kill(NamedTuple):
    """Who caught it: the invariant, the seed, and how many seeds were tried. No invariant: it survived."""

    invariant: str
    seed: int
    seeds: int
    seconds: float
    text: str


def resend_after_no_reply() -> None:
    """7: no answer is taken for not received, and the order is simply sent again."""
    from jumun.model.events import SendIntended
    from jumun.model.reports import SubmitOutcome, Unknown
    from jumun.services.dispatcher import Dispatcher

    submit_once = Dispatcher._submit_once

    async def blind(self: Dispatcher, effect: SendIntended) -> SubmitOutcome:
        outcome = await submit_once(self, effect)
        return await submit_once(self, effect) if isinstance(outcome, Unknown) else outcome

    _patch(Dispatcher, "_submit_once", blind)


def no_reply_means_refused() -> None:
    """6: an order nobody answered for is called rejected."""
    from jumun.model.events import SendIntended
    from jumun.model.reports import Rejected, SubmitOutcome, Unknown
    from jumun.services.dispatcher import Dispatcher

    submit_once = Dispatcher._submit_once

    async def certain(self: Dispatcher, effect: SendIntended) -> SubmitOutcome:
        outcome = await submit_once(self, effect)
        if isinstance(outcome, Unknown):
            return Rejected(code="NO_REPLY", text=outcome.text, raw="no reply")
        return outcome

    _patch(Dispatcher, "_submit_once", certain)


def book_every_notice() -> None:
    """9: every notice is a fill, however often it comes."""
    from jumun.model.orders import Order
    from jumun.model.reports import FillNotice
    from jumun.rules import hear
    from jumun.rules.fills import Booking

    numbers = count()

    def undiscerning(order: Order, notice: FillNotice) -> Booking:
        return Booking(
            identity=f"notice:{next(numbers)}",
            qty=notice.qty,
            price=notice.price,
            amount=notice.qty * notice.price,
            notice_qty=notice.qty,
        )

    _patch(hear, "count_notice", undiscerning)


def twins_are_one() -> None:
    """8: two fills of one second, price and quantity are taken for one."""
    from jumun.model.orders import Order
    from jumun.model.reports import FillNotice
    from jumun.rules import hear
    from jumun.rules.fills import Counted, Nothing, count_notice

    looks: set[tuple[object, ...]] = set()

    def by_look(order: Order, notice: FillNotice) -> Counted:
        look = (order.order_id, notice.ts_event_ns // 1_000_000_000, notice.price, notice.qty)
        if look in looks:
            return Nothing(ask=False)
        looks.add(look)
        return count_notice(order, notice)

    _patch(hear, "count_notice", by_look)


def patience_never_comes_back() -> None:
    """10: failures are counted for ever: after a few bad minutes the broker is hardly asked any more."""
    from jumun.model.errors import BrokerUnavailable
    from jumun.services.reconciler import Reconciler

    async def worn(self: Reconciler) -> None:
        failures = 0
        while True:
            await self._wait(failures)
            try:
                await self.study()
            except BrokerUnavailable as error:
                failures += 1
                self._note_failure(error)

    _patch(Reconciler, "run", worn)


def no_answer_means_flat() -> None:
    """11: a question that failed counts as an empty answer: no orders, no shares, no cash."""
    from jumun.brokers.paper.broker import PaperBroker
    from jumun.model.errors import BrokerUnavailable
    from jumun.model.ids import AccountId
    from jumun.model.reports import Balance, OrderHistory

    history, balance = PaperBroker.history, PaperBroker.balance

    async def no_orders(self: PaperBroker, account_id: AccountId, trade_date: str) -> OrderHistory:
        asked_ns = self._clock.now_ns()
        try:
            return await history(self, account_id, trade_date)
        except BrokerUnavailable:
            return OrderHistory(account_id=account_id, trade_date=trade_date, asked_ns=asked_ns, orders=())

    async def no_money(self: PaperBroker, account_id: AccountId) -> Balance:
        asked_ns = self._clock.now_ns()
        try:
            return await balance(self, account_id)
        except BrokerUnavailable:
            return Balance(account_id=account_id, asked_ns=asked_ns, holdings=(), cash={})

    _patch(PaperBroker, "history", no_orders)
    _patch(PaperBroker, "balance", no_money)


def check_once_and_send_later() -> None:
    """13: the halt is looked at when the send is decided, and not again before it leaves."""
    from jumun.brokers.paper.client import PaperClient
    from jumun.brokers.paper.link import always
    from jumun.brokers.paper.wire import Answer, Command

    send = PaperClient.send

    async def unchecked(self: PaperClient, command: Command, permit: object = always) -> Answer:
        return await send(self, command, always)

    _patch(PaperClient, "send", unchecked)


def release_at_the_cancel_request() -> None:
    """14: a cancel that was asked for counts as done."""
    from jumun.model.orders import Order
    from jumun.rules import book
    from jumun.rules.reserve import reserved_cash

    def hopeful(order: Order | None) -> Decimal:
        wanted = order is not None and order.cancel_requested_ns is not None
        return Decimal(0) if wanted else reserved_cash(order)

    _patch(book, "reserved_cash", hopeful)


def average_times_quantity() -> None:
    """15: money is the broker's whole-won average times the shares."""
    from jumun.model.orders import Order
    from jumun.rules import hear
    from jumun.rules.fills import Booking, count_cumulative, count_notice

    def averaged(counting: Callable[..., object]) -> Callable[..., object]:
        def counted(order: Order, *claim: object) -> object:
            booking = counting(order, *claim)
            if not isinstance(booking, Booking):
                return booking
            qty = order.qty_filled + booking.qty
            average = (order.amount_filled + booking.amount) // qty
            amount = average * qty - order.amount_filled
            return msgspec.structs.replace(booking, amount=amount, price=amount / booking.qty)

        return counted

    _patch(hear, "count_cumulative", averaged(count_cumulative))
    _patch(hear, "count_notice", averaged(count_notice))


def tax_of_the_trade_date() -> None:
    """16: the tax rate of the day of the trade, not of its settlement."""
    from jumun.rules import hear

    def same_day(market: object, trade_date: date, overrides: object = None) -> date:
        return trade_date

    _patch(hear, "settlement_date", same_day)


def round_ticks_as_floats() -> None:
    """17: the nearest tick, by a float division, from the share table also for funds."""
    from jumun.model.instruments import Instrument, Product
    from jumun.rules import validation
    from jumun.rules.ticks import tick_size

    def nearest(instrument: Instrument, price: Decimal, on: date, *, side_is_buy: bool) -> Decimal:
        share = msgspec.structs.replace(instrument, product=Product.SHARE)
        tick = float(tick_size(share, price, on))
        return Decimal(str(round(float(price) / tick) * tick))

    _patch(validation, "round_to_tick_safe", nearest)


def numbers_without_dates() -> None:
    """18: the broker's order number alone is taken for an identity."""
    from jumun.model.ids import AccountId, OrderId
    from jumun.model.orders import BrokerRef, Order
    from jumun.rules.book import Book

    class Dateless(dict[tuple[AccountId, BrokerRef], OrderId]):
        """An index that forgets the date."""

        def __setitem__(self, key: tuple[AccountId, BrokerRef], value: OrderId) -> None:
            super().__setitem__(_dateless(key), value)

        def get(self, key: Any, default: Any = None) -> Any:
            return super().get(_dateless(key), default)

        def pop(self, key: Any, default: Any = None) -> Any:
            return super().pop(_dateless(key), default)

    def _dateless(key: tuple[AccountId, BrokerRef]) -> tuple[AccountId, BrokerRef]:
        return key[0], msgspec.structs.replace(key[1], trade_date="")

    add_names = Book._add_names

    def forgetful(self: Book, order: Order) -> None:
        if not isinstance(self.refs, Dateless):
            self.refs = Dateless()
        add_names(self, order)

    _patch(Book, "_add_names", forgetful)


def swallow_what_goes_wrong() -> None:
    """19: the task that hears fills drops what goes wrong and goes on."""
    from jumun.services.liveness import Liveness

    listen = Liveness.listen

    async def deaf(self: Liveness) -> None:
        while True:
            try:
                await listen(self)
            except Exception:  # noqa: BLE001, S112 - the bug itself
                continue

    _patch(Liveness, "listen", deaf)


def no_cancels_in_a_halt() -> None:
    """20: a halt stops cancels too."""
    from jumun.model.commands import CancelOrder
    from jumun.model.reasons import Reason
    from jumun.rules import decide
    from jumun.rules.decide_cancel import decide_cancel
    from jumun.rules.draft import Decision, Draft
    from jumun.rules.policy import Denial

    def stopped(command: CancelOrder, draft: Draft) -> Decision:
        if draft.book.halt is not None:
            return draft.decision(
                command.order_id, Denial(Reason.HALTED, "nothing goes while trading is halted")
            )
        return decide_cancel(command, draft)

    _patch(decide, "decide_cancel", stopped)


def switch_off_our_own_eyes() -> None:
    """No break and no contradiction stops the desk: what is seen then, the oracle has seen."""
    from jumun.rules import decide_breaks, decide_history, decide_submit, hear
    from jumun.rules.draft import Draft

    def silent(text: str, draft: Draft) -> None:
        return

    def alike(*books: object) -> list[object]:
        return []

    for rules in (decide_breaks, decide_history, decide_submit, hear):
        _patch(rules, "stop", silent)
    _patch(decide_breaks, "differences_of", alike)


MUTANTS: Final[dict[int, Mutant]] = {
    6: Mutant("no reply means refused", no_reply_means_refused),
    7: Mutant("blind resend after a timeout", resend_after_no_reply),
    8: Mutant("two fills that look alike are one", twins_are_one),
    9: Mutant("no counting against what was booked", book_every_notice),
    10: Mutant(
        "a retry counter never reset", patience_never_comes_back, faults=("history_broken", "disconnect")
    ),
    11: Mutant("an empty answer means flat", no_answer_means_flat, faults=("history_broken", "reply_lost")),
    13: Mutant("check and send apart, without a second look", check_once_and_send_later),
    14: Mutant("reservation released at the cancel request", release_at_the_cancel_request),
    15: Mutant("average price times quantity as money", average_times_quantity),
    16: Mutant("tax by trade date", tax_of_the_trade_date, blind=True),
    17: Mutant("float ticks, the share table for funds", round_ticks_as_floats),
    18: Mutant("order number without its date", numbers_without_dates, days=2, blind=True),
    19: Mutant("an exception in the fill task swallowed", swallow_what_goes_wrong),
    20: Mutant("cancels blocked in a halt", no_cancels_in_a_halt),
}


def hunt(number: int, seeds: int, first: int = 0) -> Kill:
    """Put mutant `number` in and run seeds until an invariant breaks. Runs in a process of its own."""
    from jumun.testing.day import simulate_day
    from jumun.testing.invariants import Violation

    mutant = MUTANTS[number]
    mutant.put_in()
    if mutant.blind:
        switch_off_our_own_eyes()
    began = time.monotonic()
    for tried, seed in enumerate(range(first, first + seeds), 1):
        try:
            simulate_day(seed, days=mutant.days, faults=mutant.faults)
        except Violation as violation:
            seconds = time.monotonic() - began
            return Kill(violation.invariant, seed, tried, seconds, violation.text)
    return Kill("", -1, seeds, time.monotonic() - began, "")


def hunt_apart(number: int, seeds: int) -> Kill:
    """The same, in another process: this one stays as it is."""
    command = [sys.executable, __file__, "--hunt", str(number), "--seeds", str(seeds)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=SECONDS_MAX)
    if done.returncode != 0:
        raise RuntimeError(f"mutant {number} broke the day itself, which no invariant saw:\n{done.stderr}")
    return Kill(*json.loads(done.stdout))


def _patch(owner: object, name: str, new: object) -> None:
    """Replace what exists; a renamed function must not leave a mutant without its bug."""
    assert hasattr(owner, name), f"{owner} has no {name} any more: adapt the mutant in tools/mutants.py"
    setattr(owner, name, new)


def _told(text: str) -> str:
    """Return what the check said, short enough for a table."""
    line = text.split("\n")[0].replace("|", "/")
    return line if len(line) <= TOLD_MAX else line[: TOLD_MAX - 1] + "…"


def _page(rows: list[str], seeds: int, seconds: float) -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    head = (
        "# Known bugs, put in on purpose\n\n"
        "`make mutants` puts each known bug of the catalogue into the desk, runs simulated days until an\n"
        f"invariant stops it, and exits 1 when one survives {seeds:,} seeds.\n"
        f"{datetime.now(UTC):%Y-%m-%d}, revision {done.stdout.strip() or 'unknown'}, "
        f"{seconds:.0f} seconds for all.\n\n"
        "| mutant | killed by | seeds needed | what the check said |\n|---|---|---:|---|\n"
    )
    return head + "".join(f"{row}\n" for row in rows)


def main() -> int:
    """Hunt every mutant, or those named; exit 1 when one survives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "numbers", nargs="*", type=int, help="mutants of trading_controls.md 7.4; default all"
    )
    parser.add_argument("--seeds", type=int, default=SEEDS, help="at most so many days each")
    parser.add_argument("--write", action="store_true", help="write bench/mutants.md")
    parser.add_argument("--hunt", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.hunt is not None:
        print(json.dumps(hunt(asked.hunt, asked.seeds)))
        return 0
    survivors, rows, began = 0, list[str](), time.monotonic()
    for number in asked.numbers or sorted(MUTANTS):
        kill = hunt_apart(number, asked.seeds)
        name = f"mutant {number} ({MUTANTS[number].what})"
        if kill.invariant:
            print(
                f"{name}: killed by {kill.invariant} at seed {kill.seed}, seed number {kill.seeds}: "
                f"{kill.text}",
                flush=True,
            )
            rows.append(
                f"| {number} {MUTANTS[number].what} | {kill.invariant} | {kill.seeds} | {_told(kill.text)} |"
            )
        else:
            survivors += 1
            rows.append(f"| {number} {MUTANTS[number].what} | SURVIVED | {kill.seeds} | |")
            print(f"{name}: SURVIVED {kill.seeds} seeds; no check sees this bug", flush=True)
    if asked.write:
        RESULTS.write_text(_page(rows, asked.seeds, time.monotonic() - began), encoding="utf-8")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
