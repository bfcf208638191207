"""Exchange rates that come with a question, from texts to values; a rate without a time is of now."""

from typing import Final

from jumun.model.errors import BadInput
from jumun.model.money import Currency
from jumun.model.reasons import Reason
from jumun.rules.portfolio import FxRate
from jumun.services.intake import choice, instant_ns, name, number

ASKER: Final = "the request"  # who says so, where nobody is named


def rate_of(*, currency: str, base: Currency, rate: str, at: str, source: str, now_ns: int) -> FxRate:
    """Return the rate; raises BadInput naming the field, for a time to come, or for a currency in itself."""
    kind = choice(Currency, currency, "currency", Reason.CURRENCY_MISMATCH)
    ts_ns = instant_ns(at, "at") if at else now_ns
    if ts_ns > now_ns:
        raise BadInput(
            f"the rate of {kind.value} is of {at}, which is still to come; give the time it was quoted",
            reason=Reason.BAD_TIME,
        )
    return FxRate(
        currency=kind,
        base=base,
        rate=number(rate, "rate"),
        ts_ns=ts_ns,
        source=name(source, "source") if source else ASKER,
    )
