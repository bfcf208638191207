"""Any life an order can have, as KIS lists it: read back as it happened, whatever KIS calls cancelled."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.brokers.kis.rows import orders_of_domestic
from jumun.model.errors import UnreadableReply
from jumun.model.reports import BrokerState, OrderReport
from tests.unit.kis.pure_values import ACCOUNT, TODAY, a_row, listed

State = BrokerState
Row = dict[str, object]


def read(*rows: Row) -> tuple[OrderReport, ...]:
    return orders_of_domestic(listed(*rows), ACCOUNT.account_id, TODAY, over=False)


class Life:
    """An order and its successors as they truly are, and the rows that KIS shows of them."""

    def __init__(self, first: int, qty: int, *, moved_is_told: bool, asked_is_told: bool) -> None:
        self.numbers = [first]
        self.qty = {first: qty}
        self.filled = {first: 0}
        self.cut = {first: 0}
        self.moved = {first: 0}
        self.ended = ""
        self.requests: list[tuple[int, int, int, int]] = []  # number, parent, shares, refused
        self.moved_is_told = moved_is_told  # the old row of a revise calls the shares that moved cancelled
        self.asked_is_told = asked_is_told  # the row of a cancel calls its own shares cancelled
        self.next = first + 1

    @property
    def last(self) -> int:
        return self.numbers[-1]

    @property
    def left(self) -> int:
        last = self.last
        return self.qty[last] - self.filled[last] - self.cut[last]

    def number(self) -> int:
        self.next += 1
        return self.next - 1

    def do(self, act: str, share: int) -> None:
        if self.ended or not self.left:
            return
        some = 1 + share % self.left
        if act == "fill":
            self.filled[self.last] += some
        elif act == "cut" and some < self.left:
            self.requests.append((self.number(), self.last, some, 0))
            self.cut[self.last] += some
        elif act == "revise":
            old, new, left = self.last, self.number(), self.left
            self.moved[old] = left
            self.numbers.append(new)
            self.qty[new], self.filled[new], self.cut[new], self.moved[new] = left, 0, 0, 0
        elif act == "refused":
            self.requests.append((self.number(), self.last, self.left, self.left))
        elif act == "cancel":
            self.requests.append((self.number(), self.last, self.left, 0))
            self.cut[self.last] += self.left
            self.ended = act
        elif act == "vanish":  # the close of the market, or the broker
            self.cut[self.last] += self.left
            self.ended = act

    def state(self, number: int) -> BrokerState:
        if number != self.last:
            return State.REPLACED
        if self.left:
            return State.WORKING
        return State.FILLED if self.filled[number] == self.qty[number] else State.CANCELLED

    def stands_for(self, number: int) -> int:
        working = number == self.last and self.left
        return self.qty[number] - self.cut[number] if working else self.qty[number]

    def rows(self) -> list[Row]:
        parents = dict(zip(self.numbers[1:], self.numbers, strict=False))
        rows = []
        for number in self.numbers:
            told = self.cut[number] + (self.moved[number] if self.moved_is_told else 0)
            left = self.left if number == self.last else 0
            is_cancelled = self.cut[number] > 0 and not left and number == self.last
            rows.append(
                a_row(
                    number,
                    self.qty[number],
                    filled=self.filled[number],
                    working=left,
                    cancelled=told,
                    parent=parents.get(number, 0),
                    mark="Y" if is_cancelled else "",
                )
            )
        for number, parent, shares, refused in self.requests:
            done = shares - refused
            rows.append(
                a_row(
                    number,
                    shares,
                    refused=refused,
                    cancelled=done if self.asked_is_told else 0,
                    parent=parent,
                    mark="" if refused else "Y",
                )
            )
        return rows


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["fill", "fill", "cut", "revise", "refused", "cancel", "vanish"]),
        st.integers(0, 999),
    ),
    max_size=8,
)


@pytest.mark.req("I-02", "I-03", "F-41", "F-49")
@given(
    lives=st.lists(st.tuples(st.integers(1, 500), ACTS), min_size=1, max_size=3),
    moved_is_told=st.booleans(),
    asked_is_told=st.booleans(),
    shuffled=st.randoms(use_true_random=False),
)
def test_whatever_became_of_orders_the_list_is_read_as_it_happened(
    lives: list[tuple[int, list[tuple[str, int]]]],
    moved_is_told: bool,
    asked_is_told: bool,
    shuffled: Random,
) -> None:
    orders = []
    for index, (qty, acts) in enumerate(lives):
        life = Life(1 + 100 * index, qty, moved_is_told=moved_is_told, asked_is_told=asked_is_told)
        for act, share in acts:
            life.do(act, share)
        orders.append(life)
    # Oldest first, as it is asked for; what order of several came between is chance.
    waiting = [sorted(life.rows(), key=lambda row: str(row["odno"])) for life in orders]
    rows = []
    while waiting := [left for left in waiting if left]:
        rows.append(shuffled.choice(waiting).pop(0))
    told = {int(one.ref.number): one for one in read(*rows)}
    truth = {number: life for life in orders for number in life.numbers}
    # A revise that was refused is told beside a parent that ended: it may have taken over before (F-51).
    for number in set(told) - set(truth):
        one = told[number]
        assert (one.state, one.qty_filled) == (State.REJECTED, 0)
        assert one.replaces is not None
        assert told[int(one.replaces.number)].state is State.CANCELLED
    assert set(truth) <= set(told)
    for number, life in truth.items():
        one = told[number]
        assert one.state is life.state(number)
        assert (one.qty_filled, one.qty) == (life.filled[number], life.stands_for(number))
        assert one.amount_filled == 70_000 * life.filled[number]
        before = life.numbers.index(number) - 1
        parent = None if before < 0 else life.numbers[before]
        assert (one.replaces and int(one.replaces.number)) == parent


@pytest.mark.req("F-41", "I-39")
@given(
    ordered=st.integers(0, 20),
    filled=st.integers(0, 20),
    working=st.integers(0, 20),
    refused=st.integers(0, 20),
    cancelled=st.integers(0, 20),
)
def test_a_single_row_is_read_only_where_its_figures_add_up(
    ordered: int, filled: int, working: int, refused: int, cancelled: int
) -> None:
    row = a_row(1, ordered, filled=filled, working=working, refused=refused, cancelled=cancelled)
    adds_up = ordered > 0 and ordered == filled + working + refused + cancelled
    overfilled = ordered < filled and working == refused == cancelled == 0
    try:
        (order,) = read(row)
    except UnreadableReply:
        assert not adds_up
        assert not overfilled
        return
    assert adds_up or overfilled
    if order.state is State.WORKING:
        assert working
        assert order.qty == filled + working
    if order.state is State.FILLED:
        assert filled >= ordered
    assert order.qty_filled == filled
