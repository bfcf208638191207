"""Who may call: app keys with their secrets, their HTS ids, and the accounts each may trade.

Real and paper keys are different customers: a key never works in the other environment (kis.md 1.1).
"""

import hashlib
from typing import Final, Literal

import msgspec

Environment = Literal["real", "paper"]
APP_KEY_LENGTH: Final = 36
APP_SECRET_LENGTH: Final = 180


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """One app key. `accounts` are named as in `12345678-01`; notices are sent under the HTS id."""

    app_key: str
    app_secret: str
    hts_id: str
    environment: Environment
    accounts: tuple[str, ...]

    def __repr__(self) -> str:
        """Name the customer without its key and its secret."""
        return f"Customer(hts_id={self.hts_id!r}, environment={self.environment!r}, accounts={self.accounts})"


def demo_customer(
    environment: Environment = "real",
    *,
    hts_id: str = "demo",
    accounts: tuple[str, ...] = ("12345678-01",),
) -> Customer:
    """Return a customer whose key and secret have KIS's lengths and are good for nothing anywhere else."""
    return Customer(
        app_key=_letters(f"key/{environment}/{hts_id}", APP_KEY_LENGTH),
        app_secret=_letters(f"secret/{environment}/{hts_id}", APP_SECRET_LENGTH),
        hts_id=hts_id,
        environment=environment,
        accounts=accounts,
    )


def demo_customers() -> tuple[Customer, ...]:
    """Return one customer for each environment, on accounts of their own."""
    return (
        demo_customer("real", hts_id="demo", accounts=("12345678-01",)),
        demo_customer("paper", hts_id="demopaper", accounts=("50012345-01",)),
    )


def _letters(seed: str, length: int) -> str:
    text = "PS" if seed.startswith("key") else ""
    count = 0
    while len(text) < length:
        text += hashlib.sha256(f"jumun demo {seed} {count}".encode()).hexdigest()
        count += 1
    return text[:length]
