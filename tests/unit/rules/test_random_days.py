"""Random days: whatever a strategy, a user, a broker and a crash do in whatever order, the books hold.

A small exchange in the test is the oracle. After every step the reservations, indexes, ledger and exposure
are checked; at the end everything is heard, and the books must be the exchange's.
"""

from decimal import Decimal
from typing import Any, Final

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from jumun.model.commands import BeginRecovery, FinishRecovery, ResumeTrading, SendNext, SubmitOrder
from jumun.model.events import CancelIntended, SendIntended
from jumun.model.ids import ExecutionId, OrderId, UserId
from jumun.model.orders import OrderStatus, Side
from jumun.model.reports import (
    Accepted,
    Balance,
    BrokerState,
    CancelAccepted,
    CancelRefused,
    FillNotice,
    Holding,
    NotSent,
    OrderReport,
    Rejected,
    SubmitRequest,
    Unknown,
)
from jumun.rules.book import BookImage
from jumun.rules.compare import differences_of
from jumun.rules.decide_submit import key_of, obstacle_to
from tests.unit.rules.desk_values import (
    ACCOUNT,
    HYNIX,
    OPEN_NS,
    SAMSUNG,
    TODAY,
    Bench,
    a_policy,
    a_ref,
    an_intent,
    at,
    refold,
    through_bytes,
)

D = Decimal
PRICE: Final = {SAMSUNG: 70_000, HYNIX: 200_000}
CASH: Final = 8_000_000
FATES: Final = [
    "taken",
    "taken",
    "taken",
    "refused",
    "never left",
    "taken silently",
    "lost",
    "refused silently",
]
decode_image = msgspec.json.Decoder(BookImage).decode
POLICIES: Final = {
    "hold": a_policy(),
    "resend": a_policy(unknown_order_policy="resend_once"),
    "reference": a_policy(unknown_order_policy="resend_once", carries_reference=True),
}


class Listed:
    """An order at the exchange: the truth."""

    def __init__(self, number: int, request: SubmitRequest, ts_ns: int) -> None:
        self.number = number
        self.request = request
        self.ts_ns = ts_ns
        self.state = BrokerState.WORKING
        self.filled = D(0)
        self.amount = D(0)

    @property
    def left(self) -> Decimal:
        return self.request.qty - self.filled

    def report(self) -> OrderReport:
        asked = self.request
        return OrderReport(
            account_id=ACCOUNT,
            ref=a_ref(self.number),
            symbol=asked.symbol,
            venue=asked.venue,
            currency=asked.currency,
            side=asked.side,
            order_type=asked.order_type,
            qty=asked.qty,
            price=asked.price,
            state=self.state,
            qty_filled=self.filled,
            amount_filled=self.amount,
            ts_event_ns=self.ts_ns,
            reference=asked.reference,
            raw=f"listed {self.number}",
        )


class Day(RuleBasedStateMachine):
    """One account, two symbols, and everything that can go wrong between us and the exchange."""

    @initialize(policy=st.sampled_from(sorted(POLICIES)))
    def open(self, policy: str) -> None:
        self.bench = Bench(POLICIES[policy], krw=CASH, shares={SAMSUNG: 6})
        self.listed: list[Listed] = []
        self.wire: list[SubmitRequest] = []  # sends on their way
        self.cancels: list[CancelIntended] = []
        self.stream: list[FillNotice | OrderReport] = []
        self.executions = 0
        self.by_hand = False
        self.first: dict[str, OrderId] = {}  # by key

    # ---- ours -----------------------------------------------------------------------------------

    @rule(
        number=st.integers(1, 40),
        symbol=st.sampled_from([SAMSUNG, HYNIX]),
        side=st.sampled_from([Side.BUY, Side.BUY, Side.SELL]),
        qty=st.integers(1, 5),
        ticks=st.integers(-1, 1),
        fate=st.sampled_from(["", "on its way", *FATES]),
    )
    def signal(self, number: int, symbol: str, side: Side, qty: int, ticks: int, fate: str) -> None:
        tick = 100 if symbol == SAMSUNG else 500
        intent = an_intent(
            number, symbol=symbol, side=side, qty=D(qty), price=D(PRICE[symbol] + ticks * tick)
        )
        decision = self.do(SubmitOrder(intent=intent))
        if decision.order is not None:
            first = self.first.setdefault(key_of(intent), decision.order.order_id)
            assert decision.order.order_id == first, "one key, two orders (I-08)"
            assert decision.existing or decision.order.status in (OrderStatus.NEW, OrderStatus.REJECTED)
        if fate:
            self.pump()
        if fate in FATES and self.wire:
            self.a_send_ends(len(self.wire) - 1, fate)

    @precondition(lambda self: self.bench.book.halt is not None)
    @rule()
    def a_person_looks_into_the_halt(self) -> None:
        assert self.by_hand, "only an order placed by hand halts this day"
        self.do(ResumeTrading(by=UserId("kim"), text="it was me"))

    @rule()
    def pump(self) -> None:
        book = self.bench.book
        for order_id in list(book.waiting):
            order = book.open[order_id]
            due = order.retry_at_ns is None or order.retry_at_ns <= self.bench.now_ns
            if due and obstacle_to(order, book) is None:
                self.do(SendNext(order_id=order_id))

    @rule(pick=st.integers(0, 99))
    def wish_to_cancel(self, pick: int) -> None:
        if orders := list(self.bench.book.open.values()):
            self.note(self.bench.cancel(orders[pick % len(orders)]))

    @rule(seconds=st.sampled_from([1, 2, 31, 150]))
    def time_passes(self, seconds: int) -> None:
        self.bench.wait(seconds)
        self.note(self.bench.tick(*self.bench.book.open.values()))

    # ---- the wire -------------------------------------------------------------------------------

    @precondition(lambda self: self.wire)
    @rule(
        pick=st.integers(0, 99),
        fate=st.sampled_from(FATES),
    )
    def a_send_ends(self, pick: int, fate: str) -> None:
        request = self.wire.pop(pick % len(self.wire))
        order = self.bench.order(request.order_id)
        outcome: Any = Unknown(text=fate)
        if fate.startswith("taken"):
            number = self.arrive(request)
            outcome = Accepted(ref=a_ref(number), raw="") if fate == "taken" else outcome
        elif fate == "refused":
            outcome = Rejected(code="1", text="no", raw="")
        elif fate == "never left":
            outcome = NotSent(text="refused")
        self.note(self.bench.conclude(order, outcome, attempt=request.attempt))

    @precondition(lambda self: self.cancels)
    @rule(pick=st.integers(0, 99), fate=st.sampled_from(["done", "done with proof", "lost", "done silently"]))
    def a_cancel_ends(self, pick: int, fate: str) -> None:
        request = self.cancels.pop(pick % len(self.cancels)).request
        listed = self.listed[int(request.ref.number) - 1]
        outcome: Any = Unknown(text=fate)
        if fate.startswith("done"):
            if listed.state is BrokerState.WORKING:
                listed.state = BrokerState.CANCELLED
                self.stream.append(listed.report())
                proof = listed.report() if fate == "done with proof" else None
                outcome = CancelAccepted(raw="", report=proof)
            else:
                outcome = CancelRefused(code="0", text="nothing to cancel", raw="")
            if fate == "done silently":
                outcome = Unknown(text=fate)
        self.note(self.bench.conclude_cancel(self.bench.order(request.order_id), outcome))

    # ---- the exchange ---------------------------------------------------------------------------

    @precondition(lambda self: any(listed.state is BrokerState.WORKING for listed in self.listed))
    @rule(
        pick=st.integers(0, 99),
        qty=st.integers(1, 5),
        better=st.integers(0, 1),
        has_id=st.booleans(),
        at_once=st.booleans(),
    )
    def a_trade(self, pick: int, qty: int, better: int, has_id: bool, at_once: bool) -> None:
        working = [listed for listed in self.listed if listed.state is BrokerState.WORKING]
        listed = working[pick % len(working)]
        traded, limit = min(D(qty), listed.left), listed.request.price
        assert limit is not None
        price = limit - 100 * better if listed.request.side is Side.BUY else limit + 100 * better
        listed.filled += traded
        listed.amount += traded * price
        listed.state = BrokerState.WORKING if listed.left else BrokerState.FILLED
        self.executions += 1
        self.stream.append(
            FillNotice(
                account_id=ACCOUNT,
                ref=a_ref(listed.number),
                symbol=listed.request.symbol,
                side=listed.request.side,
                qty=traded,
                price=price,
                ts_event_ns=OPEN_NS,
                execution_id=ExecutionId(f"E{self.executions}") if has_id else None,
            )
        )
        if at_once and not self.bench.hear(self.stream[-1]).park:
            self.stream.pop()

    @precondition(lambda self: len(self.listed) > 3 and not self.by_hand)
    @rule(qty=st.integers(7, 9))
    def somebody_trades_by_hand(self, qty: int) -> None:
        self.by_hand = True
        seed = an_intent(1)
        policy = self.bench.policy
        instrument = policy.instrument(HYNIX)
        request = SubmitRequest(
            order_id=OrderId("by hand"),
            attempt=1,
            account_id=ACCOUNT,
            symbol=HYNIX,
            venue=instrument.venue,
            currency=instrument.currency,
            side=Side.BUY,
            order_type=seed.order_type,
            tif=next(iter(policy.kinds))[2],
            qty=D(qty),
            price=D(200_000),
            trade_date=TODAY,
            reference=None,
        )
        self.arrive(request)

    # ---- what we hear ---------------------------------------------------------------------------

    @precondition(lambda self: self.stream)
    @rule(pick=st.integers(0, 99), fate=st.sampled_from(["heard", "heard", "heard twice", "lost", "later"]))
    def the_stream_speaks(self, pick: int, fate: str) -> None:
        report = self.stream.pop(pick % len(self.stream))
        if fate == "lost":
            return
        decision = self.bench.hear(report)
        self.note(decision)
        if decision.park or fate == "later":
            self.stream.append(report)
        if fate == "heard twice":
            self.note(self.bench.hear(report))

    @rule()
    def a_history(self) -> None:
        self.note(self.bench.study(*[listed.report() for listed in self.listed]))

    @rule(from_snapshot=st.integers(0, 10_000))
    def the_service_dies(self, from_snapshot: int) -> None:
        cut = from_snapshot % (len(self.bench.records) + 1)
        begun = through_bytes(refold(self.bench.records[:cut]), decode_image)
        image = self.bench.book.image()
        closed = list(self.bench.book.recent.values())
        self.bench.book = refold(self.bench.records[cut:], begun)
        assert self.bench.book.image() == image, "the journal folds to another book (I-24, I-25)"
        for order in closed:
            self.bench.book.admit(order)
        for request in self.wire:  # nobody knows how far they came
            if request.attempt % 2:
                self.arrive(request)
        self.wire.clear()
        self.cancels.clear()
        self.note(self.bench.do(BeginRecovery()))
        self.a_history()
        self.note(self.bench.do(FinishRecovery(text="done")))

    # ---- always ---------------------------------------------------------------------------------

    @invariant()
    def nothing_is_spent_or_sold_twice(self) -> None:
        """I-48, I-34, I-35: even if every order that may still fill does, cash and shares suffice."""
        if not hasattr(self, "bench"):
            return
        book = self.bench.book
        for symbol in (SAMSUNG, HYNIX):
            assert book.shares_free(ACCOUNT, symbol) >= 0
        if not self.by_hand:
            assert book.cash_free(ACCOUNT, "KRW") >= 0

    @invariant()
    def nothing_is_booked_that_did_not_trade_and_nothing_is_sent_twice(self) -> None:
        """I-01, I-07, I-43: at most what the exchange traded; at most one order there for one of ours."""
        if not hasattr(self, "bench"):
            return
        for listed in self.listed:
            order = self.bench.book.order_by_ref(ACCOUNT, a_ref(listed.number))
            if order is not None:
                assert order.qty_filled <= listed.filled
                assert order.refs == (a_ref(listed.number),)
        ours = [listed.request.order_id for listed in self.listed if listed.request.order_id != "by hand"]
        assert len(set(ours)) == len(ours), "one order arrived twice"

    def teardown(self) -> None:
        """Calm: whatever is on its way ends, every question is answered, and the books are the exchange's."""
        if not hasattr(self, "bench"):
            return
        while self.wire:
            self.a_send_ends(0, "taken")
        for listed in self.listed:
            if listed.state is BrokerState.WORKING:
                listed.state = BrokerState.EXPIRED
        self.bench.now_ns = max(self.bench.now_ns, at("2025-05-27T18:30:00+09:00"))
        for _ in range(3):
            self.note(self.bench.tick(*self.bench.book.open.values()))
            self.a_history()
            self.bench.wait(31)
        book = self.bench.book
        assert not book.open, "an order was never settled (I-58)"
        assert not any(book.cash_reserved.values()), "a reservation outlived its order (I-33, I-49)"
        shares = {SAMSUNG: D(6), HYNIX: D(0)}
        for listed in self.listed:
            order = book.order_by_ref(ACCOUNT, a_ref(listed.number))
            assert order is not None, f"{listed.number} is in nobody's books"
            assert (order.qty_filled, order.amount_filled) == (listed.filled, listed.amount)
            sign = 1 if listed.request.side is Side.BUY else -1
            shares[listed.request.symbol] += sign * listed.filled
        holdings = tuple(Holding(symbol=symbol, qty=qty) for symbol, qty in shares.items())
        cash = {"KRW": book.cash[ACCOUNT, "KRW"]}
        balance = Balance(account_id=ACCOUNT, asked_ns=0, holdings=holdings, cash=cash)
        assert differences_of(balance, book) == []
        paid = sum((x.amount if x.request.side is Side.BUY else -x.amount for x in self.listed), D(0))
        costs = sum(
            (position.costs for (owner, _), position in book.positions.items() if owner == ACCOUNT), D(0)
        )
        assert book.cash[ACCOUNT, "KRW"] == CASH - paid - costs
        assert refold(self.bench.records).image() == book.image()

    # ---- help -----------------------------------------------------------------------------------

    def do(self, command: Any) -> Any:
        decision = self.bench.do(command)
        self.note(decision)
        return decision

    def note(self, decision: Any) -> None:
        """Effects leave."""
        for event in decision.events:
            if isinstance(event, SendIntended):
                self.wire.append(event.request)
            if isinstance(event, CancelIntended):
                self.cancels.append(event)

    def arrive(self, request: SubmitRequest) -> int:
        self.listed.append(Listed(len(self.listed) + 1, request, self.bench.now_ns))
        return len(self.listed)


Day.TestCase.settings = settings(max_examples=150, stateful_step_count=80)
TestRandomDays = Day.TestCase
