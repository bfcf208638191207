"""One request that has passed the gateway, and one answer: what the handlers take and give."""

from decimal import Decimal

import msgspec

from jumun.model.money import BadNumber, to_decimal
from jumun.simulators.kis.contract import Endpoint
from jumun.simulators.kis.customers import Customer
from jumun.simulators.kis.messages import COMPLETE, bad_field

Fields = dict[str, str]
Block = Fields | list[Fields]


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One request. Names of fields are in upper case; one that was not sent reads as empty."""

    endpoint: Endpoint
    customer: Customer
    fields: Fields
    is_old: bool = False
    is_next: bool = False  # tr_cont N: the next page
    tag: str = ""
    ip: str = ""

    @property
    def account_id(self) -> str:
        """The account, as in 12345678-01."""
        return f"{self.text('CANO')}-{self.text('ACNT_PRDT_CD')}"

    @property
    def is_paper(self) -> bool:
        """Whether the customer is in the paper environment."""
        return self.customer.environment == "paper"

    def text(self, name: str) -> str:
        """Return a field without the spaces around it."""
        return self.fields.get(name, "").strip()

    def number(self, name: str) -> Decimal:
        """Return a field as a number, 0 when it is empty; raises KisRefused."""
        text = self.text(name)
        if not text:
            return Decimal(0)
        try:
            number = to_decimal(text, field=name)
        except BadNumber as error:
            raise bad_field(name, "is no number") from error
        if number < 0:
            raise bad_field(name, "is below zero")
        return number

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """Return a field that must be one of `choices`; raises KisRefused."""
        text = self.text(name)
        if text not in choices:
            raise bad_field(name, f"is none of {' '.join(choices)}")
        return text


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A yes. Blocks hold what is known; every other declared field is filled with its empty value."""

    blocks: dict[str, Block]
    msg_cd: str = COMPLETE
    tr_cont: str = ""
    context: Fields = {}  # the continuation keys, padded
