"""Starts and stops a house around a test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.contract.broker.houses import House


@asynccontextmanager
async def running(house: House) -> AsyncIterator[House]:
    """Start the exchange and the broker; stop both whatever happens."""
    await house.start()
    try:
        yield house
    finally:
        await house.stop()
