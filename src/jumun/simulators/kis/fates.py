"""What weather can decide: the fate of a call and the fate of a notice."""

from enum import StrEnum

import msgspec


class Ending(StrEnum):
    """How a call ends for its caller."""

    ANSWER = "answer"
    SILENCE = "silence"  # nobody answers, the connection stays
    RESET = "reset"
    MIDWAY = "midway"  # the connection ends inside the answer
    REFUSED = "refused"  # not one byte was taken


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to one call.

    `delivered`: the house carries it out, `before_ms` after it was sent; the answer leaves `after_ms` later.
    `struck` names the faults, which also say how the answer is spoiled (spoil.py).
    """

    struck: tuple[str, ...] = ()
    ending: Ending = Ending.ANSWER
    delivered: bool = True
    before_ms: int = 0
    after_ms: int = 0
    code: str = ""  # of an answer in place of the house's
    status: int = 0
    stale_s: float = 0.0  # how old an answer given before may be; 0: any
    lag_s: float = 0.0  # orders younger than this are not listed

    def has(self, *faults: str) -> bool:
        """Whether a fault of one of these names struck."""
        return any(name in self.struck for name in faults)


class NoticeFate(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to one notice: it is sent once for each of `delays_ms`."""

    struck: tuple[str, ...] = ()
    delays_ms: tuple[int, ...] = (0,)
    overtaken_ms: int = 0  # it waits so long for the next one to go first
    cut: bool = False
    silent: bool = False
    outage_ms: int = 0

    def has(self, fault: str) -> bool:
        """Whether a fault of this name struck."""
        return fault in self.struck
