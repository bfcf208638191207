"""The half of jumun.desk.v1.Desk that is about books: breaks, documented entries, figures."""

from decimal import Decimal
from typing import Any

import grpc
import msgspec

from jumun.doors.gate import Gate
from jumun.doors.grpc.gen import desk_pb2 as pb
from jumun.doors.grpc.gen.desk_pb2_grpc import DeskServicer
from jumun.doors.grpc.status import refuse
from jumun.model.documents import Fact
from jumun.model.errors import BadInput, OmsError, OrderDenied
from jumun.model.events import EntryBooked
from jumun.model.fills import LedgerKind, LedgerRow
from jumun.model.ids import AccountId, UserId
from jumun.model.money import Currency
from jumun.model.reasons import Reason
from jumun.services import documents
from jumun.services.account_look import AccountLook
from jumun.services.intake import iso_date, name, optional_choice
from jumun.services.rates import rate_of

Context = grpc.aio.ServicerContext[object, object]


class BookCalls(DeskServicer):
    """Breaks, entries, execution figures, portfolio."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._accounts = AccountLook(gate.engine)

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
        """Book what a paper says and is no trade, once per document; the desk counts the rows."""
        gate = self._gate
        try:
            gate.require_open()
            account = gate.intake.account(request.account_id)
            document = documents.document_of(
                request.document, request.trade_date, request.settlement_date, _fact(request)
            )
            by, text = UserId(name(request.by, "by")), reason_text(request.text)
            decision = await gate.whole(gate.engine.book_entry(account.account_id, document, by, text))
            _require_done(decision)
            rows = [row for event in decision.events if isinstance(event, EntryBooked) for row in event.rows]
            return pb.BookEntryReply(
                booked=len(rows), existing=decision.existing, rows=[_row(row) for row in rows]
            )
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
            portfolio = part_of(self._gate, "portfolio")
            return _json(await portfolio.get_portfolio_summary(**self._worth(request)))
        except OmsError as error:
            return await refuse(context, error)

    async def Risk(self, request: pb.PortfolioRequest, context: Context) -> pb.JsonReply:
        """Value at risk, volatility, drawdown; a figure without enough history is null, with its reason."""
        try:
            self._gate.require_open()
            portfolio = part_of(self._gate, "portfolio")
            return _json(await portfolio.calculate_risk_metrics(**self._worth(request)))
        except OmsError as error:
            return await refuse(context, error)

    async def Positions(self, request: pb.PortfolioRequest, context: Context) -> pb.JsonReply:
        """The books of the running desk at the newest prices, and whose shares they are."""
        try:
            self._gate.require_open()
            account_id = self._account(request.account_id)
            portfolio = part_of(self._gate, "portfolio")
            return _json(await portfolio.get_book(account_id, self._gate.prices))
        except OmsError as error:
            return await refuse(context, error)

    async def Balance(self, request: pb.BalanceRequest, context: Context) -> pb.JsonReply:
        """Cash and holdings as the broker counts them, beside ours."""
        gate = self._gate
        try:
            gate.require_open()
            account = gate.intake.account(request.account_id)
            return _json(await gate.whole(self._accounts.look(account.account_id)))
        except OmsError as error:
            return await refuse(context, error)

    # ---- parts ----------------------------------------------------------------------------------

    def _worth(self, request: pb.PortfolioRequest) -> dict[str, Any]:
        """Whose portfolio, and in which currency: the account's own, where rates are given and no other."""
        account_id = self._account(request.account_id)
        base = optional_choice(Currency, request.base, "base")
        if base is None and request.rates:
            base = self._gate.intake.account(request.account_id).base_currency
        now_ns = self._gate.engine.clock.now_ns()
        rates = [
            rate_of(
                currency=given.currency,
                base=base,
                rate=given.rate,
                at=given.at,
                source=given.source,
                now_ns=now_ns,
            )
            for given in request.rates
            if base is not None
        ]
        return {"account_id": account_id, "base": base, "rates": rates}

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


def _fact(request: pb.BookEntryRequest) -> Fact:
    """What the paper says; raises BadInput where it says nothing."""
    match request.WhichOneof("entry"):
        case "dividend":
            paid = request.dividend
            return documents.dividend(paid.symbol, paid.gross, paid.tax, paid.net)
        case "split":
            made = request.split
            return documents.split(made.symbol, made.ratio, made.cash_for_fraction, made.held)
        case "transfer":
            return _moved(LedgerKind.TRANSFER, request.transfer)
        case "correction":
            return _moved(LedgerKind.CORRECTION, request.correction)
        case _:
            raise BadInput("the entry says nothing; give a dividend, a split, a transfer or a correction")


def _moved(kind: LedgerKind, entry: pb.MovedEntry) -> Fact:
    return documents.moved(kind, entry.what, entry.quantity, entry.cost, entry.held)


def _row(row: LedgerRow) -> pb.EntryRow:
    return pb.EntryRow(
        kind=row.kind.value,
        currency=row.currency.value,
        amount=text_of(row.amount),
        debit=row.debit.value,
        credit=row.credit.value,
        trade_date=row.trade_date,
        settlement_date=row.settlement_date,
        symbol=row.symbol,
        quantity=text_of(row.qty) if row.qty else "",
        note=row.note,
        cost_kind=row.cost_kind,
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
