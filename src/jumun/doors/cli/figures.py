"""stats, portfolio, alarms: how the day went, what is held and may be lost, what a person must look at."""

import json
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from jumun.doors.cli.options import AsJson

if TYPE_CHECKING:
    from jumun.doors.cli.printing import Figures
    from jumun.doors.cli.service import Connection
    from jumun.doors.grpc.gen import desk_pb2

DAYS_MAX: Final = 10  # as many as the desk keeps figures of
Told = dict[str, Any]  # an object of the service; numbers are text


def stats(
    *,
    date: Annotated[str, Parameter(help="The trading day, as 2026-11-20; the running one.")] = "",
    account: Annotated[str, Parameter(help="Only this account.")] = "",
    as_json: AsJson = False,
) -> int:
    """Show how orders were executed on one trading day. A day ends when the next session begins.

    Venues have days of their own: when Seoul has begun the next one, New York may still be in the last.
    Exit 1 when the day has no figures.
    """
    from jumun.config import load
    from jumun.doors.cli import printing, service

    with service.connect(load().settings) as connection:
        told = _stats(connection, date, account)
        elsewhere = [] if told["accounts"] else _newest_days(connection, account, 1)
    if as_json:
        printing.as_json(told)
        return 0 if told["accounts"] else 1
    if not told["accounts"]:
        printing.warn(_no_figures(told["trade_date"], account, elsewhere))
        return 1
    console = printing.out()
    whose = f", account {account}" if account else ""
    console.print(f"Trading day {told['trade_date']}{whose}", style="bold", soft_wrap=True)
    table = printing.pairs()
    for label, value in _counts(told):
        table.add_row(label, value)
    console.print(table)
    if told["by_currency"]:
        _money_table(told["by_currency"]).show(console)
    return 0


def _no_figures(day: str, account: str, elsewhere: list[Told]) -> str:
    """A day without orders is no day of zeros: say so, and where there are some."""
    whose = f" of account {account}" if account else ""
    if not elsewhere:
        return f"no order{whose} on trading day {day}, and on none before it that the desk keeps"
    other = elsewhere[0]["trade_date"]
    return f"no order{whose} on trading day {day}; the newest are of {other}: `jumun stats --date {other}`"


def _counts(told: Told) -> list[tuple[str, str]]:
    from decimal import Decimal

    from jumun.doors.cli import printing
    from jumun.doors.cli.holdings import number

    alarms = ", ".join(f"{name} {count}" for name, count in told["alarms"].items())
    rows = [
        ("orders", str(told["total_orders"])),
        ("filled, part filled", f"{told['filled_orders']}, {told['partially_filled_orders']}"),
        ("cancelled, of them expired", f"{told['cancelled_orders']}, {told['expired_orders']}"),
        ("rejected, of them by us", f"{told['rejected_orders']}, {told['denied_orders']}"),
        ("outcome unknown for a while", str(told["unknown_outcomes"])),
        ("fills, bought, sold", f"{told['total_fills']}, {told['buy_fills']}, {told['sell_fills']}"),
        ("fills taken back", str(told["busted_fills"])),
        ("shares filled", printing.qty(number(told["filled_quantity"]) or Decimal(0))),
        ("filled of all orders", printing.share(number(told["order_fill_rate"]))),
        ("to the first fill, mean", printing.seconds(number(told["average_first_fill_s"]))),
        ("to the last fill, mean", printing.seconds(number(told["average_completion_s"]))),
        ("alarms", alarms or "none"),
    ]
    return [row for row in rows if row[1] != "0" or row[0] in ("orders", "shares filled")]


def _money_table(by_currency: Told) -> "Figures":
    from jumun.doors.cli import printing
    from jumun.doors.cli.holdings import number

    columns = ("bought", "sold", "realised", "costs", "net", "slippage", "bp")
    figures = printing.Figures("", *columns, left=("",), optional=("realised", "bought"), title="Money")
    for currency, sums in by_currency.items():
        names = ("bought", "sold", "realised_gross", "total_costs", "realised_net", "slippage")
        amounts = [printing.money(number(sums[name]), currency) for name in names]
        points = number(sums["slippage_bp"])
        figures.add(currency, *amounts, "?" if points is None else f"{points:.2f}")
    return figures


def portfolio(
    *,
    account: Annotated[str, Parameter(help="Only this account.")] = "",
    days: Annotated[int, Parameter(help="Results of how many trading days.")] = 5,
    rate: Annotated[
        tuple[str, ...],
        Parameter(negative=(), help="What one unit is worth: USD=1390.5, or with its time, USD=1390.5@TIME."),
    ] = (),
    base: Annotated[str, Parameter(help="The currency of the totals; with a rate, the account's.")] = "",
    as_json: AsJson = False,
) -> int:
    """Show what is held and worth, where it is concentrated, what it may lose, and what it brought.

    Currencies are never added without a rate. TIME is an ISO time with its zone; left out, it is now.
    """
    from jumun.config import load
    from jumun.doors.cli import printing, service
    from jumun.doors.grpc.gen import desk_pb2
    from jumun.model.errors import BadInput

    if not 0 <= days <= DAYS_MAX:
        raise BadInput(f"--days {days} is not between 0 and {DAYS_MAX}; older days are in the tables")
    settings = load().settings
    request = desk_pb2.PortfolioRequest(account_id=account, base=base, rates=[_rate(given) for given in rate])
    with service.connect(settings) as connection:
        summary: Told = json.loads(connection.ask("Portfolio", request, desk_pb2.JsonReply).json)
        risk: Told = json.loads(connection.ask("Risk", request, desk_pb2.JsonReply).json)
        by_day = _newest_days(connection, account, days)
    if as_json:
        printing.as_json({**summary, "risk": risk, "by_day": by_day})
        return 0
    from jumun import app
    from jumun.doors.cli import holdings

    holdings.show(printing.out(), summary, risk, by_day, app.instruments_of(settings))
    return 0


def _rate(given: str) -> "desk_pb2.FxRate":
    """Return the rate that USD=1390.5@2026-11-20T15:30+09:00 means; without a time it is of now."""
    from jumun.doors.grpc.gen import desk_pb2
    from jumun.model.errors import BadInput

    currency, is_one, rest = given.partition("=")
    worth, has_time, at = rest.partition("@")
    if not is_one or not worth or (has_time and not at):
        raise BadInput(f"--rate {given!r} is none; write USD=1390.5, or USD=1390.5@2026-11-20T15:30+09:00")
    return desk_pb2.FxRate(currency=currency, rate=worth, at=at, source="--rate")


def _stats(connection: "Connection", date: str, account: str) -> Told:
    from jumun.doors.grpc.gen import desk_pb2

    request = desk_pb2.ExecutionStatsRequest(trade_date=date, account_id=account)
    told: Told = json.loads(connection.ask("ExecutionStats", request, desk_pb2.JsonReply).json)
    return told


def _newest_days(connection: "Connection", account: str, count: int) -> list[Told]:
    """Return the figures of the newest trading days that have any, newest first."""
    from datetime import date, timedelta

    from jumun.model.errors import OmsError
    from jumun.model.reasons import Reason

    found: list[Told] = []
    if not count:
        return found
    told = _stats(connection, "", account)
    day = date.fromisoformat(told["trade_date"])
    for back in range(2 * count + 7):  # a fortnight holds ten sessions, and closures are short
        if back:
            try:
                told = _stats(connection, (day - timedelta(days=back)).isoformat(), account)
            except OmsError as error:
                if error.reason is Reason.BAD_INPUT:  # older than what the desk keeps
                    break
                raise
        if told["accounts"]:
            found.append(told)
        if len(found) == count:
            break
    return found


def alarms(
    *,
    every: Annotated[bool, Parameter(name=["--all"], negative=(), help="Of ended orders too.")] = False,
    account: Annotated[str, Parameter(help="Only this account.")] = "",
    limit: Annotated[int, Parameter(help="How many orders at most.")] = 50,
    as_json: AsJson = False,
) -> int:
    """List alarms and disputes of orders, newest first, and a halt. Reads the store; exit 1 when one stands.

    A dispute is an order of which books and broker disagree until a person decides.
    """
    from jumun import app
    from jumun.config import load
    from jumun.doors.cli import printing
    from jumun.doors.cli.control import THEN_RESUME
    from jumun.doors.cli.look import require_account
    from jumun.limits import LIST_MAX
    from jumun.model.errors import BadInput

    if not 0 < limit <= LIST_MAX:
        raise BadInput(f"--limit {limit} is not between 1 and {LIST_MAX}; narrow the list with --account")
    settings = load().settings
    with app.open_books(settings) as books:
        require_account(account, settings, [name for name, _ in books.cash()])
        found = app.alarms_of(books, account_id=account or None, every=every, limit=limit)
        halt = app.standing_halt(books)
    stands = halt is not None or any(not row.order.status.is_final for row in found)
    if as_json:
        rows = [
            {
                "ts_ns": row.ts_ns,
                "alarm": row.alarm,
                "text": row.text,
                "order_id": row.order.order_id,
                "symbol": row.order.symbol,
                "status": row.order.status,
            }
            for row in found
        ]
        printing.as_json({"alarms": rows, "halted": halt})
        return 1 if stands else 0
    console = printing.out()
    if halt is not None:
        console.print(f"Trading is halted: {halt}; {THEN_RESUME}", style="bold red", markup=False)
    if not found:
        console.print("No alarm." if every else "No alarm of an open order; --all lists those of ended ones.")
        return 1 if stands else 0
    table = printing.table("raised (UTC)", "alarm", "order", "what", whole=("raised (UTC)", "alarm", "order"))
    narrow = console.width < 120
    if narrow:
        table = printing.table("raised (UTC)", "what", whole=("raised (UTC)",))
    for row in found:
        status = printing.status_text(row.order.status.value)
        what = f"{row.order.symbol} {status}: {row.text}"
        when = printing.when(row.ts_ns)
        if narrow:
            table.add_row(when[:19], f"{row.alarm}\n{what}\n{row.order.order_id}")
        else:
            table.add_row(when, row.alarm, row.order.order_id, what)
    console.print(table)
    return 1 if stands else 0
