"""The switches of a simulated market from texts, by the names of docs/reference/simulated-market.md.

A switch that nobody knows, or a value that it cannot have, is refused: a market that quietly lacks what was
asked for would prove nothing.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from typing import Final

import msgspec

from jumun.exchange.world import World
from jumun.model.errors import ConfigError
from jumun.model.money import BadNumber, to_decimal

# What a world consists of; all its other fields are switches.
FIXED: Final = frozenset(
    {"name", "instruments", "bases", "overrides", "plans", "quote_qty", "branch", "sessions"}
)
SEPARATOR: Final = "+"  # between the symbols of a list
Value = bool | int | Decimal | tuple[str, ...]


SWITCHES: Final = {
    field.name: field.default for field in msgspec.structs.fields(World) if field.name not in FIXED
}
# Without a calendar the market never opens and never closes, so it has no auction.
AUCTIONS: Final = frozenset({"call_auctions", "auction_qty", "random_end_s", "random_end_seed"})


def with_switches(world: World, given: Mapping[str, str]) -> World:
    """Return the world with its switches set; raises ConfigError naming one that cannot be.

    `given` holds texts by name: true or false (an empty text is true), a number, or symbols joined by `+`.
    """
    values = {name: _value(name, text.strip()) for name, text in given.items()}
    known = {instrument.symbol for instrument in world.instruments}
    for name, value in values.items():
        strangers = sorted(set(value) - known) if isinstance(value, tuple) else []
        if strangers:
            raise _wrong(
                name, f"holds {strangers[0]!r}, which this market does not trade; use one of its symbols"
            )
    return msgspec.structs.replace(world, **values)


def _value(name: str, text: str) -> Value:
    if name not in SWITCHES:
        close = get_close_matches(name, sorted(SWITCHES), n=1)
        meant = f"did you mean {close[0]}?" if close else f"use one of {', '.join(sorted(SWITCHES))}"
        raise ConfigError(f"OMS_SIM_SWITCHES: {name!r} is no switch; {meant}")
    read: dict[type, Callable[[str, str], Value]] = {
        bool: _switch,
        int: _whole,
        Decimal: _number,
        tuple: _symbols,
    }
    return read[type(SWITCHES[name])](name, text)


def _switch(name: str, text: str) -> bool:
    if text.lower() in ("", "true"):
        return True
    if text.lower() == "false":
        return False
    raise _wrong(name, f"is {text!r}; write true or false")


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise _wrong(name, f"is {text!r}; write a whole number, 0 or above")
    return int(text)


def _number(name: str, text: str) -> Decimal:
    try:
        value = to_decimal(text, field=name)
    except BadNumber as error:
        raise _wrong(name, f"is {text!r}; write a number, 0 or above") from error
    if value < 0:
        raise _wrong(name, f"is {text}; write a number, 0 or above")
    return value


def _symbols(name: str, text: str) -> tuple[str, ...]:
    if not text:
        raise _wrong(name, f"names no symbol; write them with {SEPARATOR} between")
    return tuple(symbol.strip() for symbol in text.split(SEPARATOR))


def _wrong(name: str, what: str) -> ConfigError:
    return ConfigError(f"OMS_SIM_SWITCHES: {name} {what}")
