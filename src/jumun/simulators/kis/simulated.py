"""One simulated KIS without any network: house, streams and weather joined.

Both transports use it alike: the server on real sockets and a transport inside one process. A transport asks
for the fate of a call, waits as the fate says, lets it arrive, waits again, and ends it as the fate says.
"""

from collections import OrderedDict
from typing import Final

from jumun.exchange.records import OrderRecord
from jumun.ports.wire import HttpCall, HttpReply
from jumun.simulators.kis.acts import partial_then_cancel
from jumun.simulators.kis.call_facts import facts_of
from jumun.simulators.kis.fates import Fate
from jumun.simulators.kis.figures import NS
from jumun.simulators.kis.house import KisHouse
from jumun.simulators.kis.spoil import gateway_answer, spoiled
from jumun.simulators.kis.streams import KisStreams
from jumun.simulators.kis.weather import Weather

OK: Final = 200
REMEMBERED_MAX: Final = 256  # answers kept for the faults that give an earlier one


class SimulatedKis:
    """See the module. `calls` counts what reached the gateway, struck or not."""

    def __init__(self, house: KisHouse, streams: KisStreams, weather: Weather) -> None:
        self.house = house
        self.streams = streams
        self.weather = weather
        self.calls = 0
        self._by_path: dict[str, HttpReply] = {}
        self._by_question: OrderedDict[str, tuple[int, HttpReply]] = OrderedDict()

    def fate_of(self, call: HttpCall) -> Fate:
        """Decide what happens to a call; once for each, when it is sent."""
        self.calls += 1
        return self.weather.fate_of(call)

    def arrive(self, call: HttpCall, fate: Fate, now_ns: int) -> HttpReply:
        """Let a call reach the gateway and return what goes back, should the fate let it."""
        own = gateway_answer(fate)
        if not fate.delivered:
            return own or HttpReply(status=500, headers={}, body=b"")  # nobody gets to see this one
        before = len(self.house.market.orders)
        reply = self.house.handle(call, now_ns)
        if fate.has("partial_then_cancel"):
            self._half(before, now_ns)
        given = self._earlier(call, fate, reply, now_ns)
        return own or spoiled(fate, given, now_ns)

    def _half(self, before: int, now_ns: int) -> None:
        """Fill the order that just came in by half and cancel the rest; nothing where none came or rests."""
        market = self.house.market
        if len(market.orders) == before:
            return
        newest: OrderRecord = market.orders[next(reversed(market.orders))]
        if newest.is_open:
            partial_then_cancel(market, newest.key, now_ns)

    def _earlier(self, call: HttpCall, fate: Fate, reply: HttpReply, now_ns: int) -> HttpReply:
        """Return the answer, or the one before where the fate says so; remember this one."""
        before = self._by_path.get(call.path)
        if reply.status == OK:
            self._by_path[call.path] = reply  # bounded: only what is served is answered so
        given = before if before is not None and fate.has("swapped") else reply
        if call.method != "GET":
            return given
        question = _question(call)
        asked = self._by_question.pop(question, None)
        if fate.has("stale") and asked is not None:
            self._by_question[question] = asked
            young = not fate.stale_s or now_ns - asked[0] <= fate.stale_s * NS
            return asked[1] if young else given
        self._by_question[question] = (now_ns, reply)
        while len(self._by_question) > REMEMBERED_MAX:
            self._by_question.popitem(last=False)
        return given


def _question(call: HttpCall) -> str:
    """Return what is asked, with the page: the same question has the same text."""
    facts = facts_of(call)
    asked = sorted((name.upper(), text.strip()) for name, text in call.query.items())
    return repr((call.path, facts.tr_id, facts.is_continued, asked))
