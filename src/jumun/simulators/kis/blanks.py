"""What stands in a declared field that this market knows nothing about.

Clients read numbers out of nearly every field, so a field is "" only where it is a text or a date. The kind
of a field follows from how KIS names it (kis.md part 3).
"""

import re
from functools import lru_cache
from typing import Final

FLAG: Final = re.compile(r"_yn$")
DATE: Final = re.compile(r"(_dt|_date|_dtmd|_tmd|_hour|_mmdd|_month)$")
TEXT: Final = re.compile(
    r"(_name|_name120|_cd|_code|_text|_rson\d?|_no|_iscd|isnm|pdno|_tlno|_empno|_stfno|_brno|_orgno|odno|_seq"
    r"|_addr|cnnm|rsym|ordy|_rslt|_cano|cano|_dtl)$|^(acmga_pct100_aptm_rson|admn|zdiv)"
)
RATE: Final = re.compile(
    r"(_rt|_rt\d|_rate|_ctrt|exrt|_erng_rt|_erng_rt\d|pftrt|_dprt|tnrt|ehrt|^rate|^per|^pbr|^eps|^bps|_dbnb)$"
)


@lru_cache(maxsize=1_024)  # every declared field once
def blank_of(field: str) -> str:
    """Return the empty value of a field: "N", "", "0.00" or "0"."""
    name = field.lower()
    if FLAG.search(name):
        return "N"
    if DATE.search(name) or TEXT.search(name):
        return ""
    return "0.00" if RATE.search(name) else "0"
