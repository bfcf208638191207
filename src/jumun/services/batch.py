"""What the desk has decided and not yet written: commands, who waits, and the records of the batch."""

import asyncio

import msgspec

from jumun.model.commands import Command
from jumun.model.errors import OmsError
from jumun.model.events import CancelIntended, ModifyIntended, SendIntended
from jumun.model.journal import Entry
from jumun.rules.draft import Decision

Effect = SendIntended | CancelIntended | ModifyIntended


class Ticket(msgspec.Struct, frozen=True):
    """A decision, and the moment it is durable. What it says must not be told to anyone before.

    The decision that became durable is the one that the future holds: after a refused batch it may be
    another one, an order that was there already for instance.
    """

    decision: Decision
    durable: "asyncio.Future[Decision]"


class Waiting(msgspec.Struct, frozen=True):
    """A command whose decision is not durable yet, and who waits for it."""

    command: Command
    decision: Decision
    durable: "asyncio.Future[Decision]"

    def tell(self) -> None:
        """It is durable. A caller that left does not stop its order."""
        if not self.durable.done():
            self.durable.set_result(self.decision)

    def give_up(self, error: OmsError) -> None:
        """It will not be durable."""
        if not self.durable.done():
            self.durable.set_exception(error)
            self.durable.exception()  # whoever does not wait for it must not be warned about it later


class Batch:
    """What the next transaction will hold, and what waits for it."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.answers: list[Waiting] = []
        self.effects: list[Effect] = []

    def __bool__(self) -> bool:
        return bool(self.entries or self.answers)
