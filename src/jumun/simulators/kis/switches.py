"""What nobody has confirmed about KIS's REST side, as switches; their sources are in README.md."""

from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches
from typing import Final, Literal

import msgspec

from jumun.model.errors import ConfigError


class KisSwitches(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One simulated KIS. The stream has switches of its own."""

    # The gateway
    rate_limit: int | None = None  # calls a second for each app key; None: 18 real, 1 paper; 0: no limit
    balance_limit: int = 120  # domestic balance inquiries a second, all customers together; 0: no limit
    token_limit: bool = True  # one token a minute for each app key, else EGW00133
    token_reuse_s: int = 21_600  # a token asked for again that soon is the same one
    token_life_s: int = 86_400
    approval_limit: int = 1  # approval keys a second for each app key; 0: no limit
    expired_status: Literal[200, 500] = 500  # HTTP status of EGW00123
    hashkey: bool = True  # a hashkey that is sent must fit its body
    old_trs: bool = True  # the TR ids from before the NXT launch are still taken
    # Orders
    sor: Literal["best", "krx", "nxt"] = "best"
    closed_code: Literal["APBK0919", "APBK0918"] = "APBK0919"  # the domestic market is closed
    refusals: Literal["reply", "notice"] = "reply"  # how the exchange's own refusals are told
    daytime_symbols: str = "all"  # US symbols that the day market trades, by commas; all: every listed one
    priceless: Literal["ignored", "refused"] = "ignored"  # a price on an order kind that has none
    # Inquiries
    history_lag_s: Decimal = Decimal(0)  # how long a row stays away after its order was taken
    expired_rows: Literal["cancelled", "remaining"] = "cancelled"
    replaced_rows: Literal["zero", "confirmed"] = "zero"  # what a revised row shows as cancel-confirmed
    cancel_rows: bool = True  # a cancel has a row of its own
    both_spellings: bool = True  # cnc_cfrm_qty and excg_id_dvsn_Cd stand behind the declared columns
    nothing_found: Literal["KIOK0560", "KIOK0510"] = "KIOK0560"
    history_boundary: Literal["months", "days"] = "months"  # between the two history TRs: 3 months or 90 days
    psbl_sell_block: Literal["output", "output1"] = "output"
    daytime_dates: Literal["local", "session"] = "local"  # what a list calls the evening of the US day market
    paper_nccs: bool = True  # paper answers VTTS3018R
    paper_quotes: bool = True  # paper answers search-stock-info and inquire-vi-status
    paper_present_rows: bool = False  # paper's present-balance lists holdings and currencies
    usd_krw: Decimal = Decimal(1450)  # GENERATED: the market knows no exchange rate


NAMES: Final = tuple(field.name for field in msgspec.structs.fields(KisSwitches))


def switches_from(given: Mapping[str, str], base: KisSwitches | None = None) -> KisSwitches:
    """Return `base` with switches set from texts; raises ConfigError naming one that cannot be.

    An empty text means true. `rate_limit` also takes `default` and `off`.
    """
    known = base or KisSwitches()
    for name in given:
        if name not in NAMES:
            close = get_close_matches(name, NAMES, n=1)
            meant = f"did you mean {close[0]}?" if close else f"use one of {', '.join(NAMES)}"
            raise ConfigError(f"{name!r} is no switch of the simulated KIS; {meant}")
    values: dict[str, object] = msgspec.structs.asdict(known)
    for name, text in given.items():
        values[name] = _value(name, text.strip())
        try:
            msgspec.convert(values, KisSwitches, strict=False)
        except msgspec.ValidationError as error:
            usual = getattr(KisSwitches(), name)
            instead = (
                "write true or false"
                if isinstance(usual, bool)
                else f"write for example {'off' if usual is None else usual}"
            )
            raise ConfigError(
                f"switch {name} of the simulated KIS cannot be {text!r} ({error}); {instead}"
            ) from error
    made = msgspec.convert(values, KisSwitches, strict=False)
    for name, number in msgspec.structs.asdict(made).items():
        if isinstance(number, int | Decimal) and number < 0:
            raise ConfigError(f"switch {name} of the simulated KIS is {number}; write 0 or more")
    return made


def _value(name: str, text: str) -> object:
    if name == "rate_limit":
        return {"default": None, "off": 0}.get(text, text)
    if name == "expired_status" and text.isdigit():
        return int(text)
    return text or "true"
