"""Hears a broker's reports for a case, as the desk would."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from jumun.model.orders import BrokerRef
from jumun.model.reports import BrokerReport, BrokerState, LookAgain, OrderReport, UnreadableNotice
from jumun.ports.broker import Broker

WAIT_S: Final = 30.0  # for a report that must come


class Heard:
    """Collects a broker's reports; cases wait for what they need."""

    def __init__(self) -> None:
        self.reports: list[BrokerReport] = []
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def listen(self, broker: Broker) -> None:
        """Read this broker's reports from now on."""
        await self.stop()
        self._task = asyncio.create_task(self._read(broker), name="heard")

    async def stop(self) -> None:
        """Stop reading; raises what the reading ended with, if it was an error (I-65)."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled() and (failure := task.exception()) is not None:
                raise failure

    async def until(self, met: Callable[[list[BrokerReport]], bool]) -> list[BrokerReport]:
        """Wait until the reports so far meet a condition."""
        try:
            async with asyncio.timeout(WAIT_S):
                while not met(self.reports):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"it was never heard; so far: {self.reports}") from None
        return self.reports

    async def of(self, kind: type[BrokerReport], count: int = 1) -> list[Any]:
        """Wait for so many reports of one kind and return all of that kind."""
        await self.until(lambda all_: sum(isinstance(one, kind) for one in all_) >= count)
        return [one for one in self.reports if isinstance(one, kind)]

    async def state(self, ref: BrokerRef, state: str) -> OrderReport:
        """Wait until an order is reported in a state."""

        def told(all_: list[BrokerReport]) -> list[OrderReport]:
            orders = [one for one in all_ if isinstance(one, OrderReport)]
            return [one for one in orders if one.ref == ref and one.state == state]

        return told(await self.until(lambda all_: bool(told(all_))))[-1]

    async def end_of(self, ref: BrokerRef) -> BrokerReport:
        """Wait until it is heard that others cancelled an order; return what was said.

        A broker that cannot tell a part from the whole, or cannot read what it is told, claims no end: it
        sends the desk to the list.
        """

        def told(all_: list[BrokerReport]) -> list[BrokerReport]:
            return [one for one in all_ if _tells_end(one, ref)]

        return told(await self.until(lambda all_: bool(told(all_))))[0]

    async def _read(self, broker: Broker) -> None:
        async for report in broker.reports():
            self.reports.append(report)
            self._changed.set()


def _tells_end(one: BrokerReport, ref: BrokerRef) -> bool:
    if isinstance(one, OrderReport):
        return (one.ref, one.state) == (ref, BrokerState.CANCELLED)
    return isinstance(one, LookAgain | UnreadableNotice)
