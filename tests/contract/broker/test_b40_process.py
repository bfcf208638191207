"""B-40 to B-42: the exchange as a real process, killed for real. What was answered survives."""

import asyncio
import os
import re
import signal
import sys
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

import jumun.exchange
from jumun.brokers.paper import PaperBroker, SocketLink, paper_traits
from jumun.brokers.paper.link import always
from jumun.exchange.ledger_file import LedgerFile
from jumun.exchange.protocol import AskOracle, OpenAccount, OracleTold, Step
from jumun.exchange.sample_world import sample_world
from jumun.model.errors import StoreLocked
from jumun.model.reports import Accepted
from tests.contract.broker.houses import ACCOUNT, PRICE, SYMBOL, WAIT_S, ManualClock, a_request, yes

PROGRAM = """
import asyncio, sys
from pathlib import Path
from jumun.exchange.sample_world import sample_world
from jumun.simulators.exchange_process import ExchangeConfig, run_exchange
config = ExchangeConfig(world=sample_world(), pace=float(sys.argv[3]))
ready = lambda line: print(line, flush=True)
asyncio.run(run_exchange("127.0.0.1", int(sys.argv[1]), Path(sys.argv[2]), config, announce=ready))
"""


class ExchangeProcess:
    """A real exchange, started, killed and started again on the same port and ledger."""

    def __init__(self, ledger: Path, pace: float = 0.0) -> None:
        self.ledger = ledger
        self.pace = pace
        self.port = 0
        self.ready = ""
        self.process: asyncio.subprocess.Process

    async def start(self) -> None:
        source = str(Path(jumun.exchange.__file__).parents[2])
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            PROGRAM,
            str(self.port),
            str(self.ledger),
            str(self.pace),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": source},
        )
        assert self.process.stdout is not None
        self.ready = (await asyncio.wait_for(self.process.stdout.readline(), WAIT_S)).decode()
        found = re.match(r"exchange ready on 127\.0\.0\.1:(\d+) ", self.ready)
        assert found, self.ready
        self.port = int(found[1])

    async def end(self, signum: signal.Signals) -> int:
        self.process.send_signal(signum)
        code = await asyncio.wait_for(self.process.wait(), WAIT_S)
        self.process._transport.close()  # type: ignore[attr-defined]
        return code


async def oracle(link: SocketLink) -> OracleTold:
    told = await link.call(AskOracle(), always)
    assert isinstance(told, OracleTold)
    return told


@pytest.mark.req("I-22", "F-83")
async def test_b40_every_answered_order_survives_a_kill_of_the_exchange(tmp_path: Path) -> None:
    exchange = ExchangeProcess(tmp_path / "exchange.ledger")
    await exchange.start()
    link = SocketLink("127.0.0.1", exchange.port, random=Random(4))
    broker = PaperBroker(link, paper_traits(), ManualClock(), answer_timeout_s=WAIT_S)
    await broker.connect()
    await link.call(OpenAccount(account_id=ACCOUNT, cash={"KRW": Decimal(10**9)}), always)
    await link.call(Step(symbol=SYMBOL, price=PRICE, volume=Decimal(0)), always)
    sends = [
        asyncio.create_task(broker.submit(a_request(order_id=f"o{number}", qty=1, price=PRICE + 100), yes))
        for number in range(300)
    ]
    await asyncio.wait(sends[:20])
    await exchange.end(signal.SIGKILL)
    outcomes = await asyncio.gather(*sends)
    await exchange.start()
    await asyncio.wait_for(link.wait_up(), WAIT_S)
    after = await oracle(link)
    numbers = {outcome.ref.number for outcome in outcomes if isinstance(outcome, Accepted)}
    assert len(numbers) >= 20
    assert numbers <= {order.number for order in after.orders}, "an acknowledged order is gone"
    bought = sum(execution.qty for execution in after.executions)
    assert after.balances[0].holdings == ({SYMBOL: bought} if bought else {})
    await broker.close()
    assert await exchange.end(signal.SIGTERM) == 0


async def test_b41_a_second_exchange_on_the_same_ledger_is_refused(tmp_path: Path) -> None:
    exchange = ExchangeProcess(tmp_path / "exchange.ledger", pace=50)
    await exchange.start()
    assert "GENERATED prices" in exchange.ready
    with pytest.raises(StoreLocked, match="in use by another exchange"):
        LedgerFile.open(exchange.ledger, sample_world())
    assert await exchange.end(signal.SIGTERM) == 0


async def test_b42_generated_prices_arrive_at_the_broker(tmp_path: Path) -> None:
    exchange = ExchangeProcess(tmp_path / "exchange.ledger", pace=200)
    await exchange.start()
    link = SocketLink("127.0.0.1", exchange.port, random=Random(5))
    broker = PaperBroker(link, paper_traits(), ManualClock(), answer_timeout_s=WAIT_S)
    await broker.connect()
    reading = asyncio.create_task(_read(broker))
    async with asyncio.timeout(WAIT_S):
        while True:
            quote = broker.quote(SYMBOL)
            if quote is not None and quote.last is not None and quote.base is not None:
                break
            await link.call(AskOracle(), always)
    reading.cancel()
    await asyncio.wait([reading])
    await broker.close()
    assert await exchange.end(signal.SIGTERM) == 0


async def _read(broker: PaperBroker) -> None:
    async for _ in broker.reports():
        continue
