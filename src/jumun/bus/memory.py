"""The bus inside one process: hands each event to whoever subscribed, in order, at least once (C-16)."""

from collections.abc import Callable, Sequence
from typing import Final

import structlog

from jumun.model.errors import ConfigError, OmsError
from jumun.model.journal import Message
from jumun.ports.outside import Subscriber

EVERY: Final = "*"
SUBSCRIBERS_MAX: Final = 1_000  # each one is asked for each event: more is a leak

log = structlog.get_logger()


class MemoryBus:
    """ports.Bus without a network. An event is handed over when every subscriber has returned.

    A subscriber that raises OmsError is logged and counted, and the others go on: one reader that cannot cope
    must not hold the events of all the others. Any other exception is a bug and stops the publisher (I-65).
    """

    def __init__(self) -> None:
        self.published = 0
        self.failed = 0
        self._subscribers: list[tuple[str, Subscriber]] = []

    def subscribe(self, event_type: str, subscriber: Subscriber) -> Callable[[], None]:
        """Hear events of one type, or of `*`, from now on; returns what ends that."""
        if len(self._subscribers) >= SUBSCRIBERS_MAX:
            raise ConfigError(f"{SUBSCRIBERS_MAX} subscribers are on the bus; end one before adding another")
        entry = (event_type, subscriber)
        self._subscribers.append(entry)
        return lambda: self._subscribers.remove(entry)

    async def publish(self, messages: Sequence[Message]) -> None:
        """See ports.Bus.publish."""
        for message in messages:
            for event_type, subscriber in tuple(self._subscribers):
                if event_type in (EVERY, message.event_type):
                    await self._hand(message, subscriber)
            self.published += 1

    async def _hand(self, message: Message, subscriber: Subscriber) -> None:
        try:
            await subscriber(message)
        except OmsError as error:
            self.failed += 1
            log.warning(
                "subscriber_failed",
                event_id=message.event_id,
                event_type=message.event_type,
                error=f"{error.code}: {error}",
                next_step="the others have it; this one can read it again from the journal",
            )
