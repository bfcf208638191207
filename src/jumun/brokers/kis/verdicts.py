"""What an answer of KIS proves about a request: done, refused, not executed, or nothing (kis.md 6.1 to 6.4).

Only codes on a list prove that an order was not executed (F-09). A code nobody knows proves it only where
KIS's own service answered: HTTP 200 with an rt_cd other than 0. Everything else is unknown: one must ask.
"""

from enum import StrEnum
from typing import Final

HTTP_OK: Final = 200
SUCCESS: Final = "0"  # rt_cd


class Verdict(StrEnum):
    """What became of a request."""

    DONE = "done"  # KIS took it; for an order: not yet at the exchange
    REFUSED = "refused"  # the service said no (F-07)
    NOT_EXECUTED = "not_executed"  # the gateway said no before the ledger: to be put right, not repeated
    THROTTLED = "throttled"  # … because of its rate limits: to be repeated after a wait (F-09)
    REAUTH = "reauth"  # … because of the token: to be repeated with a new one (F-10)
    UNKNOWN = "unknown"  # it may have been carried out (F-03, F-06)


THROTTLED: Final = frozenset({"EGW00201", "EGW00215"})  # our own limit; that of the ledger, for all customers
REAUTH: Final = frozenset({"EGW00121", "EGW00122", "EGW00123"})
# The request was wrong in form or right. That the gateway stands before the ledger is inferred (kis.md 6.4).
NOT_EXECUTED: Final = frozenset(
    {
        "EGW00101",  # invalid request
        "EGW00102",  # app key missing
        "EGW00103",  # app key invalid
        "EGW00104",  # app secret missing
        "EGW00105",  # app secret invalid
        "EGW00115",  # grant_type missing
        "EGW00116",  # grant_type invalid
        "EGW00131",  # hashkey invalid
        "EGW00132",  # content-type invalid
        "EGW00205",  # token is not of type Bearer
        "EGW00206",  # no permission for this function
        "EGW00207",  # ip_addr invalid
        "EGW00208",  # custtype invalid
        "EGW00209",  # seq_no invalid
        "EGW00210",  # a company on paper
        "EGW00213",  # not offered on paper
        "EGW2004",  # not offered on paper
    }
)
# Listed, and no proof of anything, whatever status they come with.
UNKNOWN: Final = frozenset(
    {
        "EGW00001",  # temporary fault
        "EGW00002",  # server error
        "EGW00003",  # access denied: not among the codes of kis.md 6.4, so no proof
        "EGW00004",  # rights: likewise
        "EGW00133",  # a token was issued less than a minute ago: no answer to an order
        "EGW00202",  # gateway routing
        "EGW00203",  # service routing
        "EGW00204",  # meaning not captured
        "EGW00300",  # routing
        "EGW00301",  # back end: connection timed out
        "EGW00302",  # transaction timed out
        "EGW00303",  # gateway internal
        "EGW00304",  # app secret: not among the codes of 6.4
        "OPSQ0003",  # transport-like (inferred)
        "OPSQ0009",
        "OPSQ3001",  # internal or protocol
        "OPSQ3002",
        "OPSQ3004",
        "OPSQ9995",
        "OPSQ9996",
        "OPSQ9997",
        "OPSQ9998",
        "OPSQ9999",
    }
)
# Codes that begin so are the gateway's: one nobody knows is no word of the service, also with HTTP 200.
GATEWAY_PREFIXES: Final = ("EGW", "IGW")

# KIS no longer knows the function, or will not have us use it: nothing more should be sent (F-60).
CONTRACT_BROKEN: Final = frozenset({"EGW00206", "EGW00213", "EGW2004", "OPSQ0002"})
NOT_A_BUSINESS_DAY: Final = "40100000"  # paper only
NOTHING_FOUND: Final = "KIOK0560"  # a success without rows
BUSINESS: Final = {  # kis.md 6.3, for people; sources disagree, so nothing is decided by these
    "APBK0952": "the amount exceeds the buying power",
    "APBK0400": "the quantity exceeds what can be sold",
    "APBK0656": "no such symbol",
    "APBK0918": "market closed, cash or quantity: read the text",
    "APBK0919": "market closed, or cash: read the text",
    "APBK1664": "the US market is closed",
    "APBK1943": "this kind of market order is not taken now",
    "APBK3013": "the after-market takes limit, best and priority orders only",
    "APBK1234": "not enough shares held",
    NOT_A_BUSINESS_DAY: "not a business day",
}


def verdict_of(status: int, rt_cd: str, msg_cd: str) -> Verdict:
    """Judge a readable answer by its HTTP status and its two codes."""
    if msg_cd in UNKNOWN:
        return Verdict.UNKNOWN
    if rt_cd == SUCCESS:
        # A code of failure beside a success contradicts itself, as does a success with another status.
        listed = msg_cd in THROTTLED | REAUTH | NOT_EXECUTED or msg_cd.startswith(GATEWAY_PREFIXES)
        return Verdict.DONE if status == HTTP_OK and not listed else Verdict.UNKNOWN
    if msg_cd in THROTTLED:
        return Verdict.THROTTLED
    if msg_cd in REAUTH:
        return Verdict.REAUTH
    if msg_cd in NOT_EXECUTED:
        return Verdict.NOT_EXECUTED
    if status != HTTP_OK or msg_cd.startswith(GATEWAY_PREFIXES):
        return Verdict.UNKNOWN
    return Verdict.REFUSED
