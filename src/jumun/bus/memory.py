"""The bus inside one process: hands each event to whoever subscribed, in order, at least once (C-16).

Two kinds of events pass. Ours come from the outbox as messages, durable before anybody hears of them. Those
of others (`trading_signal`, `market_data_received`) are published as specification 000 does it, by name with
a mapping; subscribers get a message of them too, whose payload is that mapping.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, overload

import structlog

from jumun.model.errors import BadInput, ConfigError, OmsError
from jumun.model.journal import Message
from jumun.ports.outside import Clock, Subscriber

EVERY: Final = "*"
SUBSCRIBERS_MAX: Final = 1_000  # each one is asked for each event: more is a leak
TYPE_MAX: Final = 100  # characters of an event's name
VERSION: Final = 1

log = structlog.get_logger()


class MemoryBus:
    """ports.Bus without a network. An event is handed over when every subscriber has returned.

    A subscriber that raises OmsError is logged and counted, and the others go on: one reader that cannot cope
    must not hold the events of all the others. Any other exception is a bug and stops the publisher (I-65).
    """

    def __init__(self, clock: Clock | None = None) -> None:
        """`clock` stamps the events of others; without one their `event_ts_ns` is 0, which says unknown."""
        self.published = 0
        self.failed = 0
        self._clock = clock
        self._received = 0
        self._subscribers: list[tuple[str, Subscriber]] = []

    def subscribe(self, event_type: str, subscriber: Subscriber) -> Callable[[], None]:
        """Hear events of one type, or of `*`, from now on; returns what ends that."""
        if len(self._subscribers) >= SUBSCRIBERS_MAX:
            raise ConfigError(f"{SUBSCRIBERS_MAX} subscribers are on the bus; end one before adding another")
        entry = (event_type, subscriber)
        self._subscribers.append(entry)
        return lambda: self._subscribers.remove(entry)

    @overload
    async def publish(self, messages: Sequence[Message], /) -> None: ...

    @overload
    async def publish(self, event_type: str, event_data: Mapping[str, object], /) -> None: ...

    async def publish(
        self, messages: Sequence[Message] | str, event_data: Mapping[str, object] | None = None, /
    ) -> None:
        """See ports.Bus.publish; or publish one event by its name, with a mapping, as 000 does.

        Raises BadInput for a name or a mapping that is none. What a subscriber makes of the mapping is its
        own business: a bad signal is refused by who reads it, and this call returns all the same.
        """
        if isinstance(messages, str):
            messages = [self._received_as(messages, event_data)]
        for message in messages:
            for event_type, subscriber in tuple(self._subscribers):
                if event_type in (EVERY, message.event_type):
                    await self._hand(message, subscriber)
            self.published += 1

    def _received_as(self, event_type: str, event_data: Mapping[str, object] | None) -> Message:
        if not event_type.isidentifier() or len(event_type) > TYPE_MAX:
            raise BadInput(
                f"event type {event_type[:TYPE_MAX]!r} is no plain word; use one such as trading_signal"
            )
        if not isinstance(event_data, Mapping):
            raise BadInput(
                f"event {event_type} carries a {type(event_data).__name__}; publish a mapping of its fields"
            )
        self._received += 1
        return Message(
            event_id=f"in.{self._received}",
            event_type=event_type,
            event_ts_ns=0 if self._clock is None else self._clock.now_ns(),
            version=VERSION,
            correlation_id="",
            causation_id="",
            environment="",
            account_id="",
            payload=dict(event_data),
        )

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
