"""orders, trace, book: read the store, with or without the service."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from jumun.doors.cli.options import AsJson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from jumun.config import Settings
    from jumun.doors.cli.printing import Figures
    from jumun.model.ids import OrderId
    from jumun.model.orders import Order
    from jumun.services.views import BookView, CashView, PositionView, ResultView
    from jumun.services.whereabouts import Where


def orders(
    *,
    every: Annotated[bool, Parameter(name=["--all"], negative=(), help="Ended orders too.")] = False,
    status: Annotated[str, Parameter(help="Only this status, e.g. FILLED.")] = "",
    account: Annotated[str, Parameter(help="Only this account.")] = "",
    symbol: Annotated[str, Parameter(help="Only this symbol.")] = "",
    limit: Annotated[int, Parameter(help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> int:
    """List open orders, newest first. UNKNOWN means that nobody knows the outcome yet."""
    from jumun import app
    from jumun.config import load
    from jumun.doors.cli import printing
    from jumun.limits import LIST_MAX
    from jumun.model.errors import BadInput
    from jumun.model.orders import OrderStatus

    if not 0 < limit <= LIST_MAX:
        raise BadInput(f"--limit {limit} is not between 1 and {LIST_MAX}; narrow the list with --symbol")
    wanted = "ERROR" if status.upper() == "UNKNOWN" else status.upper()
    if wanted and wanted not in OrderStatus.__members__:
        raise BadInput(f"--status {status!r} is unknown; use one of {', '.join(OrderStatus.__members__)}")
    settings = load().settings
    with app.open_books(settings) as books:
        require_account(account, settings, [name for name, _ in books.cash()])
        if every or wanted:
            found = books.orders(
                account_id=account or None,
                symbol=symbol or None,
                status=OrderStatus[wanted] if wanted else None,
                limit=limit,
            )
        else:
            found = app.open_orders(books, limit, account_id=account or None, symbol=symbol or None)
        places = app.whereabouts(books, settings, found)
    if as_json:
        printing.as_json({"orders": [order_fields(order, places[order.order_id]) for order in found]})
        return 0
    if not found:
        printing.out().print(
            "There is no order yet." if every else "No open order; --all lists the ended ones too."
        )
        return 0
    _print_orders(found, places)
    return 0


def trace(
    order_id: Annotated[str, Parameter(help="The order's id, a unique beginning of it, or your own id.")],
    /,
    *,
    raw: Annotated[bool, Parameter(negative=(), help="Show the broker's words in full.")] = False,
    as_json: AsJson = False,
) -> int:
    """Tell the whole story of one order, with its evidence."""
    from jumun import app
    from jumun.config import load
    from jumun.doors.cli import printing, story

    settings = load().settings
    with app.open_books(settings) as books:
        order = app.find_order(books, settings, order_id)
        records = books.story_of(order.order_id)
        fills = books.fills_of(order.order_id)
        where = app.whereabouts(books, settings, [order])[order.order_id]
    chapters = story.chapters(records)
    if as_json:
        printing.as_json({"order": order_fields(order, where), "story": chapters, "fills": fills})
        return 0
    story.tell(order, chapters, full=raw, where=where)
    return 0


def book(
    *, account: Annotated[str, Parameter(help="Only this account.")] = "", as_json: AsJson = False
) -> int:
    """Show positions, cash and what is reserved of it, and profit and loss before and after costs."""
    from jumun import app
    from jumun.config import load
    from jumun.doors.cli import printing
    from jumun.limits import LIST_MAX

    settings = load().settings
    with app.open_books(settings) as books:
        require_account(account, settings, [name for name, _ in books.cash()])
        view = app.read_book(books, account or None, LIST_MAX)
    if as_json:
        printing.as_json(view)
        return 0
    _print_book(view)
    return 0


def require_account(account: str, settings: "Settings", in_books: "list[str]") -> None:
    """Refuse an account that is neither configured nor in the books; an empty list would mislead."""
    from jumun.limits import TEXT_MAX
    from jumun.model.errors import BadInput
    from jumun.model.reasons import Reason

    known = dict.fromkeys([entry.account_id for entry in settings.accounts] + in_books)
    if account and account not in known:
        raise BadInput(
            f"account {account[:TEXT_MAX]!r} is not there; use one of {', '.join(known)}",
            reason=Reason.UNKNOWN_ACCOUNT,
        )


def order_fields(order: "Order", where: "Where | None" = None) -> dict[str, object]:
    """Return what programs are shown of an order; numbers become text.

    `route` is the venue that the broker was asked for, or SOR; `markets` where SOR filled it, `?` where it
    is not told.
    """
    from jumun.doors.cli.printing import status_text

    average = order.average_fill_price
    return {
        "order_id": order.order_id,
        "client_order_id": order.client_order_id,
        "account_id": order.account_id,
        "symbol": order.symbol,
        "venue": order.venue,
        "route": order.venue.value if where is None else where.route,
        "markets": [] if where is None else list(where.markets),
        "side": order.side,
        "order_type": order.order_type,
        "time_in_force": order.tif,
        "quantity": order.qty,
        "price": order.price,
        "price_raw": order.price_raw,
        "stop_price": order.stop_price,
        "good_till": order.good_till or None,
        "session": order.session,
        "currency": order.currency,
        "status": order.status,
        "status_shown": status_text(order.status.value),
        "reason": order.reason,
        "text": order.reason_text,
        "filled_quantity": order.qty_filled,
        "filled_amount": order.amount_filled,
        "average_price": average,
        "costs": order.costs,
        "broker_order_no": order.newest_ref.number if order.newest_ref is not None else None,
        "flags": list(order.flags),
        "alarms": list(order.alarms),
        "modify_to": None
        if order.modify_to is None
        else {
            "quantity": order.modify_to.qty,
            "price": order.modify_to.price,
            "price_raw": order.modify_to.price_raw,
        },
        "strategy_id": order.strategy_id,
        "created_by": order.created_by,
        "created_ns": order.created_ns,
        "updated_ns": order.updated_ns,
    }


def _print_orders(found: "list[Order]", places: "Mapping[OrderId, Where]") -> None:
    """A table where it fits, else two lines an order. Ids are never cut: those of one millisecond differ
    at the end only.
    """
    from jumun.doors.cli import printing

    console = printing.out()
    words = ("created (UTC)", "order", "symbol", "venue", "side", "status", "why")
    columns = (*words[:5], "qty", "price", "filled", "status", "average", "why")
    figures = printing.Figures(*columns, left=words)
    for order in found:
        figures.add(
            printing.when(order.created_ns),
            order.order_id,
            order.symbol,
            _place(order, places),
            order.side.value,
            printing.qty(order.qty),
            _price(order),
            printing.qty(order.qty_filled),
            printing.status_text(order.status.value),
            _average(order),
            _why(order),
        )
    table = figures.fitting(console)
    if table is not None:
        console.print(table)
        return
    for order in found:
        why = f" ({_why(order)})" if _why(order) else ""
        at = f", filled {printing.qty(order.qty_filled)}"
        at += f" at {_average(order)}" if order.qty_filled else ""
        console.print(f"{order.order_id}  {printing.status_text(order.status.value)}", soft_wrap=True)
        what = f"{order.side} {printing.qty(order.qty)} {order.symbol} at {_place(order, places)}"
        console.print(f"  {what}, {_price(order)}{at}{why}")


def _place(order: "Order", places: "Mapping[OrderId, Where]") -> str:
    """Where it is, and in which session where that is not the regular one."""
    from jumun.model.orders import TradingSession

    where = places[order.order_id].text
    return where if order.session is TradingSession.REGULAR else f"{where} {order.session}"


def _price(order: "Order") -> str:
    """The price as sent; of an order that was refused first, as asked."""
    from jumun.doors.cli import printing

    price = order.price if order.price is not None else order.price_raw
    shown = order.order_type.value if price is None else printing.exact(price, order.currency.value)
    if order.stop_price is None:
        return shown
    return f"{shown} stop {printing.exact(order.stop_price, order.currency.value)}"


def _average(order: "Order") -> str:
    from jumun.doors.cli import printing

    value = order.average_fill_price
    return "" if value is None else printing.average(value, order.currency.value)


def _why(order: "Order") -> str:
    """The reason it ended, what it waits for, and every flag and alarm that a person must see."""
    reason = [order.reason.value] if order.reason is not None else []
    if order.stop_held:
        reason.append("stop held")
    elif order.resting:
        reason.append("resting")
    if order.modify_to is not None:
        reason.append("changing")
    return ", ".join(
        [*reason, *(flag.value for flag in order.flags), *(alarm.value for alarm in order.alarms)]
    )


def _print_book(view: "BookView") -> None:
    """Account columns are there when there is more than one account."""
    from jumun.doors.cli import printing

    console = printing.out()
    names = {row.account_id for row in view.positions} | {row.account_id for row in view.cash}
    who = ("account",) if len(names) > 1 else ()
    if len(names) == 1:
        console.print(f"Account {next(iter(names))}", soft_wrap=True)
    show_positions(console, view, who)
    _cash(view.cash, who).show(console)
    if view.results:
        _results(view.results, who).show(console)
    if view.marks_ts_ns is not None:
        oldest = view.oldest_mark_ns
        console.print(
            f"Marks: {view.marks_source}, recorded {printing.when(view.marks_ts_ns)} UTC"
            + (f"; the oldest here is of {printing.when(oldest)} UTC." if oldest is not None else ".")
        )
    console.print(
        "realised: before costs; net: realised less costs; ?: no price is known. Rounded; "
        "--json has every digit."
    )


def show_positions(console: "Console", view: "BookView", who: tuple[str, ...] | None = None) -> None:
    """Print the positions, a table a currency; `who` is the account's column where there are several."""
    if not view.positions:
        console.print("No positions.")
    if who is None:
        who = ("account",) if len({row.account_id for row in view.positions}) > 1 else ()
    for currency in sorted({row.currency for row in view.positions}):
        _positions(currency, [row for row in view.positions if row.currency == currency], who).show(console)


def _positions(currency: str, rows: "list[PositionView]", who: tuple[str, ...]) -> "Figures":
    """Positions in one currency."""
    from jumun.doors.cli import printing

    numbers = ("qty", "average", "mark", "unrealised", "realised", "costs", "net")
    left = (*who, "symbol")
    figures = printing.Figures(
        *left, *numbers, left=left, optional=("realised", "average"), title=f"Positions in {currency}"
    )
    for row in rows:
        figures.add(
            *((row.account_id,) if who else ()),
            row.symbol,
            printing.qty(row.qty),
            printing.average(row.average_price, currency) if row.qty else "-",
            printing.exact(row.mark, currency) if row.qty else "-",
            printing.money(row.unrealised, currency),
            printing.money(row.realised_gross, currency),
            printing.money(row.costs, currency),
            printing.money(row.realised_net, currency),
        )
    return figures


def _cash(lines: "tuple[CashView, ...]", who: tuple[str, ...]) -> "Figures":
    from jumun.doors.cli import printing

    left = (*who, "")
    figures = printing.Figures(*left, "cash", "reserved", "free", left=left, title="Cash")
    for line in lines:
        amounts = [printing.money(amount, line.currency) for amount in (line.cash, line.reserved, line.free)]
        figures.add(*((line.account_id,) if who else ()), line.currency, *amounts)
    return figures


def _results(results: "tuple[ResultView, ...]", who: tuple[str, ...]) -> "Figures":
    from jumun.doors.cli import printing

    left = (*who, "")
    sums = ("value", "unrealised", "realised", "costs", "net", "total")
    figures = printing.Figures(
        *left, *sums, left=left, optional=("realised", "value"), title="Profit and loss"
    )
    for result in results:
        amounts = [
            printing.money(amount, result.currency)
            for amount in (
                result.market_value,
                result.unrealised,
                result.realised_gross,
                result.costs,
                result.realised_net,
                result.total,
            )
        ]
        figures.add(*((result.account_id,) if who else ()), result.currency, *amounts)
    return figures
