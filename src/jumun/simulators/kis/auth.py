"""Access tokens, approval keys and hashkeys (kis.md part 2).

A token is one token: asked for again within six hours it is the same, and one minute must pass in between.
Keys are digests of who asked and when; chance would make a day that cannot be repeated.
"""

import hashlib
from typing import Final

import msgspec

from jumun.simulators.kis.customers import Customer
from jumun.simulators.kis.figures import NS, korean
from jumun.simulators.kis.messages import TOO_FAST, KisRefused
from jumun.simulators.kis.switches import KisSwitches

MINUTE_NS: Final = 60 * NS
DAY_S: Final = 86_400
APPROVALS_MAX: Final = 1_000  # of all customers; the oldest go first
BODY_MAX: Final = 64 * 1024  # bytes of any request; the longest order body has some hundred


class Token(msgspec.Struct, kw_only=True):
    """One access token."""

    text: str
    app_key: str
    issued_ns: int
    expires_ns: int

    def __repr__(self) -> str:
        """Name no secret."""
        return f"Token(issued_ns={self.issued_ns}, expires_ns={self.expires_ns})"


class Tokens:
    """What was given out, and to whom."""

    def __init__(self, switches: KisSwitches) -> None:
        self.switches = switches
        self._tokens: dict[str, Token] = {}
        self._newest: dict[str, str] = {}  # by app key
        self._asked_ns: dict[str, int] = {}
        self._approvals: dict[str, tuple[Customer, int]] = {}
        self._approval_seconds: dict[str, tuple[int, int]] = {}
        self._count = 0

    def issue(self, customer: Customer, now_ns: int) -> dict[str, object]:
        """Return the token answer; raises KisRefused within a minute of the last one (EGW00133)."""
        asked_ns = self._asked_ns.get(customer.app_key)
        if self.switches.token_limit and asked_ns is not None and now_ns - asked_ns < MINUTE_NS:
            raise KisRefused("EGW00133")
        self._asked_ns[customer.app_key] = now_ns
        token = self._reusable(customer, now_ns) or self._new(customer, now_ns)
        expires = korean(token.expires_ns)
        return {
            "access_token": token.text,
            "token_type": "Bearer",
            # As at the issue, also when the token is an older one: trust the timestamp (kis.md 2.1).
            "expires_in": self.switches.token_life_s,
            "access_token_token_expired": expires.strftime("%Y-%m-%d %H:%M:%S"),
        }

    def _reusable(self, customer: Customer, now_ns: int) -> Token | None:
        token = self._tokens.get(self._newest.get(customer.app_key, ""))
        if token is None or token.expires_ns <= now_ns:
            return None
        return token if now_ns - token.issued_ns < self.switches.token_reuse_s * NS else None

    def _new(self, customer: Customer, now_ns: int) -> Token:
        self._tokens = {
            text: token for text, token in self._tokens.items() if token.expires_ns > now_ns - DAY_S * NS
        }
        digest = self._digest("token", customer, now_ns)
        token = Token(
            text=f"eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzUxMiJ9.{digest}.{digest[::-1]}",
            app_key=customer.app_key,
            issued_ns=now_ns,
            expires_ns=now_ns + self.switches.token_life_s * NS,
        )
        self._tokens[token.text] = token
        self._newest[customer.app_key] = token.text
        return token

    def check(self, authorization: str, customer: Customer, now_ns: int) -> None:
        """Raise KisRefused unless the header carries a living token of this customer."""
        scheme, _, text = authorization.strip().partition(" ")
        if not authorization.strip():
            raise KisRefused("EGW00122")
        if scheme.lower() != "bearer":
            raise KisRefused("EGW00205")
        token = self._tokens.get(text.strip())
        if token is None or token.app_key != customer.app_key:
            raise KisRefused("EGW00121")
        if token.expires_ns <= now_ns:
            raise KisRefused("EGW00123", status=self.switches.expired_status)

    def revoke(self, customer: Customer, text: str) -> None:
        """Take a token back; raises KisRefused for one that is not this customer's."""
        token = self._tokens.get(text)
        if token is None or token.app_key != customer.app_key:
            raise KisRefused("EGW00121")
        del self._tokens[text]

    def expire_all(self, now_ns: int) -> None:
        """Let every token be expired from now on, as a fault: the next call is told EGW00123."""
        for token in self._tokens.values():
            token.expires_ns = min(token.expires_ns, now_ns)

    # ---- approval keys ----------------------------------------------------------------------------------

    def issue_approval(self, customer: Customer, now_ns: int) -> str:
        """Return a new approval key; raises KisRefused when too many are asked for in one second."""
        second, count = self._approval_seconds.get(customer.app_key, (-1, 0))
        if second != now_ns // NS:
            second, count = now_ns // NS, 0
        if self.switches.approval_limit and count >= self.switches.approval_limit:
            raise KisRefused(TOO_FAST)
        self._approval_seconds[customer.app_key] = (second, count + 1)
        digest = self._digest("approval", customer, now_ns)
        parts = (digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32])
        key = "-".join(parts)
        while len(self._approvals) >= APPROVALS_MAX:
            del self._approvals[next(iter(self._approvals))]
        self._approvals[key] = (customer, now_ns + DAY_S * NS)
        return key

    def approve(self, key: str, now_ns: int) -> Customer | None:
        """Return whose living approval key it is."""
        customer, expires_ns = self._approvals.get(key, (None, 0))
        return customer if now_ns < expires_ns else None

    def _digest(self, what: str, customer: Customer, now_ns: int) -> str:
        self._count += 1
        text = f"{what}/{customer.app_key}/{customer.app_secret}/{now_ns}/{self._count}"
        return hashlib.sha256(text.encode()).hexdigest()


def hash_of(body: object) -> str:
    """Return the digest of an order body; how it was written, and in which order, does not matter."""
    return hashlib.sha256(msgspec.json.encode(body, order="deterministic")).hexdigest()
