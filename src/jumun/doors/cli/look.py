"""orders, trace, book: read the store, with or without the service."""

from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from jumun.doors.cli.options import AsJson

UNIQUE: Final = (
    23  # characters of an id: its millisecond and 26 bits of chance; every command takes a beginning
)
WIDE_ENOUGH: Final = 140  # columns of a terminal that shows every column of a table

if TYPE_CHECKING:
    from jumun.model.orders import Order
    from jumun.services.views import BookView


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
    with app.open_books(load().settings) as books:
        if every or wanted:
            found = books.orders(
                account_id=account or None,
                symbol=symbol or None,
                status=OrderStatus[wanted] if wanted else None,
                limit=limit,
            )
        else:
            found = app.open_orders(books, limit, account_id=account or None, symbol=symbol or None)
    if as_json:
        printing.as_json({"orders": [order_fields(order) for order in found]})
        return 0
    if not found:
        printing.out().print(
            "No order ended or open." if every else "No open order; --all lists the ended ones too."
        )
        return 0
    _print_orders(found)
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
    chapters = story.chapters(records)
    if as_json:
        printing.as_json({"order": order_fields(order), "story": chapters, "fills": fills})
        return 0
    story.tell(order, chapters, full=raw)
    return 0


def book(
    *, account: Annotated[str, Parameter(help="Only this account.")] = "", as_json: AsJson = False
) -> int:
    """Show positions, cash and what is reserved of it, and profit and loss before and after costs."""
    from jumun import app
    from jumun.config import load
    from jumun.doors.cli import printing
    from jumun.limits import LIST_MAX

    with app.open_books(load().settings) as books:
        view = app.read_book(books, account or None, LIST_MAX)
    if as_json:
        printing.as_json(view)
        return 0
    _print_book(view)
    return 0


def order_fields(order: "Order") -> dict[str, object]:
    """Return what programs are shown of an order; numbers become text."""
    average = order.average_fill_price
    return {
        "order_id": order.order_id,
        "client_order_id": order.client_order_id,
        "account_id": order.account_id,
        "symbol": order.symbol,
        "side": order.side,
        "order_type": order.order_type,
        "time_in_force": order.tif,
        "quantity": order.qty,
        "price": order.price,
        "price_raw": order.price_raw,
        "currency": order.currency,
        "status": order.status,
        "reason": order.reason,
        "text": order.reason_text,
        "filled_quantity": order.qty_filled,
        "filled_amount": order.amount_filled,
        "average_price": average,
        "costs": order.costs,
        "broker_order_no": order.newest_ref.number if order.newest_ref is not None else None,
        "flags": list(order.flags),
        "strategy_id": order.strategy_id,
        "created_by": order.created_by,
        "created_ns": order.created_ns,
        "updated_ns": order.updated_ns,
    }


def _print_orders(found: "list[Order]") -> None:
    """Ids are never cut: orders of one millisecond differ at the end only."""
    from jumun.doors.cli import printing

    console = printing.out()
    if console.width < WIDE_ENOUGH:
        table = printing.table(
            "order", "what", "filled", "status", right=("filled",), whole=("order", "status")
        )
        for order in found:
            what = f"{order.side} {printing.qty(order.qty)} {order.symbol} {_price(order)}"
            status = printing.status_text(order.status.value)
            table.add_row(order.order_id, what, printing.qty(order.qty_filled), status)
        console.print(table)
        return
    columns = (
        "created (UTC)",
        "order",
        "symbol",
        "side",
        "qty",
        "price",
        "filled",
        "status",
        "average",
        "why",
    )
    whole = ("created (UTC)", "order", "status")
    table = printing.table(*columns, right=("qty", "price", "filled", "average"), whole=whole)
    for order in found:
        average = order.average_fill_price
        table.add_row(
            printing.when(order.created_ns),
            order.order_id,
            order.symbol,
            order.side.value,
            printing.qty(order.qty),
            _price(order),
            printing.qty(order.qty_filled),
            printing.status_text(order.status.value),
            "" if average is None else printing.money(round(average, 4), order.currency.value),
            order.reason.value if order.reason is not None else "",
        )
    console.print(table)


def _price(order: "Order") -> str:
    from jumun.doors.cli import printing

    if order.price is None:
        return order.order_type.value
    return printing.money(order.price, order.currency.value)


def _print_book(view: "BookView") -> None:
    from jumun.doors.cli import printing

    console = printing.out()
    narrow = console.width < WIDE_ENOUGH
    numbers = ("qty", "average", "mark", "unrealised", "realised", "costs", "net")
    columns = ["symbol", *numbers] if narrow else ["account", "symbol", "", *numbers]
    table = printing.table(*columns, right=numbers, title="Positions")
    for row in view.positions:
        average = None if row.average_price is None else round(row.average_price, 4)
        cells = [
            printing.qty(row.qty),
            "-" if average is None else printing.money(average, row.currency),
            printing.money(row.mark, row.currency) if row.qty else "-",
            printing.money(row.unrealised, row.currency),
            printing.money(row.realised_gross, row.currency),
            printing.money(row.costs, row.currency),
            printing.money(row.realised_net, row.currency),
        ]
        names = [row.symbol] if narrow else [row.account_id, row.symbol, row.currency]
        table.add_row(*names, *cells)
    console.print(table if view.positions else "No positions.")
    cash = printing.table(
        "account", "", "cash", "reserved", "free", right=("cash", "reserved", "free"), title="Cash"
    )
    for line in view.cash:
        amounts = [printing.money(amount, line.currency) for amount in (line.cash, line.reserved, line.free)]
        cash.add_row(line.account_id, line.currency, *amounts)
    console.print(cash)
    sums = ("value", "unrealised", "realised", "costs", "net", "total")
    results = printing.table("account", "", *sums, right=sums, title="Profit and loss")
    for result in view.results:
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
        results.add_row(result.account_id, result.currency, *amounts)
    if view.results:
        console.print(results)
    if view.marks_ts_ns is not None:
        console.print(f"Marks: {view.marks_source}, recorded {printing.when(view.marks_ts_ns)} UTC.")
    console.print("realised: before costs; net: realised less costs; ?: no price is known.")
