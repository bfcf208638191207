"""How the text of a setting becomes a value: numbers exactly, durations with their unit, no guesses.

A text that cannot be meant raises ValueError with what is wrong; the settings name the key and what works.
"""

import ipaddress
import os
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field

from jumun.model.money import BadNumber, to_decimal

_DURATION = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>ms|s|m|h)?", re.ASCII)
_UNIT_S: Final = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}


def exact(value: object) -> Decimal:
    """Read a decimal number exactly."""
    try:
        return to_decimal(value, field="it")
    except BadNumber as error:
        raise ValueError(str(error)) from error


def seconds(value: object) -> Decimal:
    """Read `30`, `30s`, `500ms`, `1m` or `1h` as seconds."""
    match = _DURATION.fullmatch(str(value).strip()) if isinstance(value, str | int) else None
    if match is None or isinstance(value, bool):
        raise ValueError("it is no time; write seconds, or a number with ms, s, m or h")
    return Decimal(match["number"]) * _UNIT_S[match["unit"] or "s"]


def whole_seconds(value: object) -> int:
    """Read a duration of whole seconds."""
    found = seconds(value)
    if found != found.to_integral_value():
        raise ValueError("it must be whole seconds")
    return int(found)


def switch(value: object) -> bool:
    """Read true or false, and nothing else: a switch that is misread would fail open."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise ValueError("it is neither true nor false")


def by_currency(value: object) -> object:
    """Read `KRW=10000000,USD=10000`; a bare number is won and leaves the other currencies as they were."""
    if isinstance(value, str | int) and not isinstance(value, bool):
        text = str(value)
        value = _split(text) if "=" in text else {"KRW": text.strip()}
    if not isinstance(value, Mapping):
        raise ValueError("it is no list of amounts; write KRW=10000000,USD=10000")
    return {**DEFAULT_ORDER_VALUE, **value}


def switches(value: object) -> object:
    """Read `vi,call_auctions,auction_qty=500,vi_narrow=247540+000660`, or the same as a table.

    A name alone switches on. What the names mean, the simulated market knows.
    """
    return _switches(value, "vi,auction_qty=500", "[oms_sim_switches] with vi = true in it")


def kis_switch_texts(value: object) -> object:
    """Read `send_branch=false,krw_cash=dnca_tot_amt`, or the same as a table; the adapter knows the names."""
    return _switches(value, "send_branch=false", "[kis_switches] with send_branch = false in it")


def _switches(value: object, text: str, table: str) -> object:
    given = _split(value) if isinstance(value, str) else value
    if not isinstance(given, Mapping):
        raise ValueError(f'switches are one text such as "{text}", or in the file a table {table}')
    if "" in given:
        raise ValueError("a switch without a name is in it")
    return {name: _switch_text(name, item) for name, item in given.items()}


def _switch_text(name: str, value: object) -> str:
    if isinstance(value, bool) or value == "":
        return "false" if value is False else "true"
    if isinstance(value, list):
        return "+".join(str(item) for item in value)
    if isinstance(value, str | int):
        return str(value)
    raise ValueError(f"the switch {name} takes true, false, a whole number, a text or a list of texts")


def one_of(*words: str) -> AfterValidator:
    """Return the check that a text is one of `words`."""
    allowed = f"{', '.join(words[:-1])} or {words[-1]}"

    def check(text: str) -> str:
        if text not in words:
            raise ValueError(f"it must be {allowed}")
        return text

    return AfterValidator(check)


def lower(value: object) -> object:
    """Read a word in any case."""
    return value.lower() if isinstance(value, str) else value


def pairs(value: object) -> object:
    """Read `momentum=80,value=110`."""
    given = _split(value) if isinstance(value, str) else value
    if not isinstance(given, Mapping):
        raise ValueError("it must be names with values, as one text or in the file as a table")
    return given


def _split(text: str) -> dict[str, str]:
    """Read `a=1,b=2`. A name that comes twice is refused: nobody can say which of its values was meant."""
    found: dict[str, str] = {}
    for part in text.split(",") if text else ():
        name, _, given = part.partition("=")
        if name.strip() in found:
            raise ValueError(f"the name {name.strip()} is given twice, keep one")
        found[name.strip()] = given.strip()
    return found


def file_name(path: Path) -> Path:
    """Refuse a path that names no file."""
    if path.name in ("", "..") or os.path.isdir(path):  # unlike Path.is_dir, no error for a closed folder
        raise ValueError("it names no file")
    return path


def address(host: str) -> str:
    """Four numbers with dots must be an address; a name is looked up when it is used."""
    if not host.strip():
        raise ValueError("it is empty")
    if re.fullmatch(r"[0-9.]+", host):
        try:
            ipaddress.ip_address(host)
        except ValueError as error:
            raise ValueError("it is no IP address") from error
    return host


def host_and_port(text: str) -> str:
    """Empty, or a host, a colon and a port."""
    if text and not re.fullmatch(r"[A-Za-z0-9.\-]+:[0-9]{1,5}", text):
        raise ValueError("it must be a host, a colon and a port, or empty")
    return text


def account_name(text: str) -> str:
    """A name that fits into files, keys and logs as it is."""
    if text and not re.fullmatch(r"[A-Za-z0-9._-]+", text):
        raise ValueError("it must be letters, digits, dots, dashes and underscores, without blanks")
    return text


def kis_account(text: str) -> str:
    """Empty, or the eight and two digits of an account at KIS."""
    if text and not re.fullmatch(r"[0-9]{8}-?[0-9]{2}", text, re.ASCII):
        raise ValueError("it must be eight digits, a dash if you like, and two digits")
    return text


def kis_address(url: str) -> str:
    """Empty, or a scheme and a host; which host is allowed in which environment, the adapter knows."""
    if url and not re.fullmatch(r"(https?|wss?)://[A-Za-z0-9.\-]+(:[0-9]{1,5})?/?", url):
        raise ValueError("it must be http, https, ws or wss, a host and a port, and nothing more")
    return url.rstrip("/")


DEFAULT_ORDER_VALUE: Final = {"KRW": Decimal(10_000_000), "USD": Decimal(10_000)}
Exact = Annotated[Decimal, BeforeValidator(exact)]
Positive = Annotated[Decimal, BeforeValidator(exact), Field(gt=0)]
Seconds = Annotated[Decimal, BeforeValidator(seconds), Field(gt=0)]
WholeSeconds = Annotated[int, BeforeValidator(whole_seconds), Field(gt=0)]
WholeSecondsOrNone = Annotated[int, BeforeValidator(whole_seconds), Field(ge=0)]
Switch = Annotated[bool, BeforeValidator(switch)]
Port = Annotated[int, Field(ge=0, le=65_535)]
