"""Prices of what we trade: asked for at the start and now and then, and heard from the trade stream between.

Orders are checked against these: the base price decides the day's limits, so a symbol whose price was never
told has none, and its orders are refused with that reason (I-53).
"""

import asyncio
from decimal import Decimal
from typing import Final

import structlog

from jumun.brokers.kis.access import KisAccess
from jumun.brokers.kis.client import KisClient
from jumun.brokers.kis.codes import ENDPOINTS, EXCHANGES, QUOTE_MARKETS, Function, tr_id
from jumun.brokers.kis.frames import DataFrame
from jumun.brokers.kis.prices import KisPrice, limits_dispute, price_of, us_price_of
from jumun.brokers.kis.replies import Envelope
from jumun.model.errors import BrokerUnavailable, UnreadableReply
from jumun.model.instruments import Instrument, InstrumentMaster, Venue
from jumun.ports.outside import Clock, PriceListener, Quote
from jumun.rules.sessions import local_date

REFRESH_S: Final = 60.0  # base prices change at most once a day; the last one comes by the stream meanwhile
TRADE_FIELDS: Final = (46, 47)  # of H0STCNT0, before and since 2026-09-14 (kis.md 5.6)
SYMBOL_AT, PRICE_AT = 0, 2

log = structlog.get_logger()


class Quotes:
    """One task asks, symbol after symbol, in the lane of queries."""

    def __init__(
        self,
        access: KisAccess,
        client: KisClient,
        clock: Clock,
        instruments: InstrumentMaster,
        *,
        refresh_s: float = REFRESH_S,
        limits_agree: bool = True,
    ) -> None:
        """`limits_agree`: a symbol whose limits KIS tells otherwise than our tables has no base (F-98)."""
        self._access = access
        self._client = client
        self._clock = clock
        self._instruments = instruments
        self._refresh_s = refresh_s
        self._limits_agree = limits_agree
        self._disputed: dict[str, str] = {}  # by symbol; why its orders are refused
        self._quotes: dict[str, Quote] = {}
        self._listeners: list[PriceListener] = []
        self._task: asyncio.Task[None] | None = None

    def quote(self, symbol: str) -> Quote | None:
        """Return the newest known price."""
        return self._quotes.get(symbol)

    def on_price(self, listener: PriceListener) -> None:
        """Call `listener` with every new quote, in order."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Begin to ask; safe to call again."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(), name="kis-prices")

    async def stop(self) -> None:
        """Stop asking; what is known stays."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def learn(self) -> None:
        """Ask once for every symbol; one that is not told keeps what is known of it."""
        for instrument in self._instruments:
            try:
                self._take(await self._ask(instrument), instrument)
            except (BrokerUnavailable, UnreadableReply) as error:
                log.warning("kis_price_unknown", symbol=instrument.symbol, error=str(error))

    def hear(self, frame: DataFrame) -> None:
        """Take in trades of the stream. A frame of another layout is left out: prices are asked for too."""
        values = frame.payload.split("^")
        for count in TRADE_FIELDS:
            if len(values) == frame.count * count:
                for first in range(0, len(values), count):
                    self._traded(values[first + SYMBOL_AT], values[first + PRICE_AT])
                return
        log.warning("kis_trades_unreadable", values=len(values), records=frame.count)

    async def _run(self) -> None:
        while True:
            await self.learn()
            await self._clock.sleep(self._refresh_s)

    async def _ask(self, instrument: Instrument) -> KisPrice:
        symbol = instrument.symbol
        if instrument.venue is Venue.US:
            exchange = EXCHANGES[instrument.exchange]
            params = {"AUTH": "", "EXCD": exchange.quote, "SYMB": symbol}
            return us_price_of(await self._get(Function.US_PRICE, params), symbol)
        params = {"FID_COND_MRKT_DIV_CODE": QUOTE_MARKETS[Venue.KRX], "FID_INPUT_ISCD": symbol}
        return price_of(await self._get(Function.PRICE, params), symbol)

    async def _get(self, function: Function, params: dict[str, str]) -> Envelope:
        return await self._client.get(
            ENDPOINTS[function].path, tr_id(function, self._access.environment), params
        )

    def _traded(self, symbol: str, price: str) -> None:
        known = self._quotes.get(symbol)
        if known is None or not price.isascii() or not price.isdigit() or not int(price):
            return  # without a base price there is nothing to check an order against
        self._tell(Quote(symbol=symbol, last=Decimal(price), base=known.base, ts_ns=self._clock.now_ns()))

    def _take(self, price: KisPrice, instrument: Instrument) -> None:
        known = self._quotes.get(price.symbol)
        last = price.last if price.last is not None else (None if known is None else known.last)
        now_ns = self._clock.now_ns()
        base = None if self._is_disputed(price, instrument, now_ns) else price.base
        self._tell(Quote(symbol=price.symbol, last=last, base=base, ts_ns=now_ns))

    def _is_disputed(self, price: KisPrice, instrument: Instrument, now_ns: int) -> bool:
        """Whether its limits are in doubt; said once, and again when it changes."""
        if not self._limits_agree or instrument.venue is Venue.US:
            return False
        why = limits_dispute(price, instrument, local_date(Venue.KRX, now_ns))
        if why and why != self._disputed.get(price.symbol):
            log.error(
                "kis_limits_disputed",
                symbol=price.symbol,
                why=why,
                next_step="its orders are refused (NO_BASE_PRICE) until both agree: look at its market, "
                "product and multiple in our list, and at the tables of rules/ticks.py and rules/bands.py",
            )
        if why:
            self._disputed[price.symbol] = why
        elif self._disputed.pop(price.symbol, ""):
            log.info("kis_limits_agree", symbol=price.symbol)
        return bool(why)

    def _tell(self, quote: Quote) -> None:
        self._quotes[quote.symbol] = quote
        for listener in self._listeners:
            listener(quote)
