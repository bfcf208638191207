"""The half of jumun.desk.v1.Desk that is about books: breaks, documented entries, figures."""

from decimal import Decimal
from typing import Any, Final

import grpc
import msgspec

from jumun.doors.gate import Gate
from jumun.doors.grpc.gen import desk_pb2 as pb
from jumun.doors.grpc.gen.desk_pb2_grpc import DeskServicer
from jumun.doors.grpc.status import refuse
from jumun.model.errors import BadInput, OmsError, OrderDenied
from jumun.model.fills import LedgerAccount, LedgerKind, LedgerRow
from jumun.model.ids import AccountId, UserId
from jumun.model.money import Currency
from jumun.model.reasons import Reason
from jumun.services.intake import choice, iso_date, name, number, optional_number

Context = grpc.aio.ServicerContext[object, object]
ROWS_MAX: Final = 100  # lines of one documented entry
BOOKABLE: Final = (
    *(LedgerKind.DIVIDEND, LedgerKind.SPLIT, LedgerKind.TRANSFER, LedgerKind.CORRECTION),
    *(LedgerKind.TAX, LedgerKind.REALISED),  # what was withheld from a dividend, what a fraction brought
)


class BookCalls(DeskServicer):
    """Breaks, entries, execution figures, portfolio."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    # ---- breaks ---------------------------------------------------------------------------------

    async def Breaks(self, request: pb.BreaksRequest, context: Context) -> pb.BreaksReply:
        """The open differences between our books and the broker's, oldest first."""
        try:
            self._gate.require_open()
            return self._breaks(self._account(request.account_id))
        except OmsError as error:
            return await refuse(context, error)

    async def AssignBreak(self, request: pb.AssignBreakRequest, context: Context) -> pb.BreaksReply:
        """Somebody takes care of a break."""
        gate = self._gate
        try:
            gate.require_open()
            assigning = gate.engine.assign_break(
                name(request.break_id, "break_id"),
                UserId(name(request.owner, "owner")),
                reason_text(request.text),
            )
            _require_done(await gate.whole(assigning))
            return self._breaks(None)
        except OmsError as error:
            return await refuse(context, error)

    async def SettleBreak(self, request: pb.SettleBreakRequest, context: Context) -> pb.BreaksReply:
        """A person ends a break: corrected, or explained."""
        gate = self._gate
        try:
            gate.require_open()
            settling = gate.engine.settle_break(
                name(request.break_id, "break_id"),
                UserId(name(request.by, "by")),
                reason_text(request.text),
                request.correct,
            )
            _require_done(await gate.whole(settling))
            return self._breaks(None)
        except OmsError as error:
            return await refuse(context, error)

    # ---- documented entries ---------------------------------------------------------------------

    async def BookEntry(self, request: pb.BookEntryRequest, context: Context) -> pb.BookEntryReply:
        """Book an entry that is no trade, once per document."""
        gate = self._gate
        try:
            gate.require_open()
            account = gate.intake.account(request.account_id)
            if not 0 < len(request.rows) <= ROWS_MAX:
                raise BadInput(f"rows has {len(request.rows)} lines; give 1 to {ROWS_MAX}")
            rows = tuple(_row(row, account.account_id) for row in request.rows)
            document, by = name(request.document, "document"), UserId(name(request.by, "by"))
            booking = gate.engine.book_entry(
                account.account_id, rows, document, by, reason_text(request.text)
            )
            decision = await gate.whole(booking)
            _require_done(decision)
            booked = len(rows) if decision.events else 0
            return pb.BookEntryReply(booked=booked, existing=not booked)
        except OmsError as error:
            return await refuse(context, error)

    # ---- figures --------------------------------------------------------------------------------

    async def ExecutionStatus(self, request: pb.ExecutionStatusRequest, context: Context) -> pb.JsonReply:
        """How one order was executed, also after it ended and after a restart."""
        gate = self._gate
        try:
            gate.require_open()
            user = gate.intake.any_user(request.user_id)
            order = await gate.engine.find(name(request.order_id, "order_id"), user)
            return _json(await part_of(gate, "executions").get_execution_status(order.order_id))
        except OmsError as error:
            return await refuse(context, error)

    async def ExecutionStats(self, request: pb.ExecutionStatsRequest, context: Context) -> pb.JsonReply:
        """Figures of one trading day."""
        gate = self._gate
        try:
            gate.require_open()
            day = iso_date(request.trade_date, "trade_date") if request.trade_date else None
            account_id = self._account(request.account_id)
            stats = part_of(gate, "executions").get_daily_execution_stats(
                trade_date=day, account_id=account_id
            )
            return _json(await stats)
        except OmsError as error:
            return await refuse(context, error)

    async def Portfolio(self, request: pb.PortfolioRequest, context: Context) -> pb.JsonReply:
        """Positions, exposure, concentration, profit and loss."""
        try:
            self._gate.require_open()
            account_id = self._account(request.account_id)
            summary = part_of(self._gate, "portfolio").get_portfolio_summary(account_id=account_id)
            return _json(await summary)
        except OmsError as error:
            return await refuse(context, error)

    async def Risk(self, request: pb.PortfolioRequest, context: Context) -> pb.JsonReply:
        """Value at risk, volatility, drawdown; a figure without enough history is null, with its reason."""
        try:
            self._gate.require_open()
            account_id = self._account(request.account_id)
            metrics = part_of(self._gate, "portfolio").calculate_risk_metrics(account_id=account_id)
            return _json(await metrics)
        except OmsError as error:
            return await refuse(context, error)

    # ---- parts ----------------------------------------------------------------------------------

    def _account(self, account_id: str) -> AccountId | None:
        return self._gate.intake.account(account_id).account_id if account_id else None

    def _breaks(self, account_id: AccountId | None) -> pb.BreaksReply:
        engine = self._gate.engine
        now_ns = engine.clock.now_ns()
        breaks = [row for row in engine.breaks() if account_id in (None, row.account_id)]
        return pb.BreaksReply(
            breaks=[
                pb.BreakRow(
                    break_id=row.break_id,
                    account_id=row.account_id,
                    subject=row.subject,
                    ours=text_of(row.ours),
                    theirs=text_of(row.theirs),
                    difference=text_of(row.difference),
                    found_ns=row.found_ns,
                    age_s=f"{(now_ns - row.found_ns) / 1e9:.0f}",
                    owner=row.owner,
                    text=row.text,
                    note=row.note,
                )
                for row in sorted(breaks, key=lambda row: row.found_ns)
            ]
        )


def part_of(gate: Gate, part: str) -> Any:
    """Return a manager of the engine; raises OrderDenied where this service runs without it."""
    found = getattr(gate.engine, part, None)
    if found is None:
        raise OrderDenied(
            f"this service runs without {part}; ask one that was started with `jumun serve`",
            reason=Reason.NOT_READY,
        )
    return found


def reason_text(text: str) -> str:
    """Return a person's reason; raises BadInput where there is none."""
    if not text.strip():
        raise BadInput("the reason is missing; say why in a few words, it is written down")
    return name(text, "text")


def text_of(value: Decimal) -> str:
    """Return a number as plain digits."""
    return f"{value:f}"


def _row(row: pb.EntryRow, account_id: AccountId) -> LedgerRow:
    kind = choice(LedgerKind, row.kind, "kind")
    if kind not in BOOKABLE:
        raise BadInput(f"kind {kind} is made by the desk alone; book one of {', '.join(BOOKABLE)}")
    trade_date = iso_date(row.trade_date, "trade_date")
    settlement = iso_date(row.settlement_date, "settlement_date") if row.settlement_date else trade_date
    amount = number(row.amount, "amount")
    if amount < 0:
        raise BadInput(f"amount {row.amount} is negative; exchange debit and credit instead")
    return LedgerRow(
        kind=kind,
        account_id=account_id,
        currency=choice(Currency, row.currency, "currency", Reason.CURRENCY_MISMATCH),
        amount=amount,
        debit=choice(LedgerAccount, row.debit, "debit"),
        credit=choice(LedgerAccount, row.credit, "credit"),
        symbol=name(row.symbol, "symbol") if row.symbol else "",
        qty=optional_number(row.quantity, "quantity") or Decimal(0),
        trade_date=trade_date,
        settlement_date=settlement,
        note=name(row.note, "note") if row.note else "",
        cost_kind=name(row.cost_kind, "cost_kind") if row.cost_kind else "",
    )


def _require_done(decision: Any) -> None:
    if decision.denial is not None:
        raise OrderDenied(decision.denial.text, reason=decision.denial.reason)


def _json(value: object) -> pb.JsonReply:
    return pb.JsonReply(json=msgspec.json.encode(_with_text_keys(value)).decode())


def _with_text_keys(value: object) -> object:
    """JSON knows texts as keys only: the place (account, symbol) becomes account/symbol."""
    if not isinstance(value, dict):
        return value
    return {
        "/".join(key) if isinstance(key, tuple) else key: _with_text_keys(item) for key, item in value.items()
    }
