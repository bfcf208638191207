"""What goes on when the store takes nothing more (I-21, I-47, F-81), and what must wait for a person.

Only what makes things safer or better known: cancels, what the broker says, what it answers to requests that
were on their way. Each is written to the space kept aside and synced before it has any effect.
"""

from jumun.model.commands import (
    AssignBreak,
    BookEntry,
    Command,
    HearPrice,
    ModifyOrder,
    RecordMarks,
    ResumeTrading,
    SendNext,
    SettleBreak,
    SettleOrder,
    SubmitOrder,
)
from jumun.model.errors import StoreBusy, StoreFull, StoreUnavailable

WAITS = (
    SubmitOrder,
    ModifyOrder,
    SendNext,
    SettleOrder,
    BookEntry,
    AssignBreak,
    SettleBreak,
    RecordMarks,  # worth no bytes of the reserve
    ResumeTrading,
)


def can_go_on_after(error: Exception) -> bool:
    """Whether nothing of the batch was written for certain, so that the chain can go on elsewhere."""
    return isinstance(error, StoreFull | StoreBusy)


def must_wait(command: Command) -> bool:
    """Whether a command is refused until the store takes records again."""
    return isinstance(command, WAITS)


def is_moot(command: Command) -> bool:
    """A held stop that is touched could not be sent: it is looked at again when trading goes on."""
    return isinstance(command, HearPrice)


def refusal(command: Command, why: str) -> StoreUnavailable:
    """Return the sentence for a command that must wait."""
    return StoreUnavailable(
        f"{type(command).__name__} must wait: {why}; cancels and reports go on. Make room, then start again"
    )
