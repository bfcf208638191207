"""All sessions of one simulated KIS: what happens is told to each, in order, through the weather.

No I/O: a frame leaves through the function a session was opened with, and late ones leave in `pass_time`.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count, groupby
from random import Random
from typing import Final

import msgspec

from jumun.exchange.records import MarketEvent
from jumun.simulators.kis.fates import NoticeFate
from jumun.simulators.kis.house import KisHouse
from jumun.simulators.kis.notices import Notice, NoticeDesk
from jumun.simulators.kis.requests import RequestTaken
from jumun.simulators.kis.session import DOMESTIC_NOTICES, OVERSEAS_NOTICES, TRADES, KisSession, Seats
from jumun.simulators.kis.stream_switches import StreamSwitches
from jumun.simulators.kis.tape import News, Print, Tape
from jumun.simulators.kis.weather import Weather

MS: Final = 1_000_000
LATE_MAX: Final = 100_000  # frames that wait for their time; a storm of minutes holds some thousands
Send = Callable[[str], None]
HangUp = Callable[[], None]


class Line:
    """One open session with its way out."""

    __slots__ = ("hang_up", "overtaken", "send", "session", "silent_until_ns")

    def __init__(self, session: KisSession, send: Send, hang_up: HangUp) -> None:
        self.session = session
        self.send = send
        self.hang_up = hang_up
        self.silent_until_ns = 0
        self.overtaken: list[tuple[int, str]] = []  # until when at most, and the frame that waits


class StreamState(msgspec.Struct, frozen=True, kw_only=True):
    """One session, for looking at."""

    number: int
    hts_id: str
    registrations: tuple[tuple[str, str], ...]
    silent: bool


class KisStreams:
    """Opens sessions and tells them. Hears the market and the house from its making on."""

    def __init__(self, house: KisHouse, switches: StreamSwitches, random: Random, weather: Weather) -> None:
        self.switches = switches
        self._house = house
        self._random = random
        self._weather = weather
        self._seats = Seats()
        self._tape = Tape(house.market, tells_phases=switches.tells_phases)
        self._desk = NoticeDesk(
            house.market,
            house.office.records,
            notes_expiry=switches.notes_expiry,
            notes_ex_officio=switches.notes_ex_officio,
        )
        self._lines: dict[int, Line] = {}
        self._numbers = count(1)
        self._late: list[tuple[int, int, int, str]] = []  # when, in which order, to whom, what
        self._order = count()
        self._down_until_ns = 0
        # The house hears the market before us, so a request is told before what it caused (office.py).
        house.on_request(self._requested)
        house.market.listen(self._happened)

    # ---- sessions ------------------------------------------------------------------------------------------

    def is_down(self, now_ns: int) -> bool:
        """Whether no session is taken now (F-19)."""
        return now_ns < self._down_until_ns

    def connect(self, send: Send, hang_up: HangUp, now_ns: int) -> Line | None:
        """Open a session; None during an outage. `hang_up` ends its connection from our side."""
        if self.is_down(now_ns):
            return None
        number = next(self._numbers)
        session = KisSession(
            self._house,
            self.switches,
            self._random,
            seats=self._seats,
            tape=self._tape,
            judge=self._weather.fate_of_registration,
            number=number,
            now_ns=now_ns,
        )
        line = Line(session, send, hang_up)
        self._lines[number] = line
        return line

    def hear(self, line: Line, text: str, now_ns: int) -> None:
        """Take one frame of a client; nobody answers on a silent line (F-25)."""
        if now_ns < line.silent_until_ns:
            return
        self._push(line, line.session.hear(text, now_ns))

    def leave(self, line: Line, now_ns: int) -> None:
        """End a session, whoever hung up; safe to call again."""
        line.session.close(now_ns)
        self._lines.pop(line.session.number, None)

    def cut(self, now_ns: int, *, outage_ns: int = 0) -> int:
        """End all sessions and take none for a while; return how many ended."""
        lines = list(self._lines.values())
        self._down_until_ns = max(self._down_until_ns, now_ns + outage_ns)
        for line in lines:
            self._cut(line, now_ns)
        return len(lines)

    def silence(self, until_ns: int) -> int:
        """Let all open sessions say nothing, neither hear; return how many."""
        for line in self._lines.values():
            line.silent_until_ns = max(line.silent_until_ns, until_ns)
        return len(self._lines)

    def states(self, now_ns: int) -> tuple[StreamState, ...]:
        """Return the open sessions."""
        return tuple(
            StreamState(
                number=number,
                hts_id=line.session.customer.hts_id if line.session.customer is not None else "",
                registrations=line.session.registrations,
                silent=now_ns < line.silent_until_ns,
            )
            for number, line in self._lines.items()
        )

    # ---- time ----------------------------------------------------------------------------------------------

    def next_due_ns(self) -> int | None:
        """Return when the next late frame leaves; None where none waits."""
        waiting = [until_ns for line in self._lines.values() for until_ns, _ in line.overtaken]
        if self._late:
            waiting.append(self._late[0][0])
        return min(waiting, default=None)

    def pass_time(self, now_ns: int) -> None:
        """Send what is due: late frames, signs of life, phases; drop sessions that stay silent."""
        while self._late and self._late[0][0] <= now_ns:
            _, _, number, text = heappop(self._late)
            if number in self._lines:
                self._push(self._lines[number], [text])
        for line in list(self._lines.values()):
            if now_ns < line.silent_until_ns:
                continue  # a half-open line is not even dropped (F-25)
            ready = [text for until_ns, text in line.overtaken if until_ns <= now_ns]
            line.overtaken = [held for held in line.overtaken if held[0] > now_ns]
            self._push(line, ready)
            self._push(line, line.session.tick(now_ns))
            if line.session.is_over:
                self._cut(line, now_ns)
        self._tell(self._tape.pass_time(now_ns))

    # ---- telling -------------------------------------------------------------------------------------------

    def _requested(self, request: RequestTaken) -> None:
        self._note(self._desk.hear(request))

    def _happened(self, events: tuple[MarketEvent, ...]) -> None:
        for event in events:
            self._note(self._desk.hear(event))
        self._tell(self._tape.hear(events))

    def _tell(self, news: list[News]) -> None:
        """Tell what happened at once; neighbours that the weather treats alike may share frames."""
        if not news or not self._lines:
            return
        for struck, group in groupby(news, key=self._struck):
            items = list(group)
            if "trade_lost" in struck:
                continue
            for line in list(self._lines.values()):
                self._push(line, line.session.tell(items, struck))

    def _struck(self, news: News) -> tuple[str, ...]:
        if isinstance(news, Print):
            return self._weather.fate_of_trade(TRADES[news.place], news.symbol)
        return ()

    def _note(self, notice: Notice | None) -> None:
        if notice is None:
            return
        takers = [line for line in self._lines.values() if line.session.takes(notice)]
        if not takers:
            return
        customer = takers[0].session.customer
        assert customer is not None, "a session without a customer takes no notice"
        table = OVERSEAS_NOTICES if notice.venue.value == "US" else DOMESTIC_NOTICES
        tr_id = table[customer.environment]
        fate = self._weather.fate_of_notice(tr_id, notice.account_id, notice.symbol)
        now_ns = self._house.market.now_ns
        if fate.cut:
            self._down_until_ns = max(self._down_until_ns, now_ns + fate.outage_ms * MS)
        for line in takers:
            self._carry(line, notice, fate, now_ns)

    def _carry(self, line: Line, notice: Notice, fate: NoticeFate, now_ns: int) -> None:
        if fate.cut:
            self._cut(line, now_ns)
            return
        if fate.silent:
            line.silent_until_ns = now_ns + fate.outage_ms * MS
            return
        texts = line.session.tell([notice], fate.struck)
        for delay_ms in fate.delays_ms:
            for text in texts:
                self._later(line, text, now_ns, delay_ms, fate.overtaken_ms)

    def _later(self, line: Line, text: str, now_ns: int, delay_ms: int, overtaken_ms: int) -> None:
        if delay_ms and len(self._late) < LATE_MAX:
            due_ns = now_ns + delay_ms * MS
            heappush(self._late, (due_ns, next(self._order), line.session.number, text))
        elif overtaken_ms:
            line.overtaken.append((now_ns + overtaken_ms * MS, text))
        else:
            ready, line.overtaken = line.overtaken, []
            self._push(line, [text, *(held for _, held in ready)])

    def _push(self, line: Line, texts: list[str]) -> None:
        # The line may have fallen silent at the market's time, which is at most a tick behind the caller's.
        if self._house.market.now_ns < line.silent_until_ns:
            return
        for text in texts:
            line.send(text)

    def _cut(self, line: Line, now_ns: int) -> None:
        self.leave(line, now_ns)
        line.hang_up()
