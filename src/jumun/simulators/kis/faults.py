"""The catalogue of faults: every name a rule may use, where it strikes, and what it needs to know.

F-ids are those of trading_controls.md section 8.
"""

from enum import StrEnum
from typing import Final

import msgspec


class Where(StrEnum):
    """What a fault strikes."""

    CALL = "call"  # a REST request
    NOTICE = "notice"  # an order notice on its way to its sessions
    TRADE = "trade"  # a price
    REGISTRATION = "registration"  # a session that registers a stream


class Fault(msgspec.Struct, frozen=True):
    """One fault: `takes` are the arguments of a rule that mean something to it."""

    where: Where
    takes: frozenset[str]
    text: str


def _fault(where: Where, text: str, *takes: str) -> Fault:
    return Fault(where, frozenset(takes), text)


_CALL, _NOTICE = Where.CALL, Where.NOTICE

FAULTS: Final[dict[str, Fault]] = {
    # ---- the way of a request (8.1)
    "connection_refused": _fault(_CALL, "F-01: no byte is taken; over a real socket: reset before reading"),
    "request_lost": _fault(_CALL, "F-04: never arrives, and nobody answers"),
    "reset_before": _fault(_CALL, "F-02: the connection is reset and nothing was carried out"),
    "reset_after": _fault(_CALL, "F-02: carried out, then the connection is reset"),
    "reset_midway": _fault(_CALL, "F-02: carried out, and the connection ends inside the answer"),
    "reply_lost": _fault(_CALL, "F-03: carried out, and nobody answers"),
    "slow_request": _fault(_CALL, "F-18: arrives late", "ms", "ms_max", "seconds"),
    "slow": _fault(_CALL, "F-05, F-18: carried out at once, answered late", "ms", "ms_max", "seconds"),
    "error_before": _fault(_CALL, "a 5xx page without JSON, and nothing was carried out", "status"),
    "error_after": _fault(_CALL, "F-06: carried out, answered with a 5xx page without JSON", "status"),
    "gateway_refusal": _fault(_CALL, "F-09: a gateway code before the ledger, default EGW00201", "code"),
    "gateway_timeout": _fault(_CALL, "F-06: carried out, answered EGW00301 (default) or EGW00302", "code"),
    "token_expired": _fault(_CALL, "F-10: answered EGW00123 (code) as HTTP 500 (status)", "code", "status"),
    "token_limit": _fault(_CALL, "F-11: a token is refused with EGW00133"),
    "refused": _fault(_CALL, "F-07, F-60: a service code, default APBK0952; nothing was carried out", "code"),
    "garbled": _fault(_CALL, "F-08: carried out, answered with 200 and no JSON"),
    "truncated": _fault(_CALL, "F-08: carried out, answered with half a body"),
    "login_page": _fault(_CALL, "F-12: a proxy answers 200 with a page of its own; nothing was carried out"),
    "swapped": _fault(_CALL, "F-17: carried out, answered with the answer to the call of this path before"),
    # ---- questions (8.3)
    "page_lost": _fault(
        _CALL, "F-36: a continuation page (tr_cont N) is never answered: the connection ends"
    ),
    "empty_page": _fault(_CALL, "F-40: 200 with no rows, whatever the totals say"),
    "stale": _fault(_CALL, "F-38, F-44: answered as the same question was answered before", "seconds"),
    "history_lag": _fault(_CALL, "F-35: rows of orders younger than `seconds` are missing", "seconds"),
    # ---- orders that behave (8.4)
    "partial_then_cancel": _fault(_CALL, "F-52: a new order fills by half, the exchange cancels the rest"),
    # ---- notices (8.2)
    "notice_lost": _fault(_NOTICE, "F-24: it is never sent"),
    "notice_late": _fault(_NOTICE, "F-21, F-22: sent later", "ms", "ms_max", "seconds"),
    "notice_doubled": _fault(_NOTICE, "F-20, F-31: sent again, `ms` later", "ms", "ms_max", "seconds"),
    "notice_reordered": _fault(_NOTICE, "F-21: sent behind the next one, or after a second (ms)", "ms"),
    "notice_undecryptable": _fault(_NOTICE, "F-28: encrypted with another key"),
    "notice_garbled": _fault(_NOTICE, "F-27, F-29: fields are missing inside a good cipher text"),
    "notice_layout": _fault(_NOTICE, "F-27: the other layout: 23 for 26 fields, 21 for 25"),
    "session_cut": _fault(_NOTICE, "F-19: the session ends instead, for `seconds` none is taken", "seconds"),
    "session_silent": _fault(_NOTICE, "F-25: from here nothing is sent for `seconds` (0: ever)", "seconds"),
    # ---- prices
    "trade_layout": _fault(Where.TRADE, "F-27: the other layout: 46 for 47 fields"),
    "trade_lost": _fault(Where.TRADE, "F-32: it is never sent"),
    # ---- sessions
    "session_refused": _fault(Where.REGISTRATION, "OPSP8996: the app key is said to be in use"),
    "registration_refused": _fault(Where.REGISTRATION, "F-26: refused, default OPSP0008", "code"),
}
ARGUMENTS: Final = frozenset({"seconds", "ms", "ms_max", "code", "status"})


def names(where: Where | None = None) -> list[str]:
    """Return the names of all faults, or of those that strike one thing, sorted."""
    return sorted(name for name, fault in FAULTS.items() if where in (None, fault.where))
