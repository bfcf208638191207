"""Exchange rates that come with a question, from texts to values; a rate without a time is of now."""

from typing import Final

from jumun.model.money import Currency
from jumun.model.reasons import Reason
from jumun.rules.portfolio import FxRate
from jumun.services.intake import choice, instant_ns, name, number

ASKER: Final = "the request"  # who says so, where nobody is named


def rate_of(*, currency: str, base: Currency, rate: str, at: str, source: str, now_ns: int) -> FxRate:
    """Return the rate; raises BadInput naming the field, or for a currency in itself."""
    return FxRate(
        currency=choice(Currency, currency, "currency", Reason.CURRENCY_MISMATCH),
        base=base,
        rate=number(rate, "rate"),
        ts_ns=instant_ns(at, "at") if at else now_ns,
        source=name(source, "source") if source else ASKER,
    )
