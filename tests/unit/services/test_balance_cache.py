"""The broker is asked for a balance once in ten seconds, whoever looks."""

import asyncio

import pytest

from jumun.model.errors import BrokerUnavailable
from jumun.model.ids import AccountId
from jumun.model.reports import Balance
from jumun.services.balance_cache import BalanceCache
from tests.unit.services.stage import ACCOUNT, LeveredBroker, Stage, on_stage


class CountingBroker(LeveredBroker):
    """The paper broker, counting questions; it can be slow, and it can fail."""

    asked = 0
    failures = 0
    slow_s = 0.0

    async def balance(self, account_id: AccountId) -> Balance:
        self.asked += 1
        await asyncio.sleep(self.slow_s)
        if self.failures:
            self.failures -= 1
            raise BrokerUnavailable("no answer; ask again")
        return await super().balance(account_id)


def a_broker(stage: Stage) -> CountingBroker:
    old = stage.broker
    stage.broker = CountingBroker(old._link, old.traits, old._clock)
    return stage.broker


@pytest.mark.req("S000-88", "S000-87")
def test_two_looks_within_nine_seconds_are_one_question_and_at_eleven_seconds_two() -> None:
    async def play(stage: Stage) -> None:
        broker = a_broker(stage)
        await broker.connect()
        cache = BalanceCache(broker, stage.clock)
        first = await cache.balance(ACCOUNT)
        await asyncio.sleep(9)
        assert await cache.balance(ACCOUNT) is first
        assert broker.asked == 1
        await asyncio.sleep(2)
        await cache.balance(ACCOUNT)
        assert broker.asked == 2

    on_stage(play)


@pytest.mark.req("S000-88")
def test_ten_that_look_at_once_share_one_question_and_a_slow_answer_is_no_younger_for_it() -> None:
    async def play(stage: Stage) -> None:
        broker = a_broker(stage)
        await broker.connect()
        broker.slow_s = 6.0
        cache = BalanceCache(broker, stage.clock)
        await asyncio.gather(*(cache.balance(ACCOUNT) for _ in range(10)))
        assert broker.asked == 1
        await asyncio.sleep(5)
        await cache.balance(ACCOUNT)  # asked for eleven seconds ago, answered five seconds ago
        assert broker.asked == 2

    on_stage(play)


def test_a_failed_question_is_told_and_never_kept_and_a_forgotten_answer_is_asked_for_again() -> None:
    async def play(stage: Stage) -> None:
        broker = a_broker(stage)
        await broker.connect()
        broker.failures = 1
        cache = BalanceCache(broker, stage.clock)
        with pytest.raises(BrokerUnavailable):
            await cache.balance(ACCOUNT)
        await cache.balance(ACCOUNT)
        assert broker.asked == 2
        cache.forget(ACCOUNT)
        await cache.balance(ACCOUNT)
        assert broker.asked == 3

    on_stage(play)
