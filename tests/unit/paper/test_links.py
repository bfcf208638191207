"""Identity of fills, inboxes that overflow, sockets that talk nonsense."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from random import Random

import msgspec
import pytest

from jumun.brokers.paper import FillIdentity, LocalLink, PaperBroker, SocketLink, paper_traits
from jumun.brokers.paper.link import Gap, Garbled, Inbox, LinkNotice, always
from jumun.brokers.paper.parse import fill_notice
from jumun.exchange.ledger_file import LedgerFile
from jumun.exchange.protocol import (
    Answer,
    AskQuotes,
    Call,
    Command,
    Hello,
    HistoryPage,
    OpenAccount,
    Subscribe,
)
from jumun.exchange.records import Execution, OrderRecord
from jumun.exchange.sample_world import sample_world
from jumun.model.errors import BrokerUnavailable, StoreUnavailable
from jumun.model.ids import ExecutionId
from jumun.model.money import Currency
from jumun.model.orders import OrderType, Side
from jumun.model.reports import CancelAccepted, FillNotice
from jumun.ports.broker import SendPermit
from jumun.ports.wire import AnswerLost, NothingSent
from jumun.simulators.exchange_process import ExchangeServer
from tests.contract.broker.houses import (
    ACCOUNT,
    PRICE,
    SYMBOL,
    TODAY,
    WAIT_S,
    LocalHouse,
    ManualClock,
    a_cancel,
    a_request,
    accepted,
    an_order,
    yes,
)
from tests.contract.broker.running import running

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def an_execution(execution_id: str, cumulative: int, ts_ns: int) -> Execution:
    return Execution(
        execution_id=execution_id,
        account_id=ACCOUNT,
        trade_date=TODAY,
        branch="91252",
        number="0000000001",
        symbol=SYMBOL,
        currency=Currency.KRW,
        side=Side.BUY,
        qty=Decimal(5),
        price=PRICE,
        qty_cumulative=Decimal(cumulative),
        amount_cumulative=cumulative * PRICE,
        cash_change=-5 * PRICE,
        qty_change=Decimal(5),
        settlement_date="2025-06-18",
        ts_ns=ts_ns,
    )


@pytest.mark.req("F-30", "I-12")
def test_two_genuine_twins_look_the_same_only_where_the_broker_gives_no_identity() -> None:
    first, twin = an_execution("E1", 5, 1_000_000_000), an_execution("E2", 10, 1_900_000_000)
    nameless = [fill_notice(execution, FillIdentity.NONE) for execution in (first, twin)]
    assert nameless[0] == nameless[1]
    assert nameless[0].ts_event_ns == 1_000_000_000
    assert "E1" not in nameless[0].raw
    counted = [fill_notice(execution, FillIdentity.CUMULATIVE) for execution in (first, twin)]
    assert [n.execution_id for n in counted] == [None, None]
    assert [n.qty_cumulative for n in counted] == [5, 10]
    named = [fill_notice(execution, FillIdentity.EXECUTION_ID) for execution in (first, twin)]
    assert [(n.execution_id, n.qty_cumulative) for n in named] == [
        (ExecutionId("E1"), None),
        (ExecutionId("E2"), None),
    ]


async def test_a_broker_may_answer_a_cancel_without_proof() -> None:
    async with running(LocalHouse()) as house:
        shy = PaperBroker(house.faults, paper_traits(), house.clock, cancel_proves=False)
        order = await accepted(house, a_request(price=PRICE - 1_000))
        outcome = await shy.cancel(a_cancel(order))
        assert isinstance(outcome, CancelAccepted)
        assert outcome.report is None


async def test_our_reference_comes_back_only_where_the_broker_carries_it() -> None:
    async with running(LocalHouse()) as house:
        request = a_request(price=PRICE - 1_000, reference="ref-1")
        await house.broker.submit(request, yes)
        carrying = PaperBroker(house.faults, paper_traits(carries_reference=True), house.clock)
        await carrying.submit(request, yes)
        orders = (await carrying.history(ACCOUNT, TODAY)).orders
        assert [order.reference for order in orders] == [None, "ref-1"]


async def test_prints_become_quotes_of_the_broker() -> None:
    async with running(LocalHouse()) as house:
        house.print_price(PRICE + 500)
        await accepted(house, a_request(order_type=OrderType.MARKET))
        await house.heard.until(lambda all_: any(isinstance(r, FillNotice) for r in all_))
        quote = house.broker.quote(SYMBOL)
        assert quote is not None
        assert (quote.last, quote.base) == (PRICE + 500, PRICE)
        assert house.broker.quote("999999") is None


async def _all_of(inbox: Inbox) -> list[LinkNotice]:
    return [notice async for notice in inbox.read()]


@pytest.mark.req("F-32", "I-61")
async def test_notices_nobody_reads_become_one_gap() -> None:
    inbox = Inbox(size_max=3)
    for number in range(4):
        inbox.put(Garbled(str(number), ""))
    inbox.close()
    notices = await _all_of(inbox)
    assert isinstance(notices[0], Gap)
    assert notices[1:] == [Garbled("3", "")]


async def test_a_link_must_be_opened_first_and_can_be_opened_again() -> None:
    clock = ManualClock()
    link = LocalLink(LocalHouse().market, clock)
    with pytest.raises(NothingSent, match="connect first"):
        await link.call(AskQuotes(), always)
    await link.open()
    await link.open()
    await link.call(AskQuotes(), always)
    await link.close()
    assert await _collect(link) == []
    await link.open()
    await link.close()
    assert await _collect(link) == [Gap("connected again")]


async def _collect(link: LocalLink) -> list[LinkNotice]:
    return [notice async for notice in link.notices()]


class Pages(LocalLink):
    """Answers questions about the history with pages written in advance."""

    def __init__(self, pages: list[HistoryPage]) -> None:
        super().__init__(LocalHouse().market, ManualClock())
        self._pages = pages

    async def call(self, command: Command, permit: SendPermit) -> Answer:
        permit()
        return self._pages.pop(0)


def a_page(total: int, start: int, numbers: range) -> HistoryPage:
    market = LocalHouse().market
    market.open_account(ACCOUNT, cash={"KRW": Decimal(10**9)}, now_ns=1_750_000_000 * 10**9)
    first = market.submit(an_order(), 1_750_000_000 * 10**9)
    assert isinstance(first, OrderRecord)
    orders = tuple(msgspec.structs.replace(first, number=f"{number:010d}") for number in numbers)
    return HistoryPage(total=total, start=start, orders=orders)


@pytest.mark.req("F-36", "F-40", "I-39")
@pytest.mark.parametrize(
    "pages",
    [
        [(5, 0, range(1, 4)), (5, 3, range(4, 4))],  # stops before its own total
        [(5, 0, range(1, 4)), (5, 4, range(5, 6))],  # a page in between is missing
        [(6, 0, range(1, 4)), (6, 3, range(3, 6))],  # an order twice
        [(3, 0, range(1, 5))],  # more orders than it says there are
        [(2, 0, range(0))],  # empty rows under a total
    ],
)
async def test_pages_that_do_not_fit_together_are_no_history(pages: list[tuple[int, int, range]]) -> None:
    link = Pages([a_page(*page) for page in pages])
    broker = PaperBroker(link, paper_traits(), ManualClock())
    with pytest.raises(BrokerUnavailable, match="nothing is concluded"):
        await broker.history(ACCOUNT, TODAY)


async def test_pages_that_grow_while_they_are_read_are_read_to_the_new_end() -> None:
    link = Pages([a_page(3, 0, range(1, 4)), a_page(5, 3, range(4, 6))])
    link._pages[0] = msgspec.structs.replace(link._pages[0], total=4)
    broker = PaperBroker(link, paper_traits(), ManualClock())
    assert len((await broker.history(ACCOUNT, TODAY)).orders) == 5


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.req("F-01")
async def test_nobody_listening_is_a_sentence_and_not_a_traceback() -> None:
    link = SocketLink("127.0.0.1", _free_port(), random=Random(1))
    broker = PaperBroker(link, paper_traits(), ManualClock())
    with pytest.raises(BrokerUnavailable, match="no exchange answers at"):
        await broker.connect()
    with pytest.raises(NothingSent):
        await link.call(AskQuotes(), always)
    await broker.close()


async def _with_server(handler: Handler, check: Callable[[SocketLink], Awaitable[None]]) -> None:
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    link = SocketLink("127.0.0.1", server.sockets[0].getsockname()[1], random=Random(1))
    await link.open()
    try:
        await check(link)
    finally:
        await link.close()
        server.close()
        await server.wait_closed()


@pytest.mark.req("F-02", "F-16")
async def test_a_connection_that_dies_under_a_request_leaves_it_unknown() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for _ in range(3):  # hello, subscribe, the call
                await reader.readline()
        finally:
            writer.transport.abort()

    async def check(link: SocketLink) -> None:
        with pytest.raises(AnswerLost):
            await asyncio.wait_for(link.call(AskQuotes(), always), WAIT_S)

    await _with_server(hang_up, check)


@pytest.mark.req("F-27", "F-28")
async def test_nonsense_on_the_line_is_kept_and_shown() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\xff\xfe not json\n")
        try:
            await reader.read()
        finally:
            writer.transport.abort()

    async def check(link: SocketLink) -> None:
        async with asyncio.timeout(WAIT_S):
            async for notice in link.notices():
                assert isinstance(notice, Garbled)
                assert "not json" in notice.raw
                return

    await _with_server(babble, check)


@pytest.mark.req("F-81", "I-22")
async def test_an_exchange_that_cannot_write_its_ledger_answers_nothing_and_ends(tmp_path: Path) -> None:
    clock = ManualClock()
    ledger, market = LedgerFile.open(tmp_path / "ledger", sample_world())
    server = ExchangeServer(market, ledger, clock.now_ns)
    await server.start("127.0.0.1", 0)
    committing = asyncio.create_task(server.run())
    link = SocketLink(*server.address, random=Random(1))
    await link.open()
    ledger.close()  # from here on each write fails
    opening = OpenAccount(account_id=ACCOUNT, cash={"KRW": Decimal(1)})
    asking = asyncio.create_task(link.call(opening, always))
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        await asyncio.wait_for(committing, WAIT_S)
    assert not asking.done()
    await server.stop()
    with pytest.raises(AnswerLost):
        await asyncio.wait_for(asking, WAIT_S)
    await link.close()


@pytest.mark.req("I-65")
async def test_a_bug_in_the_exchange_ends_the_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    house = LocalHouse()
    server = ExchangeServer(house.market, None, house.clock.now_ns)
    await server.start("127.0.0.1", 0)
    committing = asyncio.create_task(server.run())
    monkeypatch.setattr(house.market, "advance", lambda now_ns: 1 // 0)
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(msgspec.json.encode(Call(1, AskQuotes())) + b"\n")
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(committing, WAIT_S)
    assert await asyncio.wait_for(reader.read(), WAIT_S) == b""
    writer.close()
    await server.stop()


async def test_the_exchange_answers_nonsense_with_a_sentence_and_goes_on() -> None:
    house = LocalHouse()
    server = ExchangeServer(house.market, None, house.clock.now_ns)
    await server.start("127.0.0.1", 0)
    committing = asyncio.create_task(server.run())
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(b"nonsense\n" + b'{"id": 7, "call": {"method": "burn"}}\n')
    calls: tuple[Command, ...] = (Hello(client="test"), Subscribe())
    for number, call in enumerate(calls):
        writer.write(msgspec.json.encode(Call(number, call)) + b"\n")
    lines = [await asyncio.wait_for(reader.readline(), WAIT_S) for _ in range(4)]
    told = [msgspec.json.decode(line) for line in lines]
    assert [(line["id"], line["answer"]["answer"]) for line in told] == [
        (-1, "refused"),
        (7, "refused"),
        (0, "welcome"),
        (1, "done"),
    ]
    assert told[2]["answer"]["exchange"] == sample_world().name
    writer.close()
    committing.cancel()
    await asyncio.wait([committing])
    await server.stop()


@pytest.mark.req("F-32", "I-61")
async def test_an_inbox_is_bounded_by_bytes_as_well() -> None:
    inbox = Inbox(bytes_max=100)
    for _ in range(3):
        inbox.put(Garbled("x", "y"), 40)
    inbox.close()
    read = await _all_of(inbox)
    assert [type(notice) for notice in read] == [Gap, Garbled]
