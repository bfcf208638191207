"""The questions that reconciliation asks KIS: the orders of a day over every page and venue, and balances.

Whole or not at all: a page that fails or contradicts another makes the answer BrokerUnavailable (I-39, F-36).
"""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from jumun.brokers.kis.access import KisAccess, KisAccount, KisEnvironment
from jumun.brokers.kis.bodies import Standing
from jumun.brokers.kis.client import KisClient
from jumun.brokers.kis.codes import ALL_ROUTES, ANY, ENDPOINTS, US_EXCHANGES, Function, tr_id
from jumun.brokers.kis.fields import ZERO, Fields
from jumun.brokers.kis.holdings import domestic_balance, joined, us_cash, us_holdings
from jumun.brokers.kis.prices import told_days
from jumun.brokers.kis.replies import Envelope, record_in, rows_in
from jumun.brokers.kis.rows import orders_of_domestic, require_totals, standing_in
from jumun.brokers.kis.switches import DEFAULTS, KisSwitches
from jumun.brokers.kis.us_rows import DaytimeOf, daytime_rows, orders_of_us, rows_of_us_day
from jumun.brokers.kis.verdicts import NOTHING_FOUND
from jumun.model.errors import BrokerUnavailable, UnreadableReply
from jumun.model.ids import AccountId
from jumun.model.instruments import Venue
from jumun.model.money import Currency, exact_sum
from jumun.model.orders import BrokerRef, TradingSession
from jumun.model.reports import Balance, OrderHistory, OrderReport, ToldDay
from jumun.ports.outside import Clock
from jumun.rules.sessions import NoCalendar, day_market_date, local_date, session_on
from jumun.rules.trading_days import Overrides

WHOLE_US: Final = "NASD"  # live: all US exchanges; on paper Nasdaq alone (kis.md 3.3.5)
PAPER_US: Final = tuple(sorted(US_EXCHANGES))
DOLLARS: Final = Currency.USD.value
LISTS_REMEMBERED: Final = 64  # days of accounts at a market
HOME_CONTINUATION: Final = {"CTX_AREA_FK100": "", "CTX_AREA_NK100": ""}
US_CONTINUATION: Final = {"CTX_AREA_FK200": "", "CTX_AREA_NK200": ""}


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A day's list, and how each of its orders stands, for changes of those that others sent."""

    history: OrderHistory
    standings: dict[BrokerRef, Standing]


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What an account opens with: shares and their whole cost by symbol, cash by currency."""

    shares: dict[str, tuple[Decimal, Decimal]]
    cash: dict[str, Decimal]


class Inquiries:
    """Asks for the markets that are traded: what is not, costs no calls."""

    def __init__(
        self,
        access: KisAccess,
        client: KisClient,
        clock: Clock,
        venues: frozenset[Venue],
        sessions: Overrides,
        switches: KisSwitches = DEFAULTS,
    ) -> None:
        self._access = access
        self._client = client
        self._clock = clock
        self._home = bool(venues & {Venue.KRX, Venue.NXT})
        self._us = Venue.US in venues
        self._sessions = sessions
        self._switches = switches
        self._rows_most: dict[tuple[AccountId, str, Function], int] = {}  # rows that a day's list has had

    async def history(
        self, account: KisAccount, trade_date: str, daytime_of: DaytimeOf = lambda _ref: None
    ) -> Listed:
        """Return every order of that trading day; raises BrokerUnavailable.

        `daytime_of`: what is known already of the session of a US order, which its list does not tell.
        """
        asked_ns, day = self._clock.now_ns(), date.fromisoformat(trade_date)
        orders: list[OrderReport] = []
        standings: dict[BrokerRef, Standing] = {}
        try:
            if self._home:
                rows = await self._home_rows(account, day)
                found = orders_of_domestic(
                    rows,
                    account.account_id,
                    day,
                    over=self._is_over((Venue.KRX, Venue.NXT), day, asked_ns),
                    krx_closed=self._is_closed(day, asked_ns),
                    switches=self._switches,
                )
                self._require_grown((account.account_id, trade_date, Function.DAY_ORDERS), len(rows))
                orders += found
                standings |= self._standings(rows, found)
            if self._us:
                first = self._first_us_date(day)
                listed = await self._us_rows(account, first, day)
                rows = rows_of_us_day(listed, first, day, self._sessions)
                found = orders_of_us(
                    rows,
                    account.account_id,
                    day,
                    over=self._is_over((Venue.US,), day, asked_ns),
                    day_market_over=self._is_day_market_over(day, asked_ns),
                    sessions=self._sessions,
                    daytime_of=daytime_of,
                )
                self._require_grown((account.account_id, trade_date, Function.US_ORDERS), len(rows))
                orders += found
                standings |= _us_standings(rows, found, daytime_rows(rows, day, self._sessions, daytime_of))
        except UnreadableReply as error:
            raise BrokerUnavailable(f"the orders of {trade_date} cannot be read: {error}") from error
        history = OrderHistory(
            account_id=account.account_id, trade_date=trade_date, asked_ns=asked_ns, orders=tuple(orders)
        )
        return Listed(history=history, standings=standings)

    def days(self) -> tuple[str, ...]:
        """Today where each traded market is, and the date of a US day market that is under way."""
        venues = ((Venue.KRX,) if self._home else ()) + ((Venue.US,) if self._us else ())
        now_ns = self._clock.now_ns()
        days = [local_date(venue, now_ns) for venue in venues]
        if self._us:
            coming = day_market_date(now_ns, self._sessions)
            days += [] if coming is None else [coming]
        return tuple(dict.fromkeys(day.isoformat() for day in days))

    async def trading_days(self, first: date) -> tuple[ToldDay, ...]:
        """Return KRX's days from `first` on, one page of them; raises BrokerUnavailable, on paper NotOffered.

        KIS wants to be asked for this once a day (kis.md 3.2.4).
        """
        params = {"BASS_DT": f"{first:%Y%m%d}", "CTX_AREA_NK": "", "CTX_AREA_FK": ""}
        try:
            return told_days(await self._get(Function.HOLIDAYS, params), first)
        except UnreadableReply as error:
            raise BrokerUnavailable(f"the trading days cannot be read: {error}") from error

    async def balance(self, account: KisAccount) -> Balance:
        """Return all holdings and cash; raises BrokerUnavailable. Paper does not tell its dollars."""
        asked_ns = self._clock.now_ns()
        paper = self._access.environment is KisEnvironment.PAPER
        try:
            pages = await self._pages(Function.BALANCE, _balance_params(account))
            held, won = domestic_balance(pages, self._switches)
            cash = {Currency.KRW.value: won}
            groups = [held]
            for exchange in self._us_exchanges(paper=paper):
                pages = await self._pages(Function.US_BALANCE, _us_balance_params(account, exchange))
                groups.append(us_holdings(pages))
            if self._us and not paper:
                told = await self._get(Function.US_PRESENT_BALANCE, _present_params(account))
                cash[DOLLARS] = us_cash(told, self._switches)
            return Balance(
                account_id=account.account_id,
                asked_ns=asked_ns,
                holdings=joined(*groups),
                cash=cash,
                cash_untold=() if DOLLARS in cash else (DOLLARS,),
            )
        except UnreadableReply as error:
            raise BrokerUnavailable(f"the balance cannot be read: {error}") from error

    async def opening(self, account: KisAccount) -> Held:
        """Return what an account holds and what that cost; raises BrokerUnavailable."""
        paper = self._access.environment is KisEnvironment.PAPER
        try:
            costs = _costs(await self._pages(Function.BALANCE, _balance_params(account)), "pdno", "pchs_amt")
            for exchange in self._us_exchanges(paper=paper):
                pages = await self._pages(Function.US_BALANCE, _us_balance_params(account, exchange))
                costs |= _costs(pages, "ovrs_pdno", "frcr_pchs_amt1")
        except UnreadableReply as error:
            raise BrokerUnavailable(f"what the account holds cannot be read: {error}") from error
        balance = await self.balance(account)
        shares = {holding.symbol: (holding.qty, costs[holding.symbol]) for holding in balance.holdings}
        return Held(shares=shares, cash=balance.cash)

    def _us_exchanges(self, *, paper: bool) -> tuple[str, ...]:
        if not self._us:
            return ()
        return PAPER_US if paper else (WHOLE_US,)

    def _require_grown(self, which: tuple[AccountId, str, Function], count: int) -> None:
        """Refuse a list shorter than a readable one before it; raises UnreadableReply (I-39, F-35, F-41)."""
        most = self._rows_most.pop(which, 0)
        self._rows_most[which] = max(most, count)
        while len(self._rows_most) > LISTS_REMEMBERED:
            del self._rows_most[next(iter(self._rows_most))]
        if count < most and self._switches.rows_stay:
            raise UnreadableReply(f"a list of {most} rows has {count} now; it is asked for again", raw="")

    async def _home_rows(self, account: KisAccount, day: date) -> list[Fields]:
        """All rows of KRX and NXT, held against their totals; US lists have none (kis.md 3.3.4)."""
        pages = await self._pages(Function.DAY_ORDERS, self._day_params(account, day))
        rows = [row for page in pages for row in rows_in(page, "output1")]
        if "output2" in pages[0].body:
            require_totals(record_in(pages[0], "output2"), rows)
        else:
            self._require_marked(pages, "output1")
        return rows

    async def _us_rows(self, account: KisAccount, first: date, day: date) -> list[Fields]:
        """All rows of the US. Nothing but its mark tells an empty day from a list that lost its rows."""
        pages = await self._pages(Function.US_ORDERS, self._us_params(account, first, day), "output")
        self._require_marked(pages, "output")
        return [row for page in pages for row in rows_in(page, "output")]

    def _require_marked(self, pages: Sequence[Envelope], block: str) -> None:
        """Refuse a page without rows that does not say so; raises UnreadableReply (I-39, I-40, F-40)."""
        if not self._switches.empty_is_marked:
            return
        for number, page in enumerate(pages, 1):
            if page.msg_cd != NOTHING_FOUND and not rows_in(page, block):
                raise UnreadableReply(
                    f"page {number} has no rows and says {page.msg_cd or 'nothing'}, not {NOTHING_FOUND}; "
                    "it is asked for again, and if KIS always writes an empty day so, "
                    "set KIS_SWITCHES=empty_is_marked=false",
                    raw=page.raw,
                )

    async def _pages(
        self, function: Function, params: dict[str, str], block: str = "output1"
    ) -> Sequence[Envelope]:
        environment = self._access.environment
        return await self._client.pages(
            ENDPOINTS[function].path, tr_id(function, environment), params, rows=(block,)
        )

    async def _get(self, function: Function, params: dict[str, str]) -> Envelope:
        environment = self._access.environment
        return await self._client.get(ENDPOINTS[function].path, tr_id(function, environment), params)

    def _day_params(self, account: KisAccount, day: date) -> dict[str, str]:
        paper = self._access.environment is KisEnvironment.PAPER
        text = f"{day:%Y%m%d}"
        return _account(account) | {
            "INQR_STRT_DT": text,
            "INQR_END_DT": text,
            "SLL_BUY_DVSN_CD": ANY,
            "PDNO": "",
            "ORD_GNO_BRNO": "",
            "ODNO": "",
            "CCLD_DVSN": ANY,
            "INQR_DVSN": "01",  # oldest first: what is new comes on the last page, not into the middle
            "INQR_DVSN_1": "",
            "INQR_DVSN_3": ANY,
            "EXCG_ID_DVSN_CD": "KRX" if paper else ALL_ROUTES,
            **HOME_CONTINUATION,
        }

    def _first_us_date(self, day: date) -> date:
        """The list's dates are New York's; the day market, which is live only, begins the evening before."""
        paper = self._access.environment is KisEnvironment.PAPER
        return day if paper else day - timedelta(days=1)

    def _us_params(self, account: KisAccount, first: date, day: date) -> dict[str, str]:
        # Paper takes the unfiltered form alone (kis.md 3.3.4).
        paper = self._access.environment is KisEnvironment.PAPER
        return _account(account) | {
            "PDNO": "" if paper else "%",
            "ORD_STRT_DT": f"{first:%Y%m%d}",
            "ORD_END_DT": f"{day:%Y%m%d}",
            "SLL_BUY_DVSN": ANY,
            "CCLD_NCCS_DVSN": ANY,
            "OVRS_EXCG_CD": "" if paper else WHOLE_US,
            "SORT_SQN": "DS",
            "ORD_DT": "",
            "ORD_GNO_BRNO": "",
            "ODNO": "",
            **US_CONTINUATION,
        }

    def _is_over(self, venues: tuple[Venue, ...], day: date, asked_ns: int) -> bool:
        """Whether nothing of that day can fill any more; where nobody knows the hours, it still can."""
        try:
            plans = [session_on(venue, day, self._sessions) for venue in venues]
        except NoCalendar:
            return False
        return all(plan is None or asked_ns >= plan.last_ns for plan in plans)

    def _is_day_market_over(self, day: date, asked_ns: int) -> bool:
        """Whether the US day market of that date is over; where nobody knows the hours, it is not."""
        try:
            plan = session_on(Venue.US, day, self._sessions)
        except NoCalendar:
            return False
        return plan is None or asked_ns >= plan.end_ns(TradingSession.DAY_MARKET)

    def day_market_date(self, ts_ns: int) -> date | None:
        """The trade date of the US day market that `ts_ns` lies in, by this desk's calendar."""
        return day_market_date(ts_ns, self._sessions)

    def _is_closed(self, day: date, asked_ns: int) -> bool:
        """Whether KRX's regular session of that day is over; where nobody knows the hours, it is not."""
        try:
            plan = session_on(Venue.KRX, day, self._sessions)
        except NoCalendar:
            return False
        return plan is None or asked_ns >= plan.close_ns

    def _standings(self, rows: Sequence[Fields], found: Sequence[OrderReport]) -> dict[BrokerRef, Standing]:
        by_number = {(row.branch("ord_gno_brno"), row.order_number("odno")): row for row in rows}
        return {
            order.ref: standing_in(by_number[order.ref.branch, order.ref.number], self._switches)
            for order in found
        }


def _us_standings(
    rows: Sequence[Fields], orders: Sequence[OrderReport], daytime: Sequence[bool]
) -> dict[BrokerRef, Standing]:
    """These lists tell the exchange and not the kind: a limit order of the session of its time is assumed."""
    standings = {
        (row.branch("ord_gno_brno"), row.order_number("odno")): Standing(
            route=row.text("ovrs_excg_cd"), daytime=is_daytime
        )
        for row, is_daytime in zip(rows, daytime, strict=True)
    }
    return {order.ref: standings[order.ref.branch, order.ref.number] for order in orders}


def _costs(pages: Sequence[Envelope], symbol: str, cost: str) -> dict[str, Decimal]:
    """Add up what the lots of each symbol cost."""
    costs: dict[str, Decimal] = {}
    for row in (row for page in pages for row in rows_in(page, "output1")):
        name = row.symbol(symbol)
        costs[name] = exact_sum((costs.get(name, ZERO), row.signed(cost)))
    return costs


def _account(account: KisAccount) -> dict[str, str]:
    return {"CANO": account.cano, "ACNT_PRDT_CD": account.product}


def _balance_params(account: KisAccount) -> dict[str, str]:
    return _account(account) | {
        "AFHR_FLPR_YN": "N",
        "OFL_YN": "",
        "INQR_DVSN": "01",  # the 2026-09 text lists no other (part 8, 17)
        "UNPR_DVSN": "01",
        "FUND_STTL_ICLD_YN": "N",
        "FNCG_AMT_AUTO_RDPT_YN": "N",
        "PRCS_DVSN": "00",
        **HOME_CONTINUATION,
    }


def _us_balance_params(account: KisAccount, exchange: str) -> dict[str, str]:
    return _account(account) | {"OVRS_EXCG_CD": exchange, "TR_CRCY_CD": DOLLARS, **US_CONTINUATION}


def _present_params(account: KisAccount) -> dict[str, str]:
    return _account(account) | {
        "WCRC_FRCR_DVSN_CD": "02",
        "NATN_CD": "840",
        "TR_MKET_CD": "00",
        "INQR_DVSN_CD": "00",
    }
