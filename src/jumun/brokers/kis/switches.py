"""What nobody has seen KIS do for certain: each open question of kis.md part 8 is a switch with a default.

The defaults refuse rather than guess. Change one only after the real service has shown it, and say where.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Literal, get_args, get_type_hints

import msgspec

from jumun.model.errors import ConfigError


class KisSwitches(msgspec.Struct, frozen=True, kw_only=True):
    """How unconfirmed behaviour is read."""

    # What is sent
    native_stops: bool = False  # send STOP_LIMIT as kind 22; else the desk holds stops itself (C-11)
    nxt_market_immediate: bool = False  # kinds 13 and 14 at NXT: listed, but NXT takes no market order (4.1)
    send_branch: bool = True  # KRX_FWDG_ORD_ORGNO in a change; official examples send "" (part 8, 18)
    # A revise of a part leaves the rest at work under the old number (3.1.3), so it lowers nothing. True: KIS
    # drops the rest, and one request can change price and quantity together.
    revise_part_drops_rest: bool = False
    us_partial_cancel: bool = (
        False  # whether a US cancel may name fewer shares than are open (not documented)
    )
    # What is read
    cancel_rows_marked: bool = True  # the row of a cancel itself carries cncl_yn Y
    blank_routing_is_krx: bool = True  # a row without excg_id_dvsn_cd: KRX is the documented default (4.2)
    # After an order's session: shares that KIS calls cancelled though nobody asked. KRX cancels at its close
    # (3.1.1), so that is an expiry, and a multi-day order lives on. A mass cancel of the exchange is heard of
    # earlier, in the session (F-52); where it is feared to be missed, set False.
    silent_cancel_is_expiry: bool = True
    # A day's list only grows: one that is shorter than it was has lost rows (F-35, F-41). The US list names
    # no totals, so nothing else would show it.
    rows_stay: bool = True
    # A page without rows says KIOK0560, "nothing found" (1.4): without that mark it may have lost its rows
    # (F-40). Where totals say that there are none, no mark is asked for; US lists have no totals (3.3.4).
    empty_is_marked: bool = True
    # The limits and the tick of a day that KIS tells with a price are those of our tables, or the symbol's
    # orders are refused: one of us has a wrong base price, or a table of another date (3.2.1, F-98).
    limits_agree: bool = True
    krw_cash: Literal["prvs_rcdl_excc_amt", "nxdy_excc_amt", "dnca_tot_amt"] = (
        "prvs_rcdl_excc_amt"  # D+2 first
    )
    usd_cash: Literal["frcr_dncl_amt_2", "frcr_drwg_psbl_amt_1"] = "frcr_dncl_amt_2"


DEFAULTS = KisSwitches()


def switches_of(given: Mapping[str, str]) -> KisSwitches:
    """Return the switches with those of `given` set; raises ConfigError naming one that cannot be (S004-48).

    `given` holds texts by name: true or false, or one of the words that the switch takes.
    """
    known = KisSwitches.__struct_fields__
    for name in given:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            meant = f"did you mean {close[0]}?" if close else f"use one of {', '.join(sorted(known))}"
            raise ConfigError(f"KIS_SWITCHES: {name!r} is no switch; {meant}")
    texts = {name: text.strip().lower() for name, text in given.items()}
    for name, text in texts.items():
        if text not in (words := words_of(name)):
            raise ConfigError(
                f"KIS_SWITCHES: {name} is {text!r}; give {', '.join(words[:-1])} or {words[-1]}"
            )
    return msgspec.convert(texts, KisSwitches, strict=False)


def words_of(name: str) -> tuple[str, ...]:
    """Return what a switch can be."""
    kind = get_type_hints(KisSwitches)[name]
    return ("true", "false") if kind is bool else get_args(kind)
