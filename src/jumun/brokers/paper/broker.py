"""Joins link, client and parse into `ports.Broker`."""

from collections.abc import AsyncIterator
from typing import Final, assert_never

from jumun.brokers.paper.client import PaperClient
from jumun.brokers.paper.link import Gap, Garbled, Link, LinkNotice
from jumun.brokers.paper.parse import (
    FillIdentity,
    as_text,
    balance_of,
    cost_report,
    echoes,
    fill_notice,
    modify_call,
    new_order,
    order_report,
    ref_of,
    stems_from,
    trade_bust,
)
from jumun.brokers.paper.wire import (
    Answer,
    Cancel,
    Executed,
    Hello,
    OrderCancelled,
    OrderChanged,
    OrderModified,
    OrderTaken,
    Printed,
    Refused,
    Submit,
)
from jumun.exchange.admission import kinds_of
from jumun.exchange.records import (
    AccountAdjusted,
    AccountOpened,
    CancelNotDone,
    CostsTold,
    Interrupted,
    ModifyNotDone,
    OrderRefused,
    TradeBusted,
)
from jumun.exchange.world import World
from jumun.model.errors import ConfigError, UnreadableReply
from jumun.model.ids import AccountId
from jumun.model.instruments import Venue
from jumun.model.orders import OrderType, TimeInForce, TradingSession
from jumun.model.reasons import Reason
from jumun.model.reports import (
    Accepted,
    Balance,
    BrokerReport,
    CancelAccepted,
    CancelOutcome,
    CancelRefused,
    CancelRequest,
    ModifyAccepted,
    ModifyOutcome,
    ModifyRefused,
    ModifyRequest,
    NotSent,
    OrderHistory,
    Rejected,
    StreamGap,
    SubmitOutcome,
    SubmitRequest,
    Unknown,
    UnreadableNotice,
)
from jumun.ports.broker import BrokerTraits, SendPermit
from jumun.ports.outside import Clock, PriceListener, Quote
from jumun.ports.wire import AnswerLost, NothingSent
from jumun.rules.sessions import SESSION_PHASES

ANSWER_TIMEOUT_S: Final = 5.0  # the slowest fault plan answers within 2 s
VISIBLE_AFTER_NS: Final = 3_000_000_000
SETTLES_AFTER_NS: Final = 60_000_000_000
QUOTES_MAX: Final = 10_000  # more symbols than KRX lists


def paper_traits(
    *,
    carries_reference: bool = False,
    visible_after_ns: int = VISIBLE_AFTER_NS,
    name: str = "paper",
    modifies: bool = True,
    world: World | None = None,
) -> BrokerTraits:
    """Return the paper broker's traits. Without a reference it is as hard to ask as KIS.

    `world` is the market behind it: kinds and sessions are what that market takes, by default a plain one's.
    """
    sessions = () if world is None else world.sessions
    plain = World(name="plain", instruments=())
    return BrokerTraits(
        name=name,
        environment="sim",
        carries_reference=carries_reference,
        visible_after_ns=visible_after_ns,
        settles_after_ns=SETTLES_AFTER_NS,
        kinds=kinds_of(world or plain),
        sessions=frozenset(pair for pair in SESSION_PHASES if pair[1] in sessions)
        | frozenset((Venue.KRX, session) for session in sessions if session is TradingSession.CLOSE_BEFORE),
        modifies=modifies,
    )


class PaperBroker:
    """ports.Broker on the simulated exchange; also ports.PriceFeed from its prints.

    `identity` decides what identifies a fill notice. `cancel_proves` false answers a cancel with nothing but
    "taken": its proof then comes by notice or query, as at KIS. `client` names this program to the oracle.
    """

    def __init__(
        self,
        link: Link,
        traits: BrokerTraits,
        clock: Clock,
        *,
        identity: FillIdentity = FillIdentity.CUMULATIVE,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
        cancel_proves: bool = True,
        client: str = "jumun",
    ) -> None:
        """Raise ConfigError when the link can hide an order for longer than the traits say.

        A resend is decided on "not visible after visible_after_ns": a slower link would make it a duplicate.
        """
        if link.worst_case_ns > traits.visible_after_ns:
            raise ConfigError(
                f"broker {traits.name}: the link can hide an order for {link.worst_case_ns} ns and "
                f"visible_after_ns is {traits.visible_after_ns}; raise it above that"
            )
        self._link = link
        self._client = PaperClient(link, answer_timeout_s)
        self._traits = traits
        self._clock = clock
        self._identity = identity
        self._cancel_proves = cancel_proves
        self._client_name = client
        self._quotes: dict[str, Quote] = {}
        self._price_listeners: list[PriceListener] = []

    @property
    def traits(self) -> BrokerTraits:
        """What is true of this broker."""
        return self._traits

    async def connect(self) -> None:
        """Open the link and learn the prices; raises BrokerUnavailable. Safe to call again."""
        await self._link.open()
        for quote in await self._client.quotes():
            self._quotes[quote.symbol] = quote

    async def close(self) -> None:
        """Close the link; requests in flight end as Unknown."""
        await self._link.close()

    async def submit(self, request: SubmitRequest, permit: SendPermit) -> SubmitOutcome:
        """Send once; see ports.Broker.submit."""
        if (request.venue, request.order_type, request.tif) not in self._traits.kinds:
            text = f"{self._traits.name} does not take {request.order_type} {request.tif} at {request.venue}"
            return Rejected(
                code=Reason.KIND_NOT_SUPPORTED.value, text=text, raw="refused here; nothing was sent"
            )
        regular = request.session is TradingSession.REGULAR
        if not regular and (request.venue, request.session) not in self._traits.sessions:
            text = f"{self._traits.name} takes no {request.session} orders at {request.venue}"
            return Rejected(
                code=Reason.KIND_NOT_SUPPORTED.value, text=text, raw="refused here; nothing was sent"
            )
        is_plain = (request.order_type, request.tif) == (OrderType.LIMIT, TimeInForce.DAY)
        if request.session is TradingSession.DAY_MARKET and not is_plain:
            text = f"the US day market takes LIMIT DAY only, not {request.order_type} {request.tif}; send one"
            return Rejected(
                code=Reason.KIND_NOT_SUPPORTED.value, text=text, raw="refused here; nothing was sent"
            )
        carries = self._traits.carries_reference
        order = new_order(request, self._client_name, carries_reference=carries)
        try:
            told = await self._client.send(Submit(order=order), permit)
        except NothingSent as error:
            return NotSent(text=str(error))
        except AnswerLost as error:
            return Unknown(text=str(error))
        except UnreadableReply as error:
            return Unknown(text=str(error), raw=error.raw)
        if isinstance(told, OrderTaken) and echoes(order, told.order):
            return Accepted(ref=ref_of(told.order), raw=as_text(told))
        if isinstance(told, Refused):
            return Rejected(code=told.code, text=told.text, raw=as_text(told))
        return _strange(told, "an order")

    async def cancel(self, request: CancelRequest) -> CancelOutcome:
        """Ask to cancel; harmless twice."""
        command = Cancel(
            account_id=request.account_id,
            trade_date=request.ref.trade_date,
            branch=request.ref.branch,
            number=request.ref.number,
        )
        try:
            told = await self._client.send(command)
        except NothingSent as error:
            return NotSent(text=str(error))
        except AnswerLost as error:
            return Unknown(text=str(error))
        except UnreadableReply as error:
            return Unknown(text=str(error), raw=error.raw)
        if isinstance(told, OrderCancelled) and ref_of(told.order) == request.ref:
            report = order_report(told.order, told.order.ts_changed_ns) if self._cancel_proves else None
            return CancelAccepted(raw=as_text(told), report=report)
        if isinstance(told, Refused):
            return CancelRefused(code=told.code, text=told.text, raw=as_text(told))
        return _strange(told, "a cancel")

    async def modify(self, request: ModifyRequest, permit: SendPermit) -> ModifyOutcome:
        """Ask once to change a working order; see ports.Broker.modify."""
        if not self._traits.modifies:
            text = f"{self._traits.name} changes no orders; cancel it and send another"
            return ModifyRefused(
                code=Reason.KIND_NOT_SUPPORTED.value, text=text, raw="refused here; nothing was sent"
            )
        try:
            told = await self._client.send(modify_call(request), permit)
        except NothingSent as error:
            return NotSent(text=str(error))
        except AnswerLost as error:
            return Unknown(text=str(error))
        except UnreadableReply as error:
            return Unknown(text=str(error), raw=error.raw)
        if isinstance(told, OrderModified) and stems_from(told.order, request.ref):
            return ModifyAccepted(ref=ref_of(told.order), raw=as_text(told))
        if isinstance(told, Refused):
            return ModifyRefused(code=told.code, text=told.text, raw=as_text(told))
        return _strange(told, "a modify")

    async def ping(self) -> None:
        """Answers and notices share one connection, in order: an answer proves that both arrive."""
        try:
            await self._client.send(Hello(client=self._client_name))
        except UnreadableReply:
            return  # spoiled, but it came

    async def history(self, account_id: AccountId, trade_date: str) -> OrderHistory:
        """Return every order of that day, complete; raises BrokerUnavailable when any page fails (I-39)."""
        asked_ns = self._clock.now_ns()
        orders = await self._client.history(account_id, trade_date)
        return OrderHistory(
            account_id=account_id,
            trade_date=trade_date,
            asked_ns=asked_ns,
            orders=tuple(order_report(order, order.ts_accepted_ns, is_listed=True) for order in orders),
        )

    async def balance(self, account_id: AccountId) -> Balance:
        """Return all holdings and cash, complete; raises BrokerUnavailable otherwise."""
        asked_ns = self._clock.now_ns()
        return balance_of(await self._client.balance(account_id), asked_ns)

    async def reports(self) -> AsyncIterator[BrokerReport]:
        """Yield notices until closed. Prints are kept for `quote` and not reported."""
        async for notice in self._link.notices():
            report = self._report_of(notice)
            if report is not None:
                yield report

    def quote(self, symbol: str) -> Quote | None:
        """Return the newest known price (ports.Prices); it is only as fresh as `reports` is read."""
        return self._quotes.get(symbol)

    def on_price(self, listener: PriceListener) -> None:
        """Call `listener` with every new quote, in order (ports.PriceFeed)."""
        self._price_listeners.append(listener)

    def _report_of(self, notice: LinkNotice) -> BrokerReport | None:
        match notice:
            case OrderChanged():
                return order_report(notice.order, notice.ts_ns)
            case Executed():
                return fill_notice(notice.execution, self._identity)
            case Printed():
                self._remember(notice)
                return None
            case Gap():
                return StreamGap(text=notice.text)
            case Garbled():
                return UnreadableNotice(raw=notice.raw, text=notice.text)
            case TradeBusted():
                return trade_bust(notice.bust)
            case CostsTold():
                return cost_report(notice)
            case OrderRefused() | CancelNotDone() | ModifyNotDone() | AccountOpened() | AccountAdjusted():
                return None  # the answer to the call said so already
            case Interrupted():
                return None  # orders stay as they are; what the venue takes is the desk's own calendar
            case _:
                assert_never(notice)

    def _remember(self, printed: Printed) -> None:
        if printed.venue is not None or printed.session is TradingSession.DAY_MARKET:
            return  # a print elsewhere, or in the day market, is not the price at home
        if printed.symbol in self._quotes or len(self._quotes) < QUOTES_MAX:
            quote = Quote(symbol=printed.symbol, last=printed.price, base=printed.base, ts_ns=printed.ts_ns)
            self._quotes[printed.symbol] = quote
            for listener in self._price_listeners:
                listener(quote)


def _strange(told: Answer, to: str) -> Unknown:
    """An answer of another kind, or about another order: what became of the request is not known (F-17)."""
    text = f"an answer of kind {type(told).__name__} to {to} that is not about it; ask the broker"
    return Unknown(text=text, raw=as_text(told), crossed=True)
