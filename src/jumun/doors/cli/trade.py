"""submit, buy, sell, modify, cancel, cancel-all, close: orders through the running service."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from jumun.doors.cli.options import AsJson

if TYPE_CHECKING:
    from jumun.config import Settings

ORDER_ID: Final = "The order's id, a unique beginning of it, or your own id."


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Terms:
    """What every new order may say."""

    price: Annotated[
        str, Parameter(help="The limit, in the instrument's currency; with it the order is LIMIT.")
    ] = ""
    stop_price: Annotated[
        str, Parameter(help="Wait until the market trades there: STOP, or STOP_LIMIT with a price.")
    ] = ""
    order_type: Annotated[
        str,
        Parameter(
            name=["--type"], help="LIMIT, MARKET, STOP, STOP_LIMIT, MOO, LOO, MOC, LOC; else by the prices."
        ),
    ] = ""
    time_in_force: Annotated[
        str, Parameter(name=["--tif"], help="DAY, IOC, FOK, GTC, GTD, …; DAY with order_timeout.")
    ] = ""
    good_till: Annotated[str, Parameter(help="GTD: the last trading day, as 2026-11-20.")] = ""
    session: Annotated[
        str,
        Parameter(
            help="PRE_MARKET, CLOSE_AFTER, DAY_MARKET (US, 10 to 18 in Seoul), …; else the regular one."
        ),
    ] = ""
    venue: Annotated[str, Parameter(help="KRX, NXT or US; where the issue is listed when left out.")] = ""
    account: Annotated[str, Parameter(help="The account; may be left out when there is one.")] = ""
    user: Annotated[str, Parameter(help="Whose order it is; the account's first user.")] = ""
    order_name: Annotated[
        str, Parameter(name=["--id"], help="Your own id: the same id gives the same order.")
    ] = ""
    strategy: Annotated[str, Parameter(help="The strategy it belongs to.")] = ""

    @property
    def kind(self) -> str:
        """The order type as given, else the one that the prices say; empty when nothing says it."""
        if self.order_type:
            return self.order_type
        if self.stop_price:
            return "STOP_LIMIT" if self.price else "STOP"
        return "LIMIT" if self.price else ""

    @property
    def lasts(self) -> str:
        """The time in force as given; a last day alone says GTD."""
        return self.time_in_force or ("GTD" if self.good_till else "")


PLAIN: Final = Terms()


def submit(
    *,
    symbol: Annotated[str, Parameter(help="What to trade, e.g. 005930 or SPMO.")],
    side: Annotated[str, Parameter(help="BUY or SELL.")],
    quantity: Annotated[str, Parameter(help="How many shares.")],
    terms: Terms = PLAIN,
    as_json: AsJson = False,
) -> int:
    """Send an order to the running service. The answer comes when the order is safely on disk."""
    return _send(symbol, side, quantity, terms, as_json)


def buy(
    symbol: Annotated[str, Parameter(help="What to buy, e.g. 005930 or SPMO.")],
    quantity: Annotated[str, Parameter(help="How many shares.")],
    /,
    *,
    terms: Terms = PLAIN,
    as_json: AsJson = False,
) -> int:
    """Send an order to buy; the same as `submit --side BUY`."""
    return _send(symbol, "BUY", quantity, terms, as_json)


def sell(
    symbol: Annotated[str, Parameter(help="What to sell, e.g. 005930 or SPMO.")],
    quantity: Annotated[str, Parameter(help="How many shares.")],
    /,
    *,
    terms: Terms = PLAIN,
    as_json: AsJson = False,
) -> int:
    """Send an order to sell; the same as `submit --side SELL`."""
    return _send(symbol, "SELL", quantity, terms, as_json)


def _send(symbol: str, side: str, quantity: str, terms: Terms, as_json: bool) -> int:
    from jumun import app
    from jumun.config import load
    from jumun.doors.cli import service, told
    from jumun.doors.grpc.gen import desk_pb2
    from jumun.model.errors import BadInput

    if not terms.kind:
        raise BadInput("neither --price nor --type is given; add --price for a LIMIT order, or --type MARKET")
    request = desk_pb2.SubmitRequest(
        account_id=terms.account,
        user_id=terms.user,
        client_order_id=terms.order_name or app.new_id(),
        symbol=symbol,
        side=side,
        order_type=terms.kind,
        quantity=quantity,
        price=terms.price,
        stop_price=terms.stop_price,
        time_in_force=terms.lasts,
        good_till=terms.good_till,
        session=terms.session,
        venue=terms.venue,
        strategy_id=terms.strategy,
    )
    return told.order(service.ask(load().settings, "Submit", request, desk_pb2.OrderReply), as_json)


def modify(
    order_id: Annotated[str, Parameter(help=ORDER_ID)],
    /,
    *,
    price: Annotated[str, Parameter(help="The new limit; as it is when left out.")] = "",
    quantity: Annotated[
        str, Parameter(help="The new total in shares, what has filled included; it can only be lowered.")
    ] = "",
    user: Annotated[str, Parameter(help="Whose id it is.")] = "",
    as_json: AsJson = False,
) -> int:
    """Change the limit price, or lower the quantity. The old terms can still fill until it is confirmed."""
    from jumun.config import load
    from jumun.doors.cli import service, told
    from jumun.doors.grpc.gen import desk_pb2
    from jumun.model.errors import BadInput

    if not price and not quantity:
        raise BadInput("neither --price nor --quantity is given; say what the order is to change to")
    settings = load().settings
    request = desk_pb2.ModifyRequest(
        order_id=whole_id(settings, order_id), user_id=user, price=price, quantity=quantity
    )
    return told.order(service.ask(settings, "Modify", request, desk_pb2.OrderReply), as_json)


def cancel(
    order_id: Annotated[str, Parameter(help=ORDER_ID)],
    /,
    *,
    user: Annotated[str, Parameter(help="Whose id it is.")] = "",
    as_json: AsJson = False,
) -> int:
    """Ask for a cancel. The order can still fill until the market confirms."""
    from jumun.config import load
    from jumun.doors.cli import service, told
    from jumun.doors.grpc.gen import desk_pb2

    settings = load().settings
    request = desk_pb2.CancelRequest(order_id=whole_id(settings, order_id), user_id=user)
    return told.order(service.ask(settings, "Cancel", request, desk_pb2.OrderReply), as_json)


def cancel_all(
    *,
    symbol: Annotated[str, Parameter(help="Only this symbol.")] = "",
    account: Annotated[str, Parameter(help="Only this account.")] = "",
    by: Annotated[str, Parameter(help="Who decides it.")] = "",
    as_json: AsJson = False,
) -> int:
    """Ask for a cancel of every open order. They can still fill until the market confirms."""
    from jumun.config import load
    from jumun.doors.cli import printing, service
    from jumun.doors.grpc.gen import desk_pb2
    from jumun.model.words import counted

    request = desk_pb2.CancelAllRequest(symbol=symbol, account_id=account, by=by)
    reply = service.ask(load().settings, "CancelAll", request, desk_pb2.CancelAllReply)
    if as_json:
        printing.as_json({"asked": reply.asked})
        return 0
    of = "".join([f" in {symbol}" if symbol else "", f" of account {account}" if account else ""])
    if not reply.asked:
        printing.out().print(f"No open order{of} to cancel.")
    else:
        many = counted(reply.asked, "order")
        printing.out().print(f"A cancel of {many}{of} is asked for.", soft_wrap=True)
    return 0


def close(
    symbol: Annotated[str, Parameter(help="What to close, e.g. 005930.")],
    /,
    *,
    account: Annotated[str, Parameter(help="The account; may be left out when there is one.")] = "",
    strategy: Annotated[str, Parameter(help="Only the shares of this strategy.")] = "",
    by: Annotated[str, Parameter(help="Who decides it; the account's first user.")] = "",
    as_json: AsJson = False,
) -> int:
    """Close a position with one order at the market. Asked again, the same order comes back."""
    from jumun.config import load
    from jumun.doors.cli import printing, service, told
    from jumun.doors.grpc.gen import desk_pb2

    request = desk_pb2.ClosePositionRequest(symbol=symbol, account_id=account, by=by, strategy_id=strategy)
    reply = service.ask(load().settings, "ClosePosition", request, desk_pb2.OrderReply)
    code = told.order(reply, as_json)
    if reply.text and not code and not as_json:
        printing.out().print(f"{reply.text}.", soft_wrap=True)
    return code


def whole_id(settings: "Settings", order_id: str) -> str:
    """Return the id of the order that a beginning or a name of its user means, where the store knows it."""
    from jumun import app
    from jumun.model.errors import StoreUnavailable, UnknownOrder

    try:
        with app.open_books(settings) as books:
            return app.find_order(books, settings, order_id).order_id
    except (StoreUnavailable, UnknownOrder):
        # The store may be on another machine, or the order newer than our look: the service knows.
        return order_id.strip()
