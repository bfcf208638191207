"""Where an order went and where it filled, as KIS's own words in the journal tell it (kis.md 4.2, 5.5).

A notice names the route and the market that SOR chose. A row of the list names the route alone.
"""

from typing import Final

import msgspec

from jumun.brokers.kis.codes import SOR, VENUE_OF_ROUTE
from jumun.brokers.kis.notice_records import LAYOUTS, Stream

SEPARATOR: Final = "^"
_NOTICE: Final = next(layout for layout in LAYOUTS[Stream.DOMESTIC] if "ORD_EXG_GB" in layout)
_AT: Final = _NOTICE.index("ORD_EXG_GB")
_PLACES: Final = {"1": ("KRX", "KRX"), "2": ("NXT", "NXT"), "3": (SOR, "KRX"), "4": (SOR, "NXT")}


class _Row(msgspec.Struct):
    excg_id_dvsn_cd: str = ""


def place_told(raw: str) -> tuple[str, str] | None:
    """Return (route, market) that a notice or a row tells; None where it tells neither.

    The market is empty where it is not told: a row of SOR does not say where it went.
    """
    if not raw.startswith("{"):
        fields = raw.split(SEPARATOR)
        return _PLACES.get(fields[_AT]) if len(fields) == len(_NOTICE) else None
    try:
        route = msgspec.json.decode(raw, type=_Row).excg_id_dvsn_cd.strip()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None  # evidence that was clipped, or is no row: it tells nothing
    if route not in VENUE_OF_ROUTE:
        return None
    return route, "" if route == SOR else route
