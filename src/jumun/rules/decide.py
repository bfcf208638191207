"""decide(book, command, facts, policy) -> Decision: every choice the desk makes, as a pure function."""

from typing import Final, assert_never

from msgspec.structs import replace

from jumun.model.commands import (
    BeginRecovery,
    BookOpening,
    CancelOrder,
    Command,
    ConcludeCancel,
    ConcludeSubmit,
    FinishRecovery,
    HaltTrading,
    HearReport,
    RecordMarks,
    ResumeTrading,
    SendNext,
    SettleOrder,
    StudyBalance,
    StudyHistory,
    SubmitOrder,
    Tick,
)
from jumun.model.errors import BadInput
from jumun.model.events import (
    BreakFound,
    CancelAnswered,
    MarksRecorded,
    OpeningBooked,
    OrderUnknown,
    Recovered,
    ReportKept,
    TradingHalted,
    TradingResumed,
)
from jumun.model.reasons import Reason
from jumun.model.reports import FillNotice, OrderReport, StreamGap, UnreadableNotice
from jumun.rules.book import Book
from jumun.rules.compare import differences_of
from jumun.rules.decide_cancel import (
    decide_cancel,
    decide_cancel_conclusion,
    decide_settlement,
    intend_cancels,
)
from jumun.rules.decide_history import decide_history
from jumun.rules.decide_submit import decide_conclusion, decide_send, decide_submit
from jumun.rules.decide_time import decide_tick
from jumun.rules.draft import Decision, Draft
from jumun.rules.hear import hear_fill, hear_order
from jumun.rules.order_machine import can
from jumun.rules.policy import Facts, Policy

RAW_KEPT_MAX: Final = 4_096  # characters of an unreadable notice that are kept: enough to see what it was


def decide(book: Book, command: Command, facts: Facts, policy: Policy) -> Decision:
    """Return what follows from a command.

    Changes nothing; asks nobody; the same values give the same answer.
    """
    draft = Draft(book, policy, facts)
    decision = _dispatch(command, draft)
    before = len(draft.events)
    intend_cancels(draft)
    if len(draft.events) == before:
        return decision
    order = None if decision.order is None else draft.order(decision.order.order_id)
    return replace(decision, events=tuple(draft.events), order=order)


def _dispatch(command: Command, draft: Draft) -> Decision:
    match command:
        case SubmitOrder():
            return decide_submit(command, draft)
        case SendNext():
            return decide_send(command, draft)
        case ConcludeSubmit():
            return decide_conclusion(command, draft)
        case HearReport():
            return _hear(command, draft)
        case CancelOrder():
            return decide_cancel(command, draft)
        case ConcludeCancel():
            return decide_cancel_conclusion(command, draft)
        case StudyHistory():
            return decide_history(command, draft)
        case StudyBalance():
            return _study_balance(command, draft)
        case SettleOrder():
            return decide_settlement(command, draft)
        case Tick():
            return decide_tick(command, draft)
        case BookOpening():
            if command.document not in draft.book.openings:
                draft.note(
                    OpeningBooked(account_id=command.account_id, rows=command.rows, document=command.document)
                )
        case RecordMarks():
            _require_prices(command)
            draft.note(MarksRecorded(marks=command.marks, source=command.source))
        case HaltTrading():
            if draft.book.halt is None or _outranks(command.reason, draft.book.halt.reason):
                draft.note(TradingHalted(reason=command.reason, text=command.text))
        case ResumeTrading():
            if draft.book.halt is not None:
                draft.note(TradingResumed(by=command.by, text=command.text))
        case BeginRecovery():
            _begin_recovery(draft)
        case FinishRecovery():
            unknown = len(draft.book.unknown)
            draft.note(Recovered(unknown=unknown, adopted=0, text=command.text))
        case _:
            assert_never(command)
    return draft.decision()


def _outranks(new: Reason, old: Reason) -> bool:
    """A torn journal or a break must not hide behind an operator's halt, which somebody will lift."""
    severe = (Reason.TORN_JOURNAL, Reason.BREAK)
    return new in severe and old not in severe


def _require_prices(command: RecordMarks) -> None:
    for symbol, price in command.marks.items():
        if not price.is_finite() or price <= 0:
            raise BadInput(
                f"the mark {price} of {symbol} from {command.source} is no price; give one above zero",
                reason=Reason.BAD_NUMBER,
            )


def _hear(command: HearReport, draft: Draft) -> Decision:
    report = command.report
    match report:
        case StreamGap():
            draft.ask = True
        case UnreadableNotice():
            draft.note(ReportKept(text=report.text, raw=report.raw[:RAW_KEPT_MAX]))
            draft.ask = True
        case FillNotice():
            order = draft.by_ref(report.account_id, report.ref)
            if order is None:
                return Decision(park=True)
            hear_fill(order, report, draft)
        case OrderReport():
            if draft.by_ref(report.account_id, report.ref) is None:
                return Decision(park=True)
            hear_order(report, draft, evidence="stream")
        case _:
            assert_never(report)
    return draft.decision()


def _study_balance(command: StudyBalance, draft: Draft) -> Decision:
    found = differences_of(command.balance, draft.book)
    confirmed = [row for row in found if row in command.suspects]
    for subject, ours, theirs in confirmed:
        account_id = command.balance.account_id
        if draft.book.breaks.get((account_id, subject)) == (ours, theirs):
            continue
        text = f"{account_id} {subject}: our books say {ours:f}, the broker says {theirs:f}"
        draft.note(BreakFound(account_id=account_id, subject=subject, ours=ours, theirs=theirs, text=text))
        if draft.book.halt is None and not any(isinstance(event, TradingHalted) for event in draft.events):
            draft.note(TradingHalted(reason=Reason.BREAK, text=f"{text}; find the cause, then resume"))
    return Decision(events=tuple(draft.events), differences=tuple(found))


def _begin_recovery(draft: Draft) -> None:
    """Whatever was in flight when we stopped has an unknown outcome (F-67, F-68, I-23)."""
    for order in list(draft.book.open.values()):
        if order.attempt_open and can(order, OrderUnknown) and order.unknown_ns is None:
            draft.add(
                OrderUnknown(
                    order_id=order.order_id,
                    attempt=order.attempt,
                    reason=Reason.CRASHED_IN_FLIGHT,
                    text="the service stopped before the outcome was written",
                    raw="",
                )
            )
        if order.cancel_open:
            draft.add(
                CancelAnswered(
                    order_id=order.order_id,
                    outcome="unknown",
                    text="the service stopped before the answer was written",
                    raw="",
                    retry_at_ns=draft.now_ns,
                )
            )
    draft.ask = True
