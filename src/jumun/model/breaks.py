"""A break: our books and the broker's differ, and a person must find out why (M-03)."""

from decimal import Decimal

import msgspec

from jumun.model.ids import AccountId


class Break(msgspec.Struct, frozen=True, kw_only=True):
    """One open difference. `subject` is a symbol, or CASH:<currency>; quantities in shares or currency."""

    break_id: str
    account_id: AccountId
    subject: str
    ours: Decimal
    theirs: Decimal
    found_ns: int  # UTC; its age counts from here
    owner: str = ""
    text: str = ""  # what differs
    note: str = ""  # what its owner said when taking it

    @property
    def difference(self) -> Decimal:
        """What our books lack to agree with the broker's."""
        return self.theirs - self.ours
