"""Joins wire, client, stream and parsers into `ports.Broker`: orders reach KIS exactly once (S000-8 to 12).

KIS carries no id of ours. An order's outcome is known when its reply was read, and unknown after every other
end of a request that may have been written; the desk then asks the complete list (kis.md 6.4, 6.5).
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from typing import Final

import msgspec
import structlog

from jumun.brokers.kis.access import KisAccess, KisEnvironment
from jumun.brokers.kis.bodies import (
    KisPost,
    Standing,
    cancel_post,
    modify_post,
    plain_standing,
    standing_for,
    standing_of,
    submit_post,
)
from jumun.brokers.kis.budget import Lane
from jumun.brokers.kis.changes import Changes, Confirmed, NotConfirmed
from jumun.brokers.kis.client import KisClient
from jumun.brokers.kis.codes import IMMEDIATE_CODES, US_EXCHANGES
from jumun.brokers.kis.ends import Ends
from jumun.brokers.kis.inquiries import Held, Inquiries
from jumun.brokers.kis.kinds import KindRefused, kinds_of, sessions_of
from jumun.brokers.kis.notices import ChangeKind, Heard, hear
from jumun.brokers.kis.quotes import Quotes
from jumun.brokers.kis.replies import (
    KisTaken,
    outcome_of_cancel,
    outcome_of_change,
    outcome_of_submit,
)
from jumun.brokers.kis.stream import TRADES, KisStream
from jumun.brokers.kis.switches import DEFAULTS, KisSwitches
from jumun.model.errors import OpeningUnknown, UnreadableReply
from jumun.model.ids import AccountId, OrderId
from jumun.model.instruments import Instrument, InstrumentMaster, UnknownSymbol
from jumun.model.orders import BrokerRef
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
    OrderReport,
    Rejected,
    StreamGap,
    SubmitOutcome,
    SubmitRequest,
    ToldDay,
    Unknown,
    UnreadableNotice,
)
from jumun.ports.broker import BrokerTraits, SendPermit
from jumun.ports.outside import Clock, PriceListener, Quote
from jumun.ports.wire import AnswerLost, HttpReply, NothingSent, Wire

ANSWER_TIMEOUT_S: Final = 5.0
CONFIRM_TIMEOUT_S: Final = (
    3.0  # notices come within a second (kis.md 6.6); with the answer below the desk's 10 s
)
VISIBLE_AFTER_S: Final = 60  # how long a row can stay away is not published; KIS's own code waits 15 s
SETTLES_AFTER_S: Final = 600
STANDINGS_MAX: Final = 20_000  # orders of a day whose kind, route and cancel are remembered
LOCAL: Final = "refused here; nothing was sent"
POLL_S: Final = {KisEnvironment.LIVE: 3.0, KisEnvironment.PAPER: 15.0}
SENDS_AT_ONCE: Final = {KisEnvironment.LIVE: 10, KisEnvironment.PAPER: 2}
NS: Final = 1_000_000_000

log = structlog.get_logger()


def kis_traits(
    environment: KisEnvironment,
    today: date,
    switches: KisSwitches = DEFAULTS,
    *,
    name: str = "kis",
    world: str = "",
    visible_after_s: int = VISIBLE_AFTER_S,
    polls: bool = False,
) -> BrokerTraits:
    """Return what is true of KIS. `world` is jumun's environment; empty for that of KIS."""
    return BrokerTraits(
        name=name,
        environment=world or environment.value,
        carries_reference=False,
        visible_after_ns=visible_after_s * NS,
        settles_after_ns=SETTLES_AFTER_S * NS,
        kinds=kinds_of(environment, switches),
        modifies=True,
        sessions=sessions_of(environment, today),
        poll_s=POLL_S[environment] if polls else 0.0,
        sends_at_once=SENDS_AT_ONCE[environment],
    )


class KISBrokerClient:
    """ports.Broker and ports.PriceFeed for the accounts of one app key."""

    def __init__(
        self,
        access: KisAccess,
        traits: BrokerTraits,
        wire: Wire,
        client: KisClient,
        stream: KisStream | None,
        inquiries: Inquiries,
        quotes: Quotes,
        instruments: InstrumentMaster,
        clock: Clock,
        switches: KisSwitches = DEFAULTS,
        *,
        sor: bool = False,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
        confirm_timeout_s: float = CONFIRM_TIMEOUT_S,
    ) -> None:
        """Without a `stream` fills are found by asking (KIS_NOTICES=poll). `sor`: KIS_ROUTE=sor."""
        self._access = access
        self._traits = traits
        self._wire = wire
        self._client = client
        self._stream = stream
        self._inquiries = inquiries
        self._quotes = quotes
        self._instruments = instruments
        self._clock = clock
        self._switches = switches
        self._sor = sor
        self._answer_timeout_s = answer_timeout_s
        self._confirm_timeout_s = confirm_timeout_s
        self._changes = Changes()
        self._ends = Ends(traits.visible_after_ns)
        self._standings: dict[tuple[AccountId, BrokerRef], Standing] = {}
        self._given: dict[tuple[AccountId, BrokerRef], OrderId] = {}  # by answers, not by lists
        self._ours = {account.cano + account.product: account.account_id for account in access.accounts}
        self._cancels: dict[tuple[AccountId, BrokerRef], None] = {}  # written once at least
        self._closed = asyncio.Event()
        self._sessions_told = 1

    @property
    def traits(self) -> BrokerTraits:
        """What is true of this broker; while its stream is quiet, working orders are asked for (F-25)."""
        if self._stream is not None and self._stream.is_quiet:
            return msgspec.structs.replace(self._traits, poll_s=POLL_S[self._access.environment])
        return self._traits

    # ---- the link -----------------------------------------------------------------------------

    async def connect(self) -> None:
        """Log in and register the notices; raises BrokerUnavailable. Safe to call again."""
        self._closed.clear()
        await self._client.log_in()
        if self._stream is not None:
            await self._stream.open()
        self._quotes.start()

    async def close(self) -> None:
        """End the notices; requests in flight have connections of their own and go on to their answers."""
        self._closed.set()
        await self._quotes.stop()
        if self._stream is not None:
            await self._stream.close()

    async def leave(self) -> None:
        """Close for good, at the end of the process."""
        await self.close()
        await self._wire.close()

    async def ping(self) -> None:
        """Prove that the notices still arrive. Without a stream every study proves what there is to prove."""
        if self._stream is not None:
            await self._stream.ping()

    # ---- requests -----------------------------------------------------------------------------

    async def submit(self, request: SubmitRequest, permit: SendPermit) -> SubmitOutcome:
        """Send once; see ports.Broker.submit."""
        try:
            instrument = self._instruments.get(request.symbol)
        except UnknownSymbol as error:
            return Rejected(code=error.reason.value, text=str(error), raw=LOCAL)
        post = submit_post(
            request,
            instrument,
            self._access.account(request.account_id),
            self._access.environment,
            date.fromisoformat(request.trade_date),
            self._switches,
            sor=self._sor,
        )
        if isinstance(post, KindRefused):
            return Rejected(code=post.reason.value, text=post.text, raw=LOCAL)
        tag = f"{request.order_id}/{request.attempt}"
        told = await self._post(Lane.SEND, post, permit, tag)
        if isinstance(told, NotSent | Unknown):
            return told
        outcome = outcome_of_submit(told, request, post)
        if not isinstance(outcome, Accepted):
            return outcome
        holder = self._given_to(request, outcome.ref)
        if holder != request.order_id:
            text = f"the answer gives it the number {outcome.ref.number}, which {holder} was given"
            return Unknown(text=text, raw=outcome.raw, crossed=True)
        self._remember(request.account_id, outcome.ref, standing_of(post))
        return outcome

    async def cancel(self, request: CancelRequest) -> CancelOutcome:
        """Ask to cancel all that is left; its proof comes by notice or in the list."""
        standing = self._standing(request)
        account = self._access.account(request.account_id)
        post = cancel_post(request, account, self._access.environment, standing, self._switches)
        if isinstance(post, KindRefused):
            return CancelRefused(code=post.reason.value, text=post.text, raw=LOCAL)
        self._changes.ends(request.account_id, request.ref)
        lane, permit = self._cancel_turn(request)
        told = await self._post(lane, post, permit, request.order_id)
        answer = told if isinstance(told, NotSent | Unknown) else outcome_of_cancel(told, request, post)
        if isinstance(answer, NotSent | CancelRefused):
            self._changes.stays(request.account_id, request.ref)
        return CancelAccepted(raw=answer.raw) if isinstance(answer, KisTaken) else answer

    async def modify(self, request: ModifyRequest, permit: SendPermit) -> ModifyOutcome:
        """Ask once to change a working order; accepted only when the exchange has said so."""
        standing = self._standing(request)
        account = self._access.account(request.account_id)
        post = modify_post(request, account, self._access.environment, standing, self._switches)
        if isinstance(post, KindRefused):
            return ModifyRefused(code=post.reason.value, text=post.text, raw=LOCAL)
        kind = ChangeKind.CANCEL if post.keeps_number else ChangeKind.REVISE
        cut = request.qty_left_before - request.qty_left if post.keeps_number else None
        with self._changes.waiting(request.account_id, request.ref, kind, cut) as word:
            told = await self._post(Lane.SEND, post, permit, request.order_id)
            if isinstance(told, NotSent | Unknown):
                return told
            taken = outcome_of_change(told, request, post)
            if not isinstance(taken, KisTaken):
                return taken
            try:
                async with asyncio.timeout(self._confirm_timeout_s):
                    confirmed = await word
            except TimeoutError:
                text = f"KIS took it as {taken.ref.number}, and the exchange has not said yes"
                return Unknown(text=text, raw=taken.raw)
        match confirmed:
            case Confirmed(ref=ref, raw=raw):
                self._remember(request.account_id, ref, standing)
                return ModifyAccepted(ref=ref, raw=raw)
            case NotConfirmed(text=text, raw=raw):
                return ModifyRefused(code="REFUSED_BY_EXCHANGE", text=text, raw=raw)

    async def _post(
        self, lane: Lane, post: KisPost, permit: SendPermit, tag: str
    ) -> HttpReply | NotSent | Unknown:
        try:
            return await self._client.post(
                lane, post.path, post.tr_id, post.body, permit, tag=tag, timeout_s=self._answer_timeout_s
            )
        except NothingSent as error:
            return NotSent(text=str(error))
        except AnswerLost as error:
            return Unknown(text=str(error))
        except UnreadableReply as error:
            return Unknown(text=str(error), raw=error.raw)

    # ---- questions ----------------------------------------------------------------------------

    async def history(self, account_id: AccountId, trade_date: str) -> OrderHistory:
        """Return every order of that day, complete; raises BrokerUnavailable when any page fails (I-39)."""

        def daytime_of(ref: BrokerRef) -> bool | None:
            known = self._standings.get((account_id, ref))
            return None if known is None else known.daytime

        listed = await self._inquiries.history(self._access.account(account_id), trade_date, daytime_of)
        for ref, standing in listed.standings.items():
            self._remember_listed(account_id, ref, standing)
        return self._ends.judged(listed.history, self._is_explained)

    def _is_explained(self, report: OrderReport) -> bool:
        """A cancel ended it, or it is of a kind that never rests: nobody revised it by hand."""
        standing = self._standings.get((report.account_id, report.ref))
        is_immediate = standing is not None and standing.code in IMMEDIATE_CODES
        return is_immediate or self._changes.explains(report)

    async def balance(self, account_id: AccountId) -> Balance:
        """Return all holdings and cash, complete; raises BrokerUnavailable otherwise."""
        return await self._inquiries.balance(self._access.account(account_id))

    @property
    def tells_days(self) -> bool:
        """Whether it can be asked for trading days: KIS's paper service cannot."""
        return self._access.environment is KisEnvironment.LIVE

    async def trading_days(self, first: date) -> tuple[ToldDay, ...]:
        """Return KRX's days from `first` on (ports.DaySource); raises BrokerUnavailable."""
        return await self._inquiries.trading_days(first)

    async def opening(self, account_id: AccountId) -> Held:
        """Return what an account holds at its first start; raises OpeningUnknown once it traded today."""
        account = self._access.account(account_id)
        for day in self._inquiries.days():
            listed = await self._inquiries.history(account, day)
            if any(order.qty_filled for order in listed.history.orders):
                raise OpeningUnknown(
                    f"{account_id} has traded on {day} already, and a first start would count that twice; "
                    "name an opening_file for it, or start before the next session"
                )
        return await self._inquiries.opening(account)

    # ---- notices ------------------------------------------------------------------------------

    async def reports(self) -> AsyncIterator[BrokerReport]:
        """Yield notices until closed; a session that is not the first begins with a gap."""
        if self._stream is None:
            await self._closed.wait()
            return
        if self._stream.sessions > self._sessions_told:
            self._sessions_told = self._stream.sessions
            yield StreamGap(text="a new session with KIS was begun")
        async for frame in self._stream.read():
            if isinstance(frame, UnreadableNotice):
                yield frame
            elif frame.tr_id == TRADES:
                self._quotes.hear(frame)
            else:
                heard = hear(
                    frame,
                    self._stream.keys.get(frame.tr_id),
                    self._clock.now_ns(),
                    self._ours,
                    self._known,
                    day_market=self._inquiries.day_market_date,
                )
                for report in self._of(heard):
                    yield report

    def _of(self, heard: Heard) -> list[BrokerReport]:
        told = (self._changes.hear(report) for report in heard.reports)
        return [report for report in told if report is not None]

    def quote(self, symbol: str) -> Quote | None:
        """Return the newest known price (ports.Prices)."""
        return self._quotes.quote(symbol)

    def on_price(self, listener: PriceListener) -> None:
        """Call `listener` with every new quote, in order (ports.PriceFeed)."""
        self._quotes.on_price(listener)

    # ---- what is remembered -------------------------------------------------------------------

    def _remember(self, account_id: AccountId, ref: BrokerRef, standing: Standing) -> None:
        """A change must repeat kind and route; a history tells them again after a restart."""
        self._standings[account_id, ref] = standing
        while len(self._standings) > STANDINGS_MAX:
            self._standings.pop(next(iter(self._standings)))

    def _remember_listed(self, account_id: AccountId, ref: BrokerRef, standing: Standing) -> None:
        """A list of US orders tells neither kind nor session: it never overrules what we sent (I-47)."""
        if standing.route not in US_EXCHANGES or (account_id, ref) not in self._standings:
            self._remember(account_id, ref, standing)

    def _given_to(self, request: SubmitRequest, ref: BrokerRef) -> OrderId:
        """Whose number it is: an answer with a number that another order was given is not ours (F-17)."""
        holder = self._given.setdefault((request.account_id, ref), request.order_id)
        while len(self._given) > STANDINGS_MAX:
            self._given.pop(next(iter(self._given)))
        return holder

    def _cancel_turn(self, request: CancelRequest) -> tuple[Lane, SendPermit]:
        """The first cancel of a number goes before everything until it is written; only then is it repeated.

        A cancel needs no permission (I-47): the permit only notes the first byte.
        """
        key = (request.account_id, request.ref)

        def written() -> bool:
            self._cancels[key] = None
            while len(self._cancels) > STANDINGS_MAX:
                self._cancels.pop(next(iter(self._cancels)))
            return True

        return (Lane.REPEATED_CANCEL if key in self._cancels else Lane.CANCEL), written

    def _standing(self, request: CancelRequest | ModifyRequest) -> Standing:
        known = self._standings.get((request.account_id, request.ref))
        if known is None:
            instrument = self._known(request.symbol)
            known = plain_standing(request.venue, "" if instrument is None else instrument.exchange)
        return standing_for(known, request.session)

    def _known(self, symbol: str) -> Instrument | None:
        return self._instruments.get(symbol) if symbol in self._instruments else None
