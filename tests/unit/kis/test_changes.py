"""Between KIS's word and the exchange's: what a notice proves depends on what was asked."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from jumun.brokers.kis.changes import ENDS_KEPT_MAX, Changes, Confirmed, NotConfirmed
from jumun.brokers.kis.notices import ChangeKind, ChangeNotice
from jumun.model.ids import AccountId, BrokerOrderNo
from jumun.model.instruments import Venue
from jumun.model.money import Currency
from jumun.model.orders import BrokerRef, OrderType, Side
from jumun.model.reports import BrokerState, FillNotice, LookAgain, OrderReport

D = Decimal
ACCOUNT = AccountId("12345678-01")


def ref(number: int) -> BrokerRef:
    return BrokerRef(trade_date="2026-11-20", branch="06010", number=BrokerOrderNo(f"{number:010d}"))


def a_report(state: BrokerState, number: int = 1, **changes: Any) -> OrderReport:
    values: dict[str, Any] = {
        "account_id": ACCOUNT,
        "ref": ref(number),
        "symbol": "005930",
        "venue": Venue.KRX,
        "currency": Currency.KRW,
        "side": Side.BUY,
        "order_type": OrderType.LIMIT,
        "qty": D(10),
        "price": D(70_000),
        "state": state,
        "qty_filled": D(0),
        "amount_filled": D(0),
        "ts_event_ns": 1,
        "raw": "a notice",
    }
    return OrderReport(**(values | changes))


def a_change(kind: ChangeKind, *, is_taken: bool) -> ChangeNotice:
    return ChangeNotice(
        kind=kind,
        account_id=ACCOUNT,
        ref=ref(1),
        number=BrokerOrderNo("0000000009"),
        is_taken=is_taken,
        text="no",
        ts_event_ns=1,
        raw="refused",
    )


@pytest.mark.req("I-49", "F-106")
def test_only_cancels_of_all_its_shares_explain_the_end_of_an_order() -> None:
    changes = Changes()
    ended = a_report(BrokerState.CANCELLED, qty_filled=D(4))
    assert not changes.explains(ended)
    changes.ends(ACCOUNT, ref(1))
    assert not changes.explains(ended), "that we asked for it proves nothing"
    changes.hear(a_report(BrokerState.CANCELLED, qty=D(3), raw="the first"))
    assert not changes.explains(ended), "somebody may have revised the other three"
    changes.hear(a_report(BrokerState.CANCELLED, qty=D(3), raw="the first"))
    assert not changes.explains(ended), "the same notice once more is no second cancel (I-12)"
    changes.hear(a_report(BrokerState.CANCELLED, qty=D(3), raw="the second"))
    assert changes.explains(ended)


@pytest.mark.req("F-49", "I-11", "S002-38")
async def test_a_confirmed_revise_tells_who_asked_and_the_desk() -> None:
    changes = Changes()
    successor = a_report(BrokerState.WORKING, 2, replaces=ref(1))
    with changes.waiting(ACCOUNT, ref(1), ChangeKind.REVISE, None) as word:
        assert changes.hear(successor) is successor
        assert await word == Confirmed(ref(2), "a notice")


@pytest.mark.req("F-49", "I-18")
async def test_a_refused_revise_tells_who_asked_and_the_list_is_looked_at() -> None:
    changes = Changes()
    with changes.waiting(ACCOUNT, ref(1), ChangeKind.REVISE, None) as word:
        assert changes.hear(a_change(ChangeKind.REVISE, is_taken=True)) is None
        assert not word.done(), "taken by KIS is not done by the exchange"
        told = changes.hear(a_change(ChangeKind.CANCEL, is_taken=False))
        assert isinstance(told, LookAgain)
        assert not word.done(), "that was about a cancel"
        assert isinstance(changes.hear(a_change(ChangeKind.REVISE, is_taken=False)), LookAgain)
        assert await word == NotConfirmed("no", "refused")


@pytest.mark.req("I-15", "I-20", "F-50")
async def test_only_the_cancel_of_everything_that_we_asked_for_ends_an_order() -> None:
    changes = Changes()
    cancelled = a_report(BrokerState.CANCELLED)
    assert isinstance(changes.hear(cancelled), LookAgain), "a person may have cancelled a part"
    changes.ends(ACCOUNT, ref(1))
    assert changes.hear(cancelled) is cancelled
    assert isinstance(changes.hear(cancelled), LookAgain), "once"


@pytest.mark.req("I-49", "F-48")
async def test_the_late_word_of_a_cut_is_not_taken_for_the_cancel_of_everything() -> None:
    changes = Changes()
    with changes.waiting(ACCOUNT, ref(1), ChangeKind.CANCEL, D(1)):
        changes.ends(ACCOUNT, ref(1))
    cut, rest = (a_report(BrokerState.CANCELLED, qty=D(qty)) for qty in (1, 9))
    assert isinstance(changes.hear(cut), LookAgain)
    assert changes.hear(rest) == rest


@pytest.mark.req("I-49", "F-48", "F-106")
async def test_a_part_that_a_person_cancelled_does_not_stand_for_the_late_word_of_our_cut() -> None:
    changes = Changes()
    with changes.waiting(ACCOUNT, ref(1), ChangeKind.CANCEL, D(1)):
        pass
    by_hand, cut = (a_report(BrokerState.CANCELLED, qty=D(qty)) for qty in (3, 1))
    assert isinstance(changes.hear(by_hand), LookAgain)
    changes.ends(ACCOUNT, ref(1))
    assert isinstance(changes.hear(cut), LookAgain)


@pytest.mark.req("I-49", "F-48", "I-18")
@pytest.mark.parametrize("by", ["the answer", "the exchange"])
async def test_after_a_refused_cancel_a_cancel_that_is_heard_of_ends_nothing(by: str) -> None:
    changes = Changes()
    changes.ends(ACCOUNT, ref(1))
    if by == "the answer":
        changes.stays(ACCOUNT, ref(1))
    else:
        changes.hear(a_change(ChangeKind.CANCEL, is_taken=False))
    assert isinstance(changes.hear(a_report(BrokerState.CANCELLED, qty=D(3))), LookAgain)


@pytest.mark.req("I-03", "I-20")
async def test_the_cancel_of_a_part_is_a_modify_that_keeps_its_number_and_ends_nothing() -> None:
    changes = Changes()
    changes.ends(ACCOUNT, ref(1))
    with changes.waiting(ACCOUNT, ref(1), ChangeKind.CANCEL, D(4)) as word:
        assert isinstance(changes.hear(a_report(BrokerState.CANCELLED, qty=D(3))), LookAgain)
        assert not word.done(), "another part"
        assert isinstance(changes.hear(a_report(BrokerState.CANCELLED, qty=D(4))), LookAgain)
        assert await word == Confirmed(ref(1), "a notice")


async def test_what_is_no_change_goes_through_untouched() -> None:
    changes = Changes()
    rest = a_report(BrokerState.CANCELLED, text="the rest of an IOC or FOK order was cancelled")
    fill = FillNotice(
        account_id=ACCOUNT,
        ref=ref(1),
        symbol="005930",
        side=Side.BUY,
        qty=D(1),
        price=D(70_000),
        ts_event_ns=1,
    )
    for told in (rest, fill, a_report(BrokerState.WORKING), a_report(BrokerState.REJECTED)):
        assert changes.hear(told) is told


@pytest.mark.req("F-05", "I-11")
async def test_a_word_that_comes_after_the_wait_is_heard_by_the_desk_alone() -> None:
    changes = Changes()
    with changes.waiting(ACCOUNT, ref(1), ChangeKind.REVISE, None) as word:
        pass
    late = a_report(BrokerState.WORKING, 2, replaces=ref(1))
    assert changes.hear(late) is late
    await asyncio.sleep(0)
    assert not word.done()


@pytest.mark.req("I-61")
async def test_cancels_that_are_never_confirmed_are_forgotten_in_the_end() -> None:
    changes = Changes()
    for number in range(ENDS_KEPT_MAX + 1):
        changes.ends(ACCOUNT, replace(ref(1), number=BrokerOrderNo(f"{number:010d}")))
    assert isinstance(changes.hear(a_report(BrokerState.CANCELLED, 0)), LookAgain), "the oldest has gone"
    newest = a_report(BrokerState.CANCELLED, ENDS_KEPT_MAX)
    assert changes.hear(newest) is newest
