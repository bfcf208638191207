"""The gateway in front of the ledger: who calls, how often, for what (kis.md 1.2, 2.5, 6.1, 7.1)."""

from collections.abc import Mapping
from typing import Final

from jumun.ports.wire import HttpCall
from jumun.simulators.kis.auth import BODY_MAX, Tokens
from jumun.simulators.kis.contract import Contract, Found
from jumun.simulators.kis.customers import Customer
from jumun.simulators.kis.figures import NS
from jumun.simulators.kis.messages import (
    BALANCE_TOO_FAST,
    NOT_ON_PAPER,
    TOO_FAST,
    UNKNOWN_SERVICE,
    KisRefused,
)
from jumun.simulators.kis.switches import KisSwitches

REAL_PER_S: Final = 18  # since 2026-04-20
PAPER_PER_S: Final = 1
# Paper says of these that it knows no such service; of all others that it does not offer them (kis.md 6.2).
UNKNOWN_ON_PAPER: Final = frozenset({"chk-holiday"})
# kis.md 3.2 says that quotations are the same on both; contract.json has no paper TR id for these.
QUOTES_ON_PAPER: Final = frozenset({"search-stock-info", "inquire-vi-status"})


class Gate:
    """Keys, tokens, limits and TR ids."""

    def __init__(
        self, switches: KisSwitches, customers: tuple[Customer, ...], tokens: Tokens, contract: Contract
    ) -> None:
        self.switches = switches
        self._by_key = {customer.app_key: customer for customer in customers}
        self._tokens = tokens
        self._contract = contract
        self._seconds: dict[str, tuple[int, int]] = {}
        self._balance_second = (-1, 0)

    def customer(self, given: Mapping[str, str], secret_name: str = "appsecret") -> Customer:
        """Return who calls, by key and secret; raises KisRefused."""
        app_key, secret = given.get("appkey", ""), given.get(secret_name, "")
        if not app_key:
            raise KisRefused("EGW00102")
        if not secret:
            raise KisRefused("EGW00104")
        customer = self._by_key.get(app_key)
        if customer is None:
            raise KisRefused("EGW00103")
        if secret != customer.app_secret:
            raise KisRefused("EGW00105")
        return customer

    def count(self, customer: Customer, now_ns: int) -> None:
        """Count one call in its second of the clock; raises KisRefused above the limit (EGW00201)."""
        limit = self.switches.rate_limit
        if limit is None:
            limit = REAL_PER_S if customer.environment == "real" else PAPER_PER_S
        second, count = self._seconds.get(customer.app_key, (-1, 0))
        if second != now_ns // NS:
            second, count = now_ns // NS, 0
        if limit and count >= limit:
            raise KisRefused(TOO_FAST)
        self._seconds[customer.app_key] = (second, count + 1)

    def count_balance(self, now_ns: int) -> None:
        """Count a balance inquiry of anybody; raises KisRefused above the ledger's limit (EGW00215)."""
        second, count = self._balance_second
        if second != now_ns // NS:
            second, count = now_ns // NS, 0
        if self.switches.balance_limit and count >= self.switches.balance_limit:
            raise KisRefused(BALANCE_TOO_FAST)
        self._balance_second = (second, count + 1)

    def service(self, call: HttpCall, headers: Mapping[str, str], customer: Customer) -> Found:
        """Return what the TR id means there for this customer; raises KisRefused."""
        tr_id = headers.get("tr_id", "")
        if not tr_id:
            raise KisRefused("EGW00101", "tr_id는 필수입니다.")
        found = self._contract.find(call.method, call.path, tr_id, customer.environment)
        if found is None or (found.is_old and not self.switches.old_trs):
            raise KisRefused(UNKNOWN_SERVICE)
        if customer.environment == "real":
            if not found.offered:
                raise KisRefused(UNKNOWN_SERVICE)
            return found
        name = found.endpoint.name
        if name == "overseas-inquire-nccs":
            offered = self.switches.paper_nccs and found.offered
        else:
            offered = found.offered or (self.switches.paper_quotes and name in QUOTES_ON_PAPER)
        if not offered:
            raise KisRefused(UNKNOWN_SERVICE if name in UNKNOWN_ON_PAPER else NOT_ON_PAPER)
        return found

    def check_token(self, headers: Mapping[str, str], customer: Customer, now_ns: int) -> None:
        """Raise KisRefused without a living token."""
        self._tokens.check(headers.get("authorization", ""), customer, now_ns)


def check_content_type(call: HttpCall, headers: Mapping[str, str]) -> None:
    """Raise KisRefused for another kind of content; a question needs none."""
    kind = headers.get("content-type", "")
    if not kind and call.method == "GET":
        return
    if kind.partition(";")[0].strip().lower() != "application/json":
        raise KisRefused("EGW00132")


def check_customer_type(headers: Mapping[str, str], customer: Customer) -> None:
    """Raise KisRefused for a customer type that cannot be; clients that say none are persons."""
    kind = headers.get("custtype", "") or "P"
    if kind not in ("P", "B"):
        raise KisRefused("EGW00208")
    if kind == "P":
        return
    if customer.environment == "paper":
        raise KisRefused("EGW00210")
    if not headers.get("seq_no"):
        raise KisRefused("EGW00209")
    if not headers.get("ip_addr"):
        raise KisRefused("EGW00207")


def check_size(call: HttpCall) -> None:
    """Raise KisRefused for a body no request has."""
    if len(call.body) > BODY_MAX:
        raise KisRefused("EGW00101", "요청이 너무 깁니다.")
