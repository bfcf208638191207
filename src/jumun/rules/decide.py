"""decide(book, command, facts, policy) -> Decision: every choice the desk makes, as a pure function."""

from typing import Final, assert_never

from msgspec.structs import replace

from jumun.model.commands import (
    AssignBreak,
    BeginRecovery,
    BookEntry,
    BookOpening,
    CancelOrder,
    Command,
    ConcludeCancel,
    ConcludeModify,
    ConcludeSubmit,
    FinishRecovery,
    HaltTrading,
    HearPrice,
    HearReport,
    ModifyOrder,
    RecordMarks,
    ResumeTrading,
    SendNext,
    SettleBreak,
    SettleOrder,
    StudyBalance,
    StudyHistory,
    SubmitOrder,
    Tick,
)
from jumun.model.errors import BadInput
from jumun.model.events import (
    CancelAnswered,
    MarksRecorded,
    ModifyAnswered,
    OpeningBooked,
    OrderUnknown,
    Recovered,
    ReportKept,
    StopTriggered,
    TradingHalted,
    TradingResumed,
)
from jumun.model.reasons import Reason
from jumun.model.reports import (
    CostReport,
    FillNotice,
    LookAgain,
    OrderReport,
    Rejected,
    StreamGap,
    TradeBust,
    Unknown,
    UnreadableNotice,
)
from jumun.rules.book import Book, document_key
from jumun.rules.decide_breaks import (
    decide_assignment,
    decide_balance,
    decide_break_settlement,
    decide_entry,
)
from jumun.rules.decide_cancel import (
    decide_cancel,
    decide_cancel_conclusion,
    intend_cancels,
)
from jumun.rules.decide_costs import hear_costs
from jumun.rules.decide_history import decide_history
from jumun.rules.decide_modify import adopt_successor, decide_modify, decide_modify_conclusion
from jumun.rules.decide_settlement import decide_settlement
from jumun.rules.decide_submit import decide_conclusion, decide_send, decide_submit
from jumun.rules.decide_time import decide_tick
from jumun.rules.draft import Decision, Draft
from jumun.rules.hear import came_before_its_fill, hear_bust, hear_fill, hear_order, stop
from jumun.rules.order_machine import can
from jumun.rules.policy import Denial, Facts, Policy

ANSWERS: Final = frozenset({ConcludeSubmit, ConcludeModify, ConcludeCancel})
RAW_KEPT_MAX: Final = 4_096  # characters of an unreadable notice that are kept: enough to see what it was


def decide(book: Book, command: Command, facts: Facts, policy: Policy) -> Decision:
    """Return what follows from a command.

    Changes nothing; asks nobody; the same values give the same answer.
    """
    draft = Draft(book, policy, facts)
    if type(command) in ANSWERS:
        _watch_answers(command, draft)
    decision = _dispatch(command, draft)
    before = len(draft.events)
    intend_cancels(draft)
    if len(draft.events) == before:
        return decision
    order = None if decision.order is None else draft.order(decision.order.order_id)
    return replace(decision, events=tuple(draft.events), order=order, drafted=tuple(draft.drafted))


def _watch_answers(command: Command, draft: Draft) -> None:
    """Answers that are mixed up stop new orders: nobody knows what else they mix up (F-17).

    So does the answer that the broker no longer takes this kind of request (F-60).
    """
    assert isinstance(command, (ConcludeSubmit, ConcludeModify, ConcludeCancel))
    if isinstance(command.outcome, Unknown) and command.outcome.crossed:
        stop(f"the broker answered {command.order_id} with another order's answer", draft)
    if isinstance(command.outcome, Rejected) and command.outcome.withdrawn:
        stop(f"the broker no longer takes such requests ({command.outcome.code})", draft)


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
        case HearPrice():
            _trigger_stops(command, draft)
        case ModifyOrder():
            return decide_modify(command, draft)
        case ConcludeModify():
            return decide_modify_conclusion(command, draft)
        case CancelOrder():
            return decide_cancel(command, draft)
        case ConcludeCancel():
            return decide_cancel_conclusion(command, draft)
        case StudyHistory():
            return decide_history(command, draft)
        case StudyBalance():
            return decide_balance(command, draft)
        case SettleOrder():
            return decide_settlement(command, draft)
        case Tick():
            return decide_tick(command, draft)
        case BookOpening():
            if document_key(command.account_id, command.document) not in draft.book.openings:
                draft.note(
                    OpeningBooked(account_id=command.account_id, rows=command.rows, document=command.document)
                )
        case BookEntry():
            return decide_entry(command, draft)
        case AssignBreak():
            return decide_assignment(command, draft)
        case SettleBreak():
            return decide_break_settlement(command, draft)
        case RecordMarks():
            _require_prices(command)
            draft.note(MarksRecorded(marks=command.marks, source=command.source))
        case HaltTrading():
            # Also while it is halted: whoever is lifting that one must not lift this one with it.
            draft.note(TradingHalted(reason=command.reason, text=command.text))
        case ResumeTrading():
            return _resume(command, draft)
        case BeginRecovery():
            _begin_recovery(draft)
        case FinishRecovery():
            unknown = len(draft.book.unknown)
            draft.note(Recovered(unknown=unknown, adopted=0, text=command.text))
        case _:
            assert_never(command)
    return draft.decision()


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
        case StreamGap() | LookAgain():
            draft.ask = True
        case UnreadableNotice():
            draft.note(ReportKept(text=report.text, raw=report.raw[:RAW_KEPT_MAX]))
            draft.ask = True
        case TradeBust():
            busted = draft.by_ref(report.account_id, report.ref)
            if busted is None or came_before_its_fill(busted, report):
                return Decision(park=True, ask=True)
            hear_bust(report, draft)
        case CostReport():
            if draft.by_ref(report.account_id, report.ref) is None:
                return Decision(park=True)
            hear_costs(report, draft)
        case FillNotice():
            order = draft.by_ref(report.account_id, report.ref)
            if order is None:
                return Decision(park=True)
            hear_fill(order, report, draft)
        case OrderReport():
            if draft.by_ref(report.account_id, report.ref) is None:
                parent = report.replaces and draft.by_ref(report.account_id, report.replaces)
                if not parent:
                    return Decision(park=True)
                adopt_successor(parent, report, "notice", draft)
            hear_order(report, draft, evidence="stream")
        case _:
            assert_never(report)
    return draft.decision()


def _resume(command: ResumeTrading, draft: Draft) -> Decision:
    """A person lifts the halt; while a break stands, the books are not known to be right (M-03)."""
    if draft.book.halt is None:
        return draft.decision()
    if command.halt_seq is not None and command.halt_seq != draft.book.halt.seq:
        text = f"trading was halted again meanwhile ({draft.book.halt.text}); look at that, then resume again"
        return draft.decision(denial=Denial(Reason.HALTED, text))
    if draft.book.breaks:
        names = ", ".join(f"{found.break_id} ({found.subject})" for found in draft.book.breaks.values())
        text = f"these breaks are not settled: {names}; settle each with `jumun breaks settle`, then resume"
        return draft.decision(denial=Denial(Reason.UNSETTLED_BREAK, text))
    draft.note(TradingResumed(by=command.by, text=command.text))
    return draft.decision()


def _trigger_stops(command: HearPrice, draft: Draft) -> None:
    """Nothing is written unless a stop is touched. While nothing may leave, the next price decides."""
    if draft.book.halt is not None:
        return
    for order_id in draft.book.stops.touched(command.symbol, command.price):
        order = draft.order(order_id)
        if order is None or not order.stop_held or order.cancel_requested_ns is not None:
            continue
        if command.ts_ns is None or order.created_ns <= command.ts_ns:
            draft.add(StopTriggered(order_id=order_id, price=command.price, source=command.source))


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
        if order.modify_open:
            draft.add(
                ModifyAnswered(
                    order_id=order.order_id,
                    outcome="unknown",
                    text="the service stopped before the answer was written",
                    raw="",
                )
            )
    draft.ask = True
