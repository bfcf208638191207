"""Whether a start may have a store: books of one environment and broker are never true in another (I-55)."""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from jumun.model.errors import ConfigError
from jumun.ports.journal import Home

OTHER_STORE: Final = "use another store (OMS_STORE_PATH; in a replay --store)"


class Traces(msgspec.Struct, frozen=True, kw_only=True):
    """What the rows of a store that does not say whose it is tell all the same."""

    environments: frozenset[str]  # of the messages that are still kept
    accounts: frozenset[str]  # of its orders


def require_home(
    where: str, stored: Home | None, home: Home, accounts: Iterable[str], traces: Callable[[], Traces]
) -> None:
    """Raise ConfigError where the store is another's. `accounts` are those that the start trades.

    A store with records that does not say whose it is, as one of an older schema, may become that of this
    start unless a row contradicts it: a message of another environment, an order of an account that this
    start does not have. Orders do not name their broker; the account is the nearest that they say.
    """
    if stored == home:
        return
    if stored is not None:
        raise ConfigError(
            f"the store {where} belongs to OMS_ENVIRONMENT={stored.environment} with "
            f"OMS_BROKER={stored.broker}, and this start has OMS_ENVIRONMENT={home.environment} with "
            f"OMS_BROKER={home.broker}; {OTHER_STORE}"
        )
    found = traces()
    for environment in sorted(found.environments - {home.environment}):
        raise ConfigError(
            f"the store {where} has messages of OMS_ENVIRONMENT={environment}, and this start has "
            f"OMS_ENVIRONMENT={home.environment}; {OTHER_STORE}"
        )
    for account in sorted(found.accounts.difference(accounts)):
        raise ConfigError(
            f"the store {where} has orders of account {account}, which this start does not have, and does "
            f"not say whose it is; {OTHER_STORE}, or add the account"
        )
