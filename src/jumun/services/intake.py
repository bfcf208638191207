"""From what a door received to an intent: texts become values, names become accounts and users.

Nothing is guessed (F-96): what is missing, odd or unknown is refused with its field. Whether an order is
allowed is the desk's business, not decided here.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeVar

import msgspec

from jumun.limits import SIGNAL_AHEAD_S, SIGNAL_BEHIND_S, TEXT_MAX
from jumun.model.errors import BadInput, OmsError
from jumun.model.ids import AccountId, IdempotencyKey, UserId
from jumun.model.instruments import Venue
from jumun.model.money import to_decimal
from jumun.model.orders import Order, OrderType, Side, TimeInForce, TradingSession
from jumun.model.positions import Account
from jumun.model.reasons import Reason
from jumun.model.signals import ApprovedOrderIntent
from jumun.rules.decide_submit import key_of
from jumun.rules.signals import instant_ns

__all__ = [
    "Asked",
    "Intake",
    "choice",
    "instant_ns",
    "is_near",
    "number",
    "optional_choice",
    "optional_number",
]

NS: Final = 1_000_000_000
MANUAL: Final = "manual"  # the strategy of an order that a person sent
_Choice = TypeVar("_Choice", bound=StrEnum)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a door understood of a request, before names are looked up."""

    symbol: str
    side: Side
    order_type: OrderType
    qty: Decimal
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce | None = None
    account_id: str = ""
    user_id: str = ""
    client_order_id: str = ""  # an explicit name: the same one gives the same order
    strategy_id: str = ""
    strategy_version: str = ""
    signal_ts_ns: int
    leg: str = ""
    venue: Venue | None = None  # None: where the issue is listed
    session: TradingSession | None = None  # None: the regular one
    good_till: str = ""  # GTD only: ISO date


class Intake:
    """Knows the accounts and who may use them."""

    def __init__(self, accounts: Mapping[AccountId, Account]) -> None:
        self._accounts = accounts

    def intent(self, asked: Asked) -> ApprovedOrderIntent:
        """Return the intent; raises BadInput naming the field."""
        account = self.account(asked.account_id)
        user_id = self.user(account, asked.user_id)
        if not asked.client_order_id and not asked.strategy_id:
            raise BadInput(
                "the request has no id of its own and no strategy_id to tell it from another one; give one",
                reason=Reason.BAD_INPUT,
            )
        strategy_id = name(asked.strategy_id or MANUAL, "strategy_id")
        return ApprovedOrderIntent(
            account_id=account.account_id,
            symbol=name(asked.symbol, "symbol"),
            side=asked.side,
            order_type=asked.order_type,
            qty=asked.qty,
            price=asked.price,
            stop_price=asked.stop_price,
            time_in_force=asked.time_in_force,
            strategy_id=strategy_id,
            strategy_version=name(asked.strategy_version or strategy_id, "strategy_version"),
            signal_ts_ns=asked.signal_ts_ns,
            leg=name(asked.leg, "leg") if asked.leg else "",
            user_id=user_id,
            client_order_id=name(asked.client_order_id, "id") if asked.client_order_id else None,
            venue=asked.venue,
            session=asked.session,
            good_till=iso_date(asked.good_till, "good_till") if asked.good_till else "",
        )

    async def require_near(
        self,
        intent: ApprovedOrderIntent,
        now_ns: int,
        known: Callable[[IdempotencyKey], Awaitable[Order | None]],
    ) -> None:
        """Refuse a signal time far from now, unless `known` has the order: a repeat is answered, however old.

        A time in the wrong unit or of a wrong clock would make a key of its own, and so a second order.
        """
        if is_near(intent, now_ns) or await known(key_of(intent)) is not None:
            return
        at = datetime.fromtimestamp(intent.signal_ts_ns // NS, UTC).isoformat()
        raise BadInput(
            f"the signal's time {at} is more than {SIGNAL_AHEAD_S // 3600} hours ahead of this service or "
            f"{SIGNAL_BEHIND_S // 86_400} days behind it; correct the time or its unit",
            reason=Reason.BAD_TIME,
        )

    def account(self, account_id: str) -> Account:
        """Return the named account, or the only one when none is named."""
        if not account_id:
            if len(self._accounts) == 1:
                return next(iter(self._accounts.values()))
            known = ", ".join(self._accounts)
            raise BadInput(f"account_id is missing; give one of {known}", reason=Reason.UNKNOWN_ACCOUNT)
        account = self._accounts.get(AccountId(account_id))
        if account is None:
            raise BadInput(
                f"account {account_id[:TEXT_MAX]!r} is not configured; add it to the accounts or correct it",
                reason=Reason.UNKNOWN_ACCOUNT,
            )
        return account

    def user(self, account: Account, user_id: str) -> UserId:
        """Return the named user of the account, or its first one when none is named."""
        if not user_id:
            return account.users[0]
        if UserId(user_id) not in account.users:
            raise BadInput(
                f"user {user_id[:TEXT_MAX]!r} may not use account {account.account_id}; add it to its users",
                reason=Reason.PERMISSION,
            )
        return UserId(user_id)

    def any_user(self, user_id: str) -> UserId | None:
        """Return the user whose orders are meant: the named one, else the first of the only account."""
        if user_id:
            return UserId(name(user_id, "user_id"))
        if len(self._accounts) == 1:
            return next(iter(self._accounts.values())).users[0]
        return None


def is_near(intent: ApprovedOrderIntent, now_ns: int) -> bool:
    """Return whether the signal's time is of these days; where not, only a repeat is answered."""
    return -SIGNAL_BEHIND_S * NS <= intent.signal_ts_ns - now_ns <= SIGNAL_AHEAD_S * NS


def name(text: str, field: str) -> str:
    """Return a short printable name without '|', which separates the parts of a key; raises BadInput."""
    if not text.strip() or len(text) > TEXT_MAX or "|" in text or not text.isprintable():
        raise BadInput(
            f"{field} is missing, longer than {TEXT_MAX} characters, or holds '|' or control characters; "
            "give a short text"
        )
    return text.strip()


def choice(kind: type[_Choice], text: str, field: str, reason: Reason = Reason.BAD_INPUT) -> _Choice:
    """Return a member by its name in any case; raises BadInput with the list."""
    word = text.strip().upper()
    if word not in kind.__members__:
        known = ", ".join(kind.__members__)
        raise BadInput(f"{field} {text[:TEXT_MAX]!r} is unknown; use one of {known}", reason=reason)
    return kind[word]


def number(text: str, field: str) -> Decimal:
    """Return an exact number; raises BadInput with BAD_NUMBER."""
    try:
        return to_decimal(text, field=field)
    except OmsError as error:
        raise BadInput(str(error), reason=error.reason) from error


def optional_choice(kind: type[_Choice], text: str, field: str) -> _Choice | None:
    """Return a member by its name, or None for an empty text."""
    return choice(kind, text, field) if text else None


def iso_date(text: str, field: str) -> str:
    """Return a day as ISO text; raises BadInput with BAD_TIME."""
    try:
        return date.fromisoformat(text.strip()).isoformat()
    except ValueError as error:
        raise BadInput(
            f"{field} {text[:TEXT_MAX]!r} is no day; write it as 2026-11-20", reason=Reason.BAD_TIME
        ) from error


def optional_number(text: str, field: str) -> Decimal | None:
    """Return an exact number, or None for an empty text."""
    return number(text, field) if text else None
