"""The portfolio on a screen: worth, exposure, risk, and where the result comes from."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from rich.console import Console

from jumun.doors.cli import printing
from jumun.model.instruments import Instrument
from jumun.model.words import enumerated

FALLS: Final = {"max_drawdown": "worst", "current_drawdown": "now"}
Told = dict[str, Any]  # an object of the service; numbers are text
NOBODY: Final = "(entries)"  # openings, dividends, corrections: of no strategy
RISKS: Final = (
    ("value_at_risk_95", "value at risk (95 %, one day)"),
    ("value_at_risk_95_parametric", "value at risk if normal"),
    ("volatility_annual", "volatility (a year)"),
    ("max_drawdown", "worst drawdown"),
    ("current_drawdown", "drawdown now"),
)


def show(
    console: Console,
    summary: Told,
    risk: Told,
    by_day: list[Told],
    instruments: Mapping[str, Instrument],
) -> None:
    """Print it."""
    if not summary["by_currency"]:
        console.print("Nothing is held and there is no cash.")
        return
    _worth(summary).show(console)
    _exposure(console, summary)
    _risk(console, risk)
    if by_day:
        _by_day(by_day).show(console)
    if summary["by_strategy"]:
        _by_strategy(summary["by_strategy"]).show(console)
    if summary["by_symbol"]:
        _by_symbol(summary, instruments).show(console)
    for rate in summary["rates"]:
        console.print(_rate(rate), soft_wrap=not console.is_terminal)
    if summary["reason"]:
        console.print(f"There is no total: {summary['reason']}.", soft_wrap=not console.is_terminal)
    console.print(
        "net: realised less costs; total: net and unrealised; ?: not known. --json has every digit."
    )


def _worth(summary: Told) -> printing.Figures:
    columns = ("value", "cash", "equity", "unrealised", "net", "total")
    figures = printing.Figures(
        "", "held", *columns, left=("",), optional=("held", "value", "net"), title="Portfolio"
    )
    for currency, told in summary["by_currency"].items():
        names = ("market_value", "cash", "equity", "unrealised", "realised_net", "total_pnl")
        amounts = [_money(told, name, currency) for name in names]
        figures.add(currency, str(told["positions"]) if told else "?", *amounts)
    if summary["rates"]:
        currency = summary["currency"]
        names = ("market_value", "cash", "equity", "unrealised", "realised_net", "total_pnl")
        amounts = [_money(summary, name, currency) for name in names]
        figures.add(f"all in {currency}", str(summary["total_positions"]), *amounts)
    return figures


def _rate(rate: Told) -> str:
    """A total over currencies is as good as its rate: which one, of when, and who says so."""
    at = printing.when(int(rate["ts_ns"]))[:19]
    return f"1 {rate['currency']} is {rate['rate']} {rate['base']}, at {at} UTC ({rate['source']})."


def _exposure(console: Console, summary: Told) -> None:
    figures = printing.Figures(
        "",
        *("long", "short", "gross", "net", "leverage", "largest", "share", "HHI"),
        left=("", "largest"),
        optional=("net", "short"),
        title="Exposure and concentration",
    )
    for currency, told in summary["by_currency"].items():
        if not told or not told["positions"]:
            continue
        amounts = [_money(told, name, currency) for name in ("long", "short", "gross", "net")]
        leverage, hhi = number(told["leverage"]), number(told["hhi"])
        figures.add(
            currency,
            *amounts,
            "?" if leverage is None else f"{leverage:.2f}",
            told["largest_symbol"],
            printing.share(number(told["largest_share"])),
            "?" if hhi is None else f"{hhi:.3f}",
        )
    if figures.has_rows:
        figures.show(console)


def _risk(console: Console, risk: Told) -> None:
    table = printing.pairs("Risk")
    whys: dict[str, list[str]] = {}
    for label, text, why, is_money in _risk_lines(risk):
        value = number(text)
        if value is None:
            whys.setdefault(why, []).append(label)
        elif is_money:
            money = risk["currency"]  # None where nothing is held: nothing at risk, in no currency
            table.add_row(label, f"{printing.money(value, money)} {money}" if money else f"{value:f}")
        else:
            table.add_row(label, printing.share(value))
    if table.row_count:
        console.print(table)
    for why, labels in whys.items():  # a reason is told once, not beside each figure that it keeps away
        console.print(f"There is no {enumerated(labels, 'or')}: {why}.", soft_wrap=not console.is_terminal)


def _risk_lines(risk: Told) -> list[tuple[str, object, str, bool]]:
    """Return (label, figure, why there is none, whether it is money). Several currencies fall each alone."""
    falls = risk["drawdown_by_currency"]
    lines: list[tuple[str, object, str, bool]] = []
    for name, label in RISKS:
        if name in FALLS and len(falls) > 1:
            figures = {money: fall[FALLS[name]] for money, fall in sorted(falls.items())}
            lines += [(f"{label} in {money}", it["value"], it["why"], False) for money, it in figures.items()]
        else:
            why = risk["missing"].get(name, "not known")
            lines.append((label, risk[name], why, name.startswith("value_at_risk")))
    return lines


def _by_day(days: list[Told]) -> printing.Figures:
    figures = printing.Figures(
        *("day", " ", "fills", "bought", "sold", "realised", "costs", "net"),
        left=("day", " "),
        optional=("realised", "bought", "sold"),
        title="Realised by day (fills alone, without dividends)",
    )
    for day in days:
        for currency, sums in day["by_currency"].items():
            names = ("bought", "sold", "realised_gross", "total_costs", "realised_net")
            amounts = [_money(sums, name, currency) for name in names]
            figures.add(day["trade_date"], currency, str(day["total_fills"]), *amounts)
    return figures


def _by_strategy(strategies: Told) -> printing.Figures:
    columns = ("value", "unrealised", "realised", "costs", "net", "total")
    left = ("strategy", " ")
    figures = printing.Figures(
        *left, *columns, left=left, optional=("realised", "value"), title="By strategy"
    )
    names = ("market_value", "unrealised", "realised_gross", "costs", "realised_net", "total_pnl")
    for strategy, currencies in strategies.items():
        for currency, told in currencies.items():
            amounts = [_money(told, name, currency) for name in names]
            figures.add(strategy or NOBODY, currency, *amounts)
    for currency in sorted({currency for told in strategies.values() for currency in told}):
        parts = [told[currency] for told in strategies.values() if currency in told]
        if len(parts) > 1:
            sums = [printing.money(_sum(parts, name), currency) for name in names]
            figures.add("all", currency, *sums)
    return figures


def _sum(parts: list[Told | None], name: str) -> Decimal | None:
    """Return the sum; one part that is not known makes it unknown."""
    values = [None if part is None else number(part[name]) for part in parts]
    return None if None in values else sum((value for value in values if value is not None), Decimal(0))


def _by_symbol(summary: Told, instruments: Mapping[str, Instrument]) -> printing.Figures:
    left = ("account", "symbol", "name", " ")
    figures = printing.Figures(
        *left[:3], "total", " ", left=left, optional=("name",), title="Result by symbol"
    )
    for place, result in summary["by_symbol"].items():
        account_id, _, symbol = place.partition("/")
        instrument = instruments.get(symbol)
        total = number(result)
        if instrument is None:
            figures.add(account_id, symbol, "", "?" if total is None else f"{total:,f}", "")
            continue
        currency = instrument.currency.value
        figures.add(account_id, symbol, instrument.name, printing.money(total, currency), currency)
    return figures


def number(text: object) -> Decimal | None:
    """Return a figure of the service; None where it is not known."""
    return None if text is None else Decimal(str(text))


def _money(told: Told | None, name: str, currency: str) -> str:
    return "?" if told is None else printing.money(number(told[name]), currency)
