"""Modifies and cancels between KIS's word and the exchange's: REST says only that KIS took them (3.1.3).

Whoever asked waits here for the confirming notice. What a notice means depends on what was asked: the same
words confirm the cancel of a part and of everything, so only a request of ours that took everything proves an
end, and anything else is settled by the complete list.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Final, TypeVar

import msgspec

from jumun.brokers.kis.notices import ChangeKind, ChangeNotice
from jumun.model.ids import AccountId
from jumun.model.money import exact_sum
from jumun.model.orders import BrokerRef
from jumun.model.reports import BrokerReport, BrokerState, LookAgain, OrderReport

ENDS_KEPT_MAX: Final = 10_000  # full cancels of ours that wait for their notice: a day of them
PARTS_MAX: Final = 100  # cancels of parts of one order that are counted
_Key = tuple[AccountId, BrokerRef]
_Kept = TypeVar("_Kept")


class Confirmed(msgspec.Struct, frozen=True):
    """The exchange carried the change out; `ref` is what is left of the order under."""

    ref: BrokerRef
    raw: str


class NotConfirmed(msgspec.Struct, frozen=True):
    """The exchange refused the change; the order stands as it was."""

    text: str
    raw: str


Word = Confirmed | NotConfirmed


class Changes:
    """What is under way, by the order it is about."""

    def __init__(self) -> None:
        self._waiting: dict[_Key, tuple[ChangeKind, Decimal | None, asyncio.Future[Word]]] = {}
        self._ending: dict[_Key, None] = {}
        self._cuts: dict[_Key, Decimal | None] = {}  # cancels of a part whose word never came in time
        # Shares that we heard were cancelled, whoever asked, by the notice: one that is repeated counts once.
        self._gone: dict[_Key, dict[str, Decimal]] = {}

    @contextmanager
    def waiting(
        self, account_id: AccountId, ref: BrokerRef, kind: ChangeKind, qty: Decimal | None
    ) -> Iterator["asyncio.Future[Word]"]:
        """Hear of one modify while it lasts; `qty` is what a cancel of a part takes away."""
        word: asyncio.Future[Word] = asyncio.get_running_loop().create_future()
        self._waiting[account_id, ref] = (kind, qty, word)
        try:
            yield word
        finally:
            self._waiting.pop((account_id, ref), None)
            if kind is ChangeKind.CANCEL and not (word.done() and not word.cancelled()):
                _keep(self._cuts, (account_id, ref), qty)

    def ends(self, account_id: AccountId, ref: BrokerRef) -> None:
        """Remember that we asked to cancel everything that is left of an order."""
        _keep(self._ending, (account_id, ref), None)

    def explains(self, report: OrderReport) -> bool:
        """Whether cancels, and no revise, ended an order. That KIS took one of ours proves none (F-50)."""
        gone = self._gone.get((report.account_id, report.ref), {})
        return exact_sum(gone.values()) == report.qty - report.qty_filled

    def stays(self, account_id: AccountId, ref: BrokerRef) -> None:
        """Forget a cancel that was refused: one heard of later is somebody else's, maybe of a part (I-49)."""
        self._ending.pop((account_id, ref), None)

    def hear(self, told: BrokerReport | ChangeNotice) -> BrokerReport | None:
        """Take in what a notice says; return what the desk is to hear of it."""
        if isinstance(told, ChangeNotice):
            return self._hear_change(told)
        if not isinstance(told, OrderReport):
            return told
        if told.state is BrokerState.CANCELLED and told.text == "":
            return self._hear_cancel(told)
        if told.replaces is not None:
            self._settle((told.account_id, told.replaces), ChangeKind.REVISE, Confirmed(told.ref, told.raw))
        return told

    def _hear_change(self, notice: ChangeNotice) -> BrokerReport | None:
        if notice.is_taken:
            return None  # KIS has it, as its reply says too
        key = (notice.account_id, notice.ref)
        if notice.kind is ChangeKind.CANCEL:
            self.stays(*key)
        self._settle(key, notice.kind, NotConfirmed(notice.text, notice.raw))
        return LookAgain(text=f"the exchange refused a {notice.kind} of {notice.ref.number}")

    def _hear_cancel(self, report: OrderReport) -> BrokerReport:
        key = (report.account_id, report.ref)
        gone = self._gone.get(key, {})
        if len(gone) < PARTS_MAX:
            _keep(self._gone, key, gone | {report.raw: report.qty})
        waiting = self._waiting.get(key)
        if waiting is not None and waiting[0] is ChangeKind.CANCEL and waiting[1] == report.qty:
            self._settle(key, ChangeKind.CANCEL, Confirmed(report.ref, report.raw))
        elif waiting is None and key in self._ending and self._cuts.get(key) != report.qty:
            del self._ending[key]
            return report
        elif waiting is None and self._cuts.get(key) == report.qty:
            del self._cuts[key]  # its late word, as it seems: the list tells (I-49)
        return LookAgain(text=f"{report.qty:f} shares of {report.ref.number} were cancelled")

    def _settle(self, key: _Key, kind: ChangeKind, word: Word) -> None:
        waiting = self._waiting.get(key)
        if waiting is not None and waiting[0] is kind and not waiting[2].done():
            waiting[2].set_result(word)


def _keep(kept: dict[_Key, _Kept], key: _Key, value: _Kept) -> None:
    """Keep so many at most: the list tells what became of the oldest."""
    kept[key] = value
    while len(kept) > ENDS_KEPT_MAX:
        kept.pop(next(iter(kept)))
