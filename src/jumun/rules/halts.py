"""Which reason of a halt a person must see: the graver one does not hide behind the other (I-50)."""

from typing import Final

from jumun.model.reasons import Reason

GRAVE: Final = frozenset({Reason.TORN_JOURNAL, Reason.BREAK})


def outranks(new: Reason, old: Reason) -> bool:
    """A torn journal or a break must not hide behind an operator's halt, which somebody will lift."""
    return new in GRAVE and old not in GRAVE
