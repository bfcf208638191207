"""The event feed: whoever subscribes hears all of it, once, in order, however slow or late."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from random import Random
from typing import Any

import pytest

from jumun.model.errors import OmsError, OrderDenied
from jumun.model.events import TradingResumed
from jumun.model.ids import CommandId
from jumun.model.journal import Entry, Message, Record
from jumun.model.reasons import Reason
from jumun.services.event_feed import SINK, STRIDE, EventFeed, EventsGone, Told
from jumun.store.chain import OUTBOX_STRIDE
from jumun.store.memory import MemoryJournal
from jumun.store.memory_disk import MemoryDisk
from jumun.testing.virtual_loop import run_virtual
from tests.unit.services.stage import until

START_NS = 1_748_217_600_000_000_000
READS_MAX = 2_000  # a feed that repeats itself must end the test, not the build
VIRTUAL_S = 200.0  # of virtual time
MINE, OTHER = "SIM-001", "SIM-002"


class Source:
    """A journal that grows on demand, and a feed that hears it."""

    def __init__(self, disk: MemoryDisk | None = None, **bounds: Any) -> None:
        self.journal = MemoryJournal(disk)
        self.disk = self.journal.disk
        self.in_store = 1 << 40  # the newest record that the store itself holds
        self.bounds = {"subscribers_max": 3, "stored_seq": lambda: self.in_store, **bounds}
        self.feed = EventFeed(self.journal, **self.bounds)
        self.random = Random(1)

    async def start(self) -> "Source":
        await self.journal.start()
        await self.grow(1)
        await until(lambda: self.feed.oldest is not None)
        return self

    async def grow(self, count: int, *, batch: int = 7) -> None:
        """Write `count` records, some silent, some with several messages, of two accounts and of none."""
        while count:
            size = min(batch, count)
            first = len(self.disk.records) + 1
            entries = [self.entry(seq) for seq in range(first, first + size)]
            await self.journal.append(entries)
            self.feed.hear(entries)
            count -= size

    def entry(self, seq: int) -> Entry:
        account = self.random.choice([MINE, MINE, OTHER, ""])
        kind = self.random.choice(["order_placed", "order_executed"])
        event = TradingResumed(by="demo", text=f"record {seq}")
        record = Record(
            seq=seq, ts_ns=START_NS + seq, causation_id=CommandId("c"), correlation_id="c", event=event
        )
        messages = tuple(
            Message(
                event_id=f"0.{seq}.{index}",
                event_type=kind,
                event_ts_ns=START_NS + seq,
                version=1,
                correlation_id="c",
                causation_id="c",
                environment="sim",
                account_id=account,
                payload={"record": seq},
            )
            for index in range(self.random.choice([0, 1, 1, 3]))
        )
        self.written = getattr(self, "written", [])
        self.written += [(seq * STRIDE + index, message) for index, message in enumerate(messages)]
        return Entry(record=record, messages=messages)

    def expected(self, after: int, *types: str) -> list[tuple[int, str]]:
        return [
            (number, message.event_id)
            for number, message in self.written
            if number > after
            and message.account_id in (MINE, "")
            and (not types or message.event_type in types)
        ]

    def follow(self, after: int | None = None, **changes: Any) -> AsyncGenerator[Told, None]:
        asked: dict[str, Any] = {"types": frozenset(), "from_oldest": False, "heartbeat_s": 5.0}
        return self.feed.follow(account_id=MINE, after=after, **(asked | changes))


async def heard(told: AsyncGenerator[Told, None], count: int) -> list[tuple[int, str]]:
    """Read until `count` messages have come."""
    got: list[tuple[int, str]] = []
    for _ in range(READS_MAX):
        if len(got) >= count:
            break
        news = await anext(told)
        got += [(number, message.event_id) for number, message in news.messages]
    return got


def played(play: Callable[[], Any]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(VIRTUAL_S):
            await play()

    run_virtual(bounded(), START_NS)


def test_the_feed_counts_messages_as_the_stores_do() -> None:
    assert STRIDE == OUTBOX_STRIDE


@pytest.mark.req("C-16")
@pytest.mark.parametrize("memory_max", [1, 10, 10_000])
def test_wherever_a_subscriber_resumes_it_hears_the_rest_once_and_in_order(memory_max: int) -> None:
    async def play() -> None:
        source = await Source(memory_max=memory_max).start()
        await source.grow(60)
        oldest = source.feed.oldest
        assert oldest is not None
        places = [oldest, *(number for number, _ in source.written if number > oldest)]
        for after in places:
            told = source.follow(after)
            await source.grow(1)
            expected = source.expected(after)
            if expected:
                assert await heard(told, len(expected)) == expected
            await told.aclose()

    played(play)


@pytest.mark.req("C-16")
@pytest.mark.parametrize("memory_max", [1, 5, 40, 10_000])
def test_readers_of_any_pace_beside_a_growing_journal_miss_nothing_and_hear_nothing_twice(
    memory_max: int,
) -> None:
    async def play() -> None:
        source = await Source(memory_max=memory_max).start()
        after = source.feed.newest
        stop_at = 400

        async def reader(pause_s: float) -> list[tuple[int, str]]:
            told = source.follow(after)
            got: list[tuple[int, str]] = []
            while source.written[-1][0] // STRIDE < stop_at or len(got) < len(source.expected(after)):
                assert len(got) < READS_MAX
                news = await anext(told)
                got += [(number, message.event_id) for number, message in news.messages]
                await asyncio.sleep(pause_s)
            await told.aclose()
            return got

        readers = [asyncio.create_task(reader(pause_s)) for pause_s in (0.0, 0.3, 2.0)]
        while source.written[-1][0] // STRIDE < stop_at:
            await source.grow(source.random.randint(1, 20))
            await asyncio.sleep(source.random.random() / 5)
        for got in await asyncio.gather(*readers):
            assert got == source.expected(after)

    played(play)


def test_memory_is_bounded_while_a_subscriber_does_not_read_and_empty_when_nobody_listens() -> None:
    async def play() -> None:
        source = await Source(memory_max=20).start()
        told = source.follow()
        await anext(told)
        await source.grow(500)
        assert len(source.feed._messages) <= 2 * 20 + 7 * 3
        await told.aclose()
        assert not source.feed._messages
        await source.grow(50)
        assert not source.feed._messages

    played(play)


def test_a_subscriber_that_resumes_is_told_when_it_has_caught_up() -> None:
    async def play() -> None:
        source = await Source(memory_max=5).start()
        await source.grow(100)
        assert source.feed.oldest is not None
        told, loop = source.follow(source.feed.oldest), asyncio.get_running_loop()
        began, place = loop.time(), await anext(told)
        assert place == Told((), source.feed.oldest)
        got: list[tuple[int, str]] = []
        while (news := await anext(told)).messages:
            got += [(number, message.event_id) for number, message in news.messages]
        assert (got, news.seq) == (source.expected(source.feed.oldest), source.feed.newest)
        assert loop.time() - began < 1.0, "at once, not after a silence"

    played(play)


def test_only_the_types_that_were_asked_for_come_and_those_of_the_whole_desk_come_to_everyone() -> None:
    async def play() -> None:
        source = await Source().start()
        await source.grow(80)
        assert source.feed.oldest is not None
        expected = source.expected(source.feed.oldest, "order_executed")
        told = source.follow(source.feed.oldest, types=frozenset({"order_executed"}))
        assert await heard(told, len(expected)) == expected
        assert any(message.account_id == "" for _, message in source.written)
        assert OTHER not in {
            message.account_id for number, message in source.written if (number, message.event_id) in expected
        }

    played(play)


def test_a_quiet_stream_shows_signs_of_life_also_while_only_others_are_busy() -> None:
    async def play() -> None:
        source = await Source().start()
        told = source.follow(types=frozenset({"nothing_of_this_kind"}))
        seqs = [(await anext(told)).seq]
        loop = asyncio.get_running_loop()

        async def others() -> None:
            while True:
                await source.grow(1)
                await asyncio.sleep(0.5)

        busy = asyncio.create_task(others())
        for _ in range(3):
            began = loop.time()
            news = await anext(told)
            assert not news.messages
            assert 5.0 <= loop.time() - began <= 5.6
            seqs.append(news.seq)
        busy.cancel()
        assert seqs == sorted(seqs)
        assert seqs[-1] > seqs[0], "a sign of life says from where to resume"

    played(play)


@pytest.mark.req("C-16")
def test_what_is_not_kept_any_more_is_refused_with_the_oldest_number_and_that_one_is_complete() -> None:
    async def play() -> None:
        source = await Source(records_kept=50, keep_step=10).start()
        asked_after = source.written[0][0] if source.written else STRIDE
        for _ in range(40):
            await source.grow(10)
            await asyncio.sleep(0.1)
        with pytest.raises(EventsGone) as gone:
            await anext(source.follow(asked_after))
        oldest = gone.value.oldest
        assert str(oldest) in str(gone.value)
        assert 50 <= source.feed.newest // STRIDE - oldest // STRIDE <= 75
        expected = source.expected(oldest)
        assert await heard(source.follow(oldest), len(expected)) == expected
        assert await heard(source.follow(from_oldest=True), len(expected)) == expected

    played(play)


def test_a_reader_so_slow_that_its_place_is_deleted_is_told_so_and_not_led_over_the_gap() -> None:
    async def play() -> None:
        source = await Source(records_kept=50, keep_step=10, memory_max=5).start()
        told = source.follow()
        await anext(told)
        for _ in range(40):
            await source.grow(10)
            await asyncio.sleep(0.1)
        with pytest.raises(EventsGone):
            await heard(told, 10_000)

    played(play)


@pytest.mark.req("F-81")
def test_what_is_durable_only_beside_a_full_store_is_not_skipped_by_those_who_must_read_the_store() -> None:
    async def play() -> None:
        source = await Source().start()
        await source.grow(20)
        live, after = source.follow(), source.feed.newest
        await anext(live)
        source.in_store = len(source.disk.records)  # from here on records go to the reserve
        entries = [source.entry(seq) for seq in range(source.in_store + 1, source.in_store + 30)]
        source.feed.hear(entries)
        expected = source.expected(after)
        assert await heard(live, len(expected)) == expected, "who listens hears it from memory"
        await live.aclose()
        late = source.follow(after - 5 * STRIDE)
        with pytest.raises(OmsError, match="cannot be read from the store") as refused:
            await heard(late, 10_000)
        assert refused.value.reason is Reason.STORE_UNAVAILABLE

    played(play)


def test_a_number_that_is_ahead_of_this_store_is_refused() -> None:
    async def play() -> None:
        source = await Source().start()
        with pytest.raises(EventsGone, match="another store"):
            await anext(source.follow(source.feed.newest + 1))

    played(play)


def test_the_number_of_subscribers_is_bounded_and_a_place_that_is_given_back_can_be_taken() -> None:
    async def play() -> None:
        source = await Source(subscribers_max=2).start()
        first, second = source.follow(), source.follow()
        await anext(first)
        await anext(second)
        with pytest.raises(OrderDenied) as refused:
            await anext(source.follow())
        assert refused.value.reason is Reason.OVERLOADED
        await first.aclose()
        await anext(source.follow())

    played(play)


def test_a_stop_ends_every_subscription_in_words_also_one_that_waits() -> None:
    async def play() -> None:
        source = await Source().start()
        told = source.follow()
        await anext(told)
        waiting = asyncio.ensure_future(anext(told))
        await asyncio.sleep(1)
        source.feed.close("the service is stopping")
        with pytest.raises(OmsError, match="stopping") as ended:
            await waiting
        assert ended.value.reason is Reason.NOT_READY

    played(play)


@pytest.mark.req("C-16")
def test_after_a_restart_a_subscriber_goes_on_where_it_was_although_the_bus_has_everything() -> None:
    async def play() -> None:
        source = await Source().start()
        await source.grow(30)
        after = source.written[len(source.written) // 2][0]
        await source.journal.outbox_done("bus", source.feed.newest)
        await source.journal.close()
        again = Source(source.disk)
        again.written = source.written
        await again.start()
        expected = again.expected(after)
        assert len(expected) > 5
        assert await heard(again.follow(after), len(expected)) == expected

    played(play)


@pytest.mark.req("C-16")
def test_where_others_deleted_before_the_first_claim_nothing_older_is_promised() -> None:
    async def play() -> None:
        source = Source()
        source.feed = EventFeed(
            MemoryJournal(), stored_seq=lambda: 0, subscribers_max=1
        )  # hears into the void
        source.feed.oldest = 0
        await source.journal.start()
        await source.grow(30)
        deleted_up_to = source.written[10][0]
        await source.journal.outbox_done("bus", deleted_up_to)
        source.feed = EventFeed(source.journal, **source.bounds)
        await source.grow(1)
        await until(lambda: source.feed.oldest is not None)
        assert source.feed.oldest is not None
        assert source.feed.oldest >= deleted_up_to
        assert await source.journal.outbox_cursor(SINK) == source.feed.oldest
        with pytest.raises(EventsGone):
            await anext(source.follow(deleted_up_to - 1))
        expected = source.expected(source.feed.oldest)
        assert await heard(source.follow(source.feed.oldest), len(expected)) == expected

    played(play)


@pytest.mark.req("C-16")
def test_what_is_promised_at_the_first_claim_cannot_be_deleted_while_it_is_being_claimed() -> None:
    async def play() -> None:
        source = Source()
        await source.journal.start()
        read = source.journal.outbox_after

        async def and_the_bus_has_it_all(seq: int, limit: int) -> list[tuple[int, Message]]:
            rows = await read(seq, limit)
            await source.journal.outbox_done("bus", source.feed.newest)
            return rows

        source.journal.outbox_after = and_the_bus_has_it_all  # type: ignore[method-assign]
        await source.grow(30)
        await until(lambda: source.feed.oldest is not None)
        assert source.feed.oldest is not None
        expected = source.expected(source.feed.oldest)
        assert len(expected) > 10
        assert await heard(source.follow(source.feed.oldest), len(expected)) == expected

    played(play)
