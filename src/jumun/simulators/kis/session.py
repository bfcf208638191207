"""One WebSocket session of KIS as values: texts in, texts out, no I/O (kis.md 5.1 to 5.9).

A session belongs to the app key of the first approval key it registers with. Notices reach every session
whose customer owns the account; prices reach who registered the issue.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from random import Random
from typing import Final

import msgspec

from jumun.exchange.market import Market
from jumun.model.errors import BadInput
from jumun.model.instruments import Venue
from jumun.simulators.kis import frames
from jumun.simulators.kis.cipher import StreamCipher
from jumun.simulators.kis.customers import Customer
from jumun.simulators.kis.figures import NS, ZERO, hms, korean, ymd
from jumun.simulators.kis.frames import SEPARATOR, fields_of, streams
from jumun.simulators.kis.house import KisHouse
from jumun.simulators.kis.notices import Notice, domestic_values, overseas_values
from jumun.simulators.kis.price_rows import (
    book_values,
    overseas_trade_values,
    state_values,
    stream_keys,
    trade_values,
)
from jumun.simulators.kis.stream_switches import StreamSwitches
from jumun.simulators.kis.tape import BookMoved, News, Print, StateChanged, Tape

DOMESTIC_NOTICES: Final = {"real": "H0STCNI0", "paper": "H0STCNI9"}
OVERSEAS_NOTICES: Final = {"real": "H0GSCNI0", "paper": "H0GSCNI9"}
NOTICES: Final = frozenset({*DOMESTIC_NOTICES.values(), *OVERSEAS_NOTICES.values()})
TRADES: Final = {"KRX": "H0STCNT0", "NXT": "H0NXCNT0", "UN": "H0UNCNT0", "US": "HDFSCNT0"}
BOOKS: Final = {"KRX": "H0STASP0", "NXT": "H0NXASP0", "UN": "H0UNASP0"}
STATES: Final = {"KRX": "H0STMKO0", "NXT": "H0NXMKO0", "UN": "H0UNMKO0"}
OVERSEAS_PRICES: Final = frozenset({"HDFSCNT0", "HDFSASP0"})
REGISTER, UNREGISTER = "1", "2"
CUSTTYPES: Final = frozenset({"P", "B"})
OTHER_LAYOUT: Final = {26: 23, 23: 26, 25: 21, 21: 25, 46: 47, 47: 46}
GARBLED_FIELDS: Final = 5  # how many a garbled notice keeps

Judge = Callable[[str, str], str]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A registration or its end, as a client sent it."""

    tr_type: str
    tr_id: str
    tr_key: str
    approval_key: str

    def __repr__(self) -> str:
        return f"Asked({self.tr_type}, {self.tr_id}, {self.tr_key})"  # without the approval key


class BadFrame(BadInput):
    """A frame that is no registration: the ack code that says why."""

    def __init__(self, code: str, tr_id: str = "", tr_key: str = "") -> None:
        super().__init__(code)
        self.ack = code
        self.tr_id = tr_id
        self.tr_key = tr_key


class Seats:
    """Which sessions occupy an app key; an ended one does for `release_s` more."""

    def __init__(self) -> None:
        self._taken: dict[str, dict[int, int | None]] = {}  # app key, session, until when (None: it lives)

    def take(self, app_key: str, session: int, most: int, now_ns: int) -> bool:
        """Occupy the app key; False while as many others do (OPSP8996)."""
        mine = self._taken.setdefault(app_key, {})
        for other, until_ns in list(mine.items()):
            if until_ns is not None and now_ns >= until_ns:
                del mine[other]
        if session not in mine and len(mine) >= most:
            return False
        mine[session] = None
        return True

    def leave(self, app_key: str, session: int, until_ns: int) -> None:
        """Give the app key back at `until_ns`."""
        self._taken[app_key][session] = until_ns

    def holders(self, app_key: str) -> int:
        """Return how many sessions occupy an app key, ended ones that still do included."""
        return len(self._taken.get(app_key, ()))


class KisSession:
    """One session. `is_over` once it is dropped or closed: then it says nothing more."""

    def __init__(
        self,
        house: KisHouse,
        switches: StreamSwitches,
        random: Random,
        *,
        seats: Seats | None = None,
        tape: Tape | None = None,
        judge: Judge | None = None,
        number: int = 1,
        now_ns: int = 0,
    ) -> None:
        """`judge` may refuse a registration by TR and key with an ack code; `number` names it to `seats`."""
        self._house = house
        self._market: Market = house.market
        self._switches = switches
        self._random = random
        self._seats = Seats() if seats is None else seats
        self._tape = Tape(house.market) if tape is None else tape
        self._judge = judge
        self.number = number
        self.customer: Customer | None = None
        self.is_over = False
        self._ciphers: dict[str, StreamCipher] = {}
        self._registered: dict[tuple[str, str], str] = {}  # TR and key: the issue, empty for notices
        self._unanswered = 0
        self._ping_ns = now_ns + switches.pingpong_s * NS

    @property
    def registrations(self) -> tuple[tuple[str, str], ...]:
        """TR ids with their keys, in the order of registration."""
        return tuple(self._registered)

    # ---- the client speaks ---------------------------------------------------------------------------------

    def hear(self, text: str, now_ns: int) -> list[str]:
        """Return the answers to one frame of the client; every frame is a sign of life."""
        if self.is_over:
            return []
        self._unanswered = 0
        try:
            asked = parse(text, zero_ends=self._switches.unregisters_with_0)
        except BadFrame as bad:
            return [self._ack(bad.tr_id, bad.tr_key, bad.ack)]
        if asked is None:
            return []
        code = self._end(asked) if asked.tr_type == UNREGISTER else self._begin(asked, now_ns)
        return [self._ack(asked.tr_id, asked.tr_key, code)]

    def pong(self) -> None:
        """Count a WebSocket pong as a sign of life: the official client answers with one (kis.md 5.3)."""
        self._unanswered = 0

    def close(self, now_ns: int) -> None:
        """End the session and give its app key back; safe to call again."""
        if self.customer is not None and not self.is_over:
            self._seats.leave(self.customer.app_key, self.number, now_ns + self._switches.release_s * NS)
        self.is_over = True

    # ---- the house speaks ----------------------------------------------------------------------------------

    def tick(self, now_ns: int) -> list[str]:
        """Return the sign of life that is due; after too many unanswered ones the session is over (F-33)."""
        if self.is_over or not self._switches.pingpong_s or now_ns < self._ping_ns:
            return []
        if self._unanswered >= self._switches.pingpong_misses:
            self.close(now_ns)
            return []
        self._unanswered += 1
        self._ping_ns = now_ns + self._switches.pingpong_s * NS
        at = korean(now_ns)
        return [frames.pingpong(ymd(at.date()) + hms(at))]

    def takes(self, notice: Notice) -> bool:
        """Whether this session is told of the notice."""
        customer = self.customer
        if self.is_over or customer is None or notice.account_id not in customer.accounts:
            return False
        return (_notice_tr(notice, customer), customer.hts_id) in self._registered

    def tell(self, news: Iterable[Notice | News], struck: tuple[str, ...] = ()) -> list[str]:
        """Return the frames for news, in order; `struck` names faults that spoil what they say."""
        told: list[str] = []
        rows: list[tuple[str, str]] = []
        for item in news:
            if isinstance(item, Notice):
                if self.takes(item):
                    told.append(self._notice(item, struck))
            elif not self.is_over:
                rows += self._rows(item, struck)
        return told + list(self._framed(rows))

    # ---- registering ---------------------------------------------------------------------------------------

    def _begin(self, asked: Asked, now_ns: int) -> str:
        refused = self._judge(asked.tr_id, asked.tr_key) if self._judge is not None else ""
        if refused:
            return refused
        customer = self._house.approve(asked.approval_key, now_ns)
        if customer is None:
            return "OPSP0011"
        if self.customer is not None and customer.app_key != self.customer.app_key:
            return "OPSP0010"
        if not self._seats.take(customer.app_key, self.number, self._switches.sessions_per_key, now_ns):
            return frames.IN_USE
        self.customer = customer
        symbol = self._symbol_of(asked, customer)
        if symbol is None:
            return "OPSP8992" if self._offers(asked.tr_id, customer) else "OPSP8991"
        key = (asked.tr_id, asked.tr_key)
        if key in self._registered:
            return "OPSP0002"
        if len(self._registered) >= self._switches.registrations:
            return "OPSP0008"
        self._registered[key] = symbol
        return "OPSP0000"

    def _end(self, asked: Asked) -> str:
        known = self._registered.pop((asked.tr_id, asked.tr_key), None)
        return "OPSP0003" if known is None else "OPSP0001"

    def _offers(self, tr_id: str, customer: Customer) -> bool:
        """Whether the environment has the stream: each its own notices, paper no NXT or UN (kis.md 7.3)."""
        if tr_id in NOTICES:
            return tr_id.endswith("9") is (customer.environment == "paper")
        return customer.environment == "real" or not tr_id.startswith(("H0UN", "H0NX"))

    def _symbol_of(self, asked: Asked, customer: Customer) -> str | None:
        """Return the issue a key means, empty for the customer's own HTS id; None where it means nothing."""
        if not self._offers(asked.tr_id, customer):
            return None
        if asked.tr_id in NOTICES:
            return "" if asked.tr_key == customer.hts_id else None
        overseas = asked.tr_id in OVERSEAS_PRICES
        for instrument in self._market.master:
            if (instrument.venue is Venue.US) is overseas and asked.tr_key in stream_keys(instrument):
                return instrument.symbol
        return None

    def _ack(self, tr_id: str, tr_key: str, code: str) -> str:
        is_notice = tr_id in NOTICES
        cipher = None
        if code == "OPSP0000" and (is_notice or self._switches.keys_on_every_ack):
            cipher = self._cipher(tr_id)
        encrypt = self._switches.encrypt if is_notice else "N"
        return frames.ack(tr_id, tr_key, code, encrypt=encrypt, cipher=cipher)

    def _cipher(self, tr_id: str) -> StreamCipher:
        name = tr_id if self._switches.keys == "tr" else ""
        if name not in self._ciphers:
            self._ciphers[name] = StreamCipher.drawn(self._random)
        return self._ciphers[name]

    # ---- laying out ----------------------------------------------------------------------------------------

    def _notice(self, notice: Notice, struck: tuple[str, ...]) -> str:
        assert self.customer is not None, "a notice for nobody"
        tr_id, hts_id = _notice_tr(notice, self.customer), self.customer.hts_id
        count: int = self._switches.notice_layout
        if notice.venue is Venue.US:
            count = self._switches.overseas_layout
            values = overseas_values(notice, hts_id)
        else:
            zero = self._switches.zero_kind_on_fills
            values = domestic_values(notice, hts_id, zero_kind_on_fills=zero)
        laid = OTHER_LAYOUT[count] if "notice_layout" in struck else count
        text = frames.row(fields_of(tr_id, laid), values)
        if "notice_garbled" in struck:
            text = SEPARATOR.join(text.split(SEPARATOR)[:GARBLED_FIELDS])
        cipher = self._cipher(tr_id)
        if "notice_undecryptable" in struck:
            cipher = StreamCipher(cipher.key[::-1], cipher.iv)
        return frames.sealed(tr_id, text, cipher)

    def _rows(self, item: News, struck: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        match item:
            case Print():
                yield from self._trade(item, struck)
            case BookMoved():
                yield from self._book(item)
            case StateChanged():
                yield from self._state(item)

    def _trade(self, item: Print, struck: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        tr_id = TRADES[item.place]
        for (registered, key), symbol in self._registered.items():
            if registered != tr_id or symbol != item.symbol:
                continue
            if item.place == "US":
                values, count = overseas_trade_values(item, self._market, key), len(streams()[tr_id].fields)
            else:
                values, count = trade_values(item, self._market), self._switches.trade_layout
                count = OTHER_LAYOUT[count] if "trade_layout" in struck else count
            yield tr_id, frames.row(fields_of(tr_id, count), values)

    def _book(self, item: BookMoved) -> Iterator[tuple[str, str]]:
        for place in (item.venue.value, "UN"):
            tr_id = BOOKS.get(place)
            if tr_id is None or (tr_id, item.symbol) not in self._registered:
                continue
            day = self._tape.day_of(item.symbol, place)
            values = book_values(self._market, item.symbol, place, item.ts_ns, day[3] if day else ZERO)
            count = self._switches.book_layout if place == "KRX" else len(streams()[tr_id].fields)
            yield tr_id, frames.row(fields_of(tr_id, count), values)

    def _state(self, item: StateChanged) -> Iterator[tuple[str, str]]:
        for place in (item.venue.value, "UN"):
            tr_id = STATES.get(place)
            for (registered, _), symbol in self._registered.items():
                if tr_id is not None and registered == tr_id and item.symbol in ("", symbol):
                    fields = streams()[tr_id].fields
                    yield tr_id, frames.row(fields, state_values(item, symbol, place))

    def _framed(self, rows: list[tuple[str, str]]) -> Iterator[str]:
        most = self._switches.records_per_frame
        for tr_id, group in groupby(rows, key=lambda row: row[0]):
            texts = [text for _, text in group]
            for start in range(0, len(texts), most):
                yield frames.plain(tr_id, texts[start : start + most])


def parse(text: str, *, zero_ends: bool = False) -> Asked | None:
    """Return what a client's frame asks; None for an answer to PINGPONG. Raises BadFrame with an ack code."""
    try:
        said = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise BadFrame("OPSP9999") from error
    header = said.get("header") if isinstance(said, dict) else None
    if not isinstance(header, dict):
        raise BadFrame("OPSP9998")
    if header.get("tr_id") == frames.PINGPONG:
        return None
    body = said.get("body")
    if not isinstance(body, dict):
        raise BadFrame("OPSP9992")
    asked = body.get("input")
    if not isinstance(asked, dict):
        raise BadFrame("OPSP9991")
    tr_id, tr_key = _text(asked, "tr_id"), _text(asked, "tr_key")
    code = _fault_of(header, tr_id, tr_key, zero_ends=zero_ends)
    if code:
        raise BadFrame(code, tr_id, tr_key)
    tr_type = UNREGISTER if _text(header, "tr_type") != REGISTER else REGISTER
    return Asked(tr_type=tr_type, tr_id=tr_id, tr_key=tr_key, approval_key=_text(header, "approval_key"))


def _fault_of(header: dict[str, object], tr_id: str, tr_key: str, *, zero_ends: bool) -> str:
    custtype, tr_type = _text(header, "custtype"), _text(header, "tr_type")
    if not custtype:
        return "OPSP9997"
    if custtype not in CUSTTYPES:
        return "OPSP8998"
    if tr_type not in (REGISTER, UNREGISTER) and not (zero_ends and tr_type == "0"):
        return "OPSP8997"
    if tr_id not in streams():
        return "OPSP8991"
    return "" if tr_key else "OPSP9990"


def _text(said: dict[str, object], name: str) -> str:
    value = said.get(name)
    return value if isinstance(value, str) else ""


def _notice_tr(notice: Notice, customer: Customer) -> str:
    table = OVERSEAS_NOTICES if notice.venue is Venue.US else DOMESTIC_NOTICES
    return table[customer.environment]
