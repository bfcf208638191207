"""The one exception tree. Each message says what, which one, and what to do next.

OmsError                    anything we raise on purpose; carries a reason code
  OrderDenied               we said no before the order left: a rule or a state
  BadInput                  a request that cannot be read: nothing was created
  KeyConflict               an explicit client key was reused with other content (F-14)
  UnknownOrder              no order has this id
  BrokerUnavailable         no answer; nothing is known about the request
  UnreadableReply           an answer we could not read; the bytes are kept
  OpeningUnknown            what an account began with cannot be told from what the broker says now
  StoreUnavailable          the journal cannot be read or written; new orders stop
    StoreBusy               … at this moment only: the same batch is tried again
    BatchRefused            … but the store is sound: the batch contradicts what is stored
    StoreFull               … for good, but nothing was written and what is there can be read
  StoreLocked               another process writes this store
  TornJournal               a record is torn or altered; names its number (I-26)
  ConfigError               a setting is missing or impossible; names the key and a working value
"""

from typing import ClassVar

from jumun.model.reasons import Reason


class OmsError(Exception):
    """Anything jumun raises on purpose: a reason code and one sentence for a person."""

    default_reason: ClassVar[Reason] = Reason.INTERNAL

    def __init__(self, message: str, *, reason: Reason | None = None) -> None:
        super().__init__(message)
        self.reason = reason if reason is not None else self.default_reason

    @property
    def code(self) -> str:
        """The reason as text, as doors print it."""
        return self.reason.value


class OrderDenied(OmsError):
    """We refused the order before it left."""

    default_reason = Reason.DENIED


class BadInput(OmsError):
    """The request cannot be read; it is refused and the rest goes on."""

    default_reason = Reason.BAD_INPUT


class KeyConflict(OmsError):
    """The same explicit client key came with other content (F-14); the first order is untouched."""

    default_reason = Reason.KEY_CONFLICT


class UnknownOrder(OmsError):
    """No order has this id."""

    default_reason = Reason.UNKNOWN_ORDER


class BrokerUnavailable(OmsError):
    """The broker gave no answer; nothing is known about the request."""

    default_reason = Reason.BROKER_UNAVAILABLE


class UnreadableReply(OmsError):
    """The broker answered something we could not read; the raw text is kept in `raw`."""

    default_reason = Reason.UNREADABLE_REPLY

    def __init__(self, message: str, *, raw: str) -> None:
        super().__init__(message)
        self.raw = raw


class OpeningUnknown(OmsError):
    """The first start of an account cannot book what it holds: some of it traded already today."""

    default_reason = Reason.OPENING_UNKNOWN


class StoreUnavailable(OmsError):
    """The journal cannot be written or read (full, read-only or failed disk)."""

    default_reason = Reason.STORE_UNAVAILABLE


class StoreBusy(StoreUnavailable):
    """Another program holds the store at this moment; nothing was begun, so it can be tried again (F-85)."""


class BatchRefused(StoreUnavailable):
    """A batch contradicts what is stored: a gap, a key that is taken, an illegal status.

    Nothing was written and the store is sound: the next good batch is welcome. `reason` is KEY_CONFLICT
    when an order's key, client id, broker number or fill is taken.
    """


class StoreFull(StoreUnavailable):
    """The store takes nothing more (full or read-only): nothing of the batch was written, for certain, and
    what is stored can still be read. Cancels and reports go on in the space kept aside (I-21, F-81).
    """


class StoreLocked(OmsError):
    """Another process writes this store (F-72, I-27); the message names it."""

    default_reason = Reason.STORE_LOCKED


class TornJournal(OmsError):
    """A journal record is torn or altered (F-84, I-26); `record` is its number."""

    default_reason = Reason.TORN_JOURNAL

    def __init__(self, message: str, *, record: int) -> None:
        super().__init__(message)
        self.record = record


class ConfigError(OmsError):
    """A setting is missing or impossible; the message names the key and a working value."""

    default_reason = Reason.BAD_SETTING
