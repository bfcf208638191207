"""The broker port: what jumun needs from any broker."""

from collections.abc import AsyncIterator, Callable
from typing import Protocol

import msgspec

from jumun.model.ids import AccountId
from jumun.model.instruments import Venue
from jumun.model.orders import OrderType, TimeInForce, TradingSession
from jumun.model.reports import (
    Balance,
    BrokerReport,
    CancelOutcome,
    CancelRequest,
    ModifyOutcome,
    ModifyRequest,
    OrderHistory,
    SubmitOutcome,
    SubmitRequest,
)

SendPermit = Callable[[], bool]


class BrokerTraits(msgspec.Struct, frozen=True, kw_only=True):
    """What is true of a broker and decides how it must be treated."""

    name: str
    environment: str  # sim | paper | live
    carries_reference: bool  # our id travels with the order and comes back
    visible_after_ns: int  # longest time an order it has may be missing from its history, transit included
    settles_after_ns: int  # after the session's end, how long until its history is final
    kinds: frozenset[tuple[Venue, OrderType, TimeInForce]]  # what it takes; all else is refused here
    modifies: bool = False  # whether it can change a working order
    sessions: frozenset[tuple[Venue, TradingSession]] = frozenset()  # beside the regular one
    poll_s: float = 0.0  # how often to ask while an order works, where no notice comes; 0 for the usual pace
    sends_at_once: int = 0  # more new orders than that would only wait inside the adapter; 0 for no bound


class Broker(Protocol):
    """One link to one broker. Every method may be called from one event loop only."""

    @property
    def traits(self) -> BrokerTraits:
        """What is true of this broker."""
        ...

    async def connect(self) -> None:
        """Open the link; raises BrokerUnavailable. Safe to call again."""
        ...

    async def close(self) -> None:
        """Close the link; requests in flight end as Unknown."""
        ...

    async def submit(self, request: SubmitRequest, permit: SendPermit) -> SubmitOutcome:
        """Send once. Never retries, never raises for what the broker or the network does.

        `permit` is asked in the last step before the first byte, with no await in between; when it
        says no, the outcome is NotSent (I-45). NotSent only when provably nothing left (F-01).
        """
        ...

    async def cancel(self, request: CancelRequest) -> CancelOutcome:
        """Ask to cancel. May be repeated: a cancel is harmless twice."""
        ...

    async def modify(self, request: ModifyRequest, permit: SendPermit) -> ModifyOutcome:
        """Ask to change a working order once; the same four ends and the same permit as `submit` (I-21)."""
        ...

    async def ping(self) -> None:
        """Return once the stream has proven to be alive; raises BrokerUnavailable when it has not.

        Its own heartbeat where it has one: an answer to a question proves nothing about another connection.
        """
        ...

    async def history(self, account_id: AccountId, trade_date: str) -> OrderHistory:
        """Return every order of that day, complete; raises BrokerUnavailable when any page fails (I-39)."""
        ...

    async def balance(self, account_id: AccountId) -> Balance:
        """Return all holdings and cash, complete; raises BrokerUnavailable otherwise."""
        ...

    def reports(self) -> AsyncIterator[BrokerReport]:
        """Yield notices until closed. After an interruption yields StreamGap and goes on.

        Where the broker names its costs it yields a CostReport for each number, perhaps late or repeated,
        and a history names them too, so that a lost report is made up for (I-37).
        """
        ...
