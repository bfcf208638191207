"""Who we are at KIS and where we may reach it: environment, keys, accounts and addresses.

Paper and live differ by host, keys, transaction ids and account (kis.md 1.1). They cannot be mixed: an
address that is neither this machine nor the host of its environment is refused (I-55, F-101, S000-112).
"""

import ipaddress
import re
from collections.abc import Sequence
from enum import StrEnum
from hmac import compare_digest
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from jumun.model.errors import ConfigError
from jumun.model.ids import AccountId


class KisEnvironment(StrEnum):
    """Which of KIS's two services this process speaks to; one process, one environment."""

    PAPER = "paper"
    LIVE = "live"


# kis.md 1.1. The WebSocket has no TLS.
REST_BASE: Final = {
    KisEnvironment.LIVE: "https://openapi.koreainvestment.com:9443",
    KisEnvironment.PAPER: "https://openapivts.koreainvestment.com:29443",
}
WS_BASE: Final = {
    KisEnvironment.LIVE: "ws://ops.koreainvestment.com:21000",
    KisEnvironment.PAPER: "ws://ops.koreainvestment.com:31000",
}
WS_PATH: Final = "/tryitout"
# Calls a second for each app key (kis.md 7.1, notice of 2026-04-20). A setting can only lower it.
RATE_MAX: Final = {KisEnvironment.LIVE: 18, KisEnvironment.PAPER: 1}
RATE_LOCAL_MAX: Final = 10_000  # a simulator on this machine sets its own limit

_ACCOUNT = re.compile(r"([0-9]{8})-?([0-9]{2})", re.ASCII)
# Accounts of these products have programming interfaces of their own (kis.md 4.3): shares cannot be ordered.
_OTHER_PRODUCTS: Final = {"03": "futures and options", "29": "a retirement plan"}
_LOCAL: Final = {"KIS_BASE_URL": "http://127.0.0.1:9443", "KIS_WS_URL": "ws://127.0.0.1:21000"}
_SECURE: Final = {"https": "wss", "http": "ws"}
_KEY = re.compile(r"[!-~]{1,512}", re.ASCII)  # what a header can carry


class Secret:
    """A text that only `reveal` shows: printing, formatting or logging it shows stars (I-66)."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Keep `text`."""
        self._text = text

    def reveal(self) -> str:
        """Return the text; call it where the request is built and nowhere else."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a secret is not written down by accident; reveal it where it is needed")


class KisAccount(msgspec.Struct, frozen=True, kw_only=True):
    """One account: our name for it, and the two fields in which KIS wants it (CANO, ACNT_PRDT_CD)."""

    account_id: AccountId
    cano: str
    product: str


def parse_account(text: str, name: str = "KIS_ACCOUNT_NO") -> KisAccount:
    """Return the account of "12345678-01" or "1234567801" (S004-51); raises ConfigError otherwise.

    `name` is the setting that holds it.

    The message does not repeat the text: a mistyped account is still an account (I-66).
    """
    found = _ACCOUNT.fullmatch(text.strip())
    if found is None:
        raise ConfigError(
            f"{name} is {len(text)} characters that are no KIS account; give it as 12345678-01 or 1234567801"
        )
    cano, product = found.groups()
    if product in _OTHER_PRODUCTS:
        raise ConfigError(
            f"{name} ends in {product}, which is {_OTHER_PRODUCTS[product]}: shares cannot be "
            "ordered there; give a brokerage account such as 12345678-01"
        )
    return KisAccount(account_id=AccountId(f"{cano}-{product}"), cano=cano, product=product)


class KisAccess(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is needed to be let in. Built once at the start; a contradiction raises ConfigError.

    `rest_base` and `ws_base` are empty for KIS itself. A simulator on this machine may stand in for either
    environment; then both must be on this machine, or the real stream would tell of other orders.
    """

    environment: KisEnvironment
    app_key: Secret
    app_secret: Secret
    accounts: tuple[KisAccount, ...]
    hts_id: str  # notices are subscribed to by this name
    rate_per_s: int
    custtype: str = "P"
    use_hashkey: bool = False
    rest_base: str = ""
    ws_base: str = ""
    is_sim: bool = False  # only a KIS on this machine is meant: no message recommends KIS's own address

    def __post_init__(self) -> None:
        """Refuse what cannot work, before anything is sent."""
        for name, secret in (("KIS_APP_KEY", self.app_key), ("KIS_APP_SECRET", self.app_secret)):
            if not _KEY.fullmatch(secret.reveal()):
                raise ConfigError(f"{name} is empty or holds a blank or a line end; copy it from KIS again")
        if self.custtype not in ("P", "B"):
            raise ConfigError(f"custtype is {self.custtype!r}; give P for a person or B for a company")
        if not 1 <= self.rate_per_s <= RATE_LOCAL_MAX:
            raise ConfigError(
                f"KIS_RATE_LIMIT_RPS is {self.rate_per_s}; give 1 to {RATE_MAX[self.environment]} a second"
            )
        _check_accounts(self.accounts)
        if is_local(self.rest_url) is not is_local(self.ws_url):
            raise ConfigError(
                f"REST goes to {self.rest_url} and the stream to {self.ws_url}: one is a simulator on this "
                "machine and the other is KIS; set both bases, or neither"
            )

    def __repr__(self) -> str:
        return f"KisAccess({self.environment.value}, {self.rest_url}, {len(self.accounts)} accounts)"

    @property
    def rest_url(self) -> str:
        """Where requests go, without a path."""
        official = REST_BASE
        schemes = ("https", "http")
        return checked_base(
            self.rest_base, "KIS_BASE_URL", self.environment, official, schemes, is_sim=self.is_sim
        )

    @property
    def ws_url(self) -> str:
        """Where the stream is, without a path. Beside a local REST address it is the same one by default."""
        rest = urlsplit(self.rest_url)
        if not self.ws_base and is_local(self.rest_url):
            return f"{_SECURE[rest.scheme]}://{rest.netloc}"
        schemes = ("wss", "ws")
        return checked_base(
            self.ws_base, "KIS_WS_URL", self.environment, WS_BASE, schemes, is_sim=self.is_sim
        )

    @property
    def calls_per_s(self) -> int:
        """The budget of this app key: the setting, never above what KIS allows (S004-52)."""
        if is_local(self.rest_url):
            return self.rate_per_s
        return min(self.rate_per_s, RATE_MAX[self.environment])

    def account(self, account_id: AccountId) -> KisAccount:
        """Return the account of that name; raises ConfigError when this process may not use it."""
        for account in self.accounts:
            if account.account_id == account_id:
                return account
        raise ConfigError("an order names an account that is not among those of KIS_ACCOUNT_NO; add it there")


def checked_base(
    text: str,
    key: str,
    environment: KisEnvironment,
    official: dict[KisEnvironment, str],
    schemes: Sequence[str],
    *,
    is_sim: bool = False,
) -> str:
    """Return the address to use; raises ConfigError unless it is local or that of `environment`."""
    if not text and not is_sim:
        return official[environment]
    parts = _split(text, key, schemes)
    address = f"{parts.scheme}://{parts.netloc.lower()}"
    if is_local(address) or (not is_sim and address == official[environment]):
        return address
    if is_sim:
        raise ConfigError(
            f"{key} names {parts.hostname}, and OMS_ENVIRONMENT=sim reaches a KIS on this machine only; set "
            f"it to what `jumun simulate kis` prints, such as {_LOCAL[key]}"
        )
    for other, base in official.items():
        if address == base:
            raise ConfigError(
                f"{key} is the {other.value} address and the environment is {environment.value}; "
                f"give {official[environment]} or leave it out"
            )
    raise ConfigError(
        f"{key} names {parts.hostname}, which is neither KIS's {environment.value} host nor this machine; "
        f"give {official[environment]} or leave it out; a local KIS needs OMS_ENVIRONMENT=sim"
    )


def is_local(address: str) -> bool:
    """Whether an address is on this machine; a name other than localhost is not looked up."""
    host = urlsplit(address).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(text: str, key: str, schemes: Sequence[str]) -> SplitResult:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"{key} is no address ({error}); give one like http://127.0.0.1:9443") from None
    plain = parts.path in ("", "/") and not parts.query and not parts.fragment and "@" not in parts.netloc
    if parts.scheme not in schemes or not parts.hostname or port is None or not plain:
        raise ConfigError(
            f"{key} must be {' or '.join(schemes)}, a host and a port and nothing more; give one like "
            f"{schemes[-1]}://127.0.0.1:9443"
        )
    return parts


def _check_accounts(accounts: Sequence[KisAccount]) -> None:
    names = [account.account_id for account in accounts]
    if len(set(names)) != len(names):
        raise ConfigError("an account is named twice in KIS_ACCOUNT_NO; name each once")
