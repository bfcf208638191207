"""What is wrong with a setting, in words: the rule that it breaks, as a person would say it.

The checks of the settings are a library's, and its sentences speak of inputs, patterns and tuples. Whoever
mistyped a value wants the rule and something that works.
"""

from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

SHOWN_MAX: Final = 80  # characters of a value that a message repeats

_NUMBER: Final = "it must be a whole number"
_TEXT: Final = "it must be a text; in the file, put it in quotes"
# By the library's name of an error; braces take what the rule says.
_RULES: Final = {
    "bool_parsing": "it must be true or false",
    "bool_type": "it must be true or false, without quotes",
    "dict_type": "it must be names with values",
    "enum": "it must be {expected}",
    "greater_than": "it must be more than {gt}",
    "greater_than_equal": "it must be {ge} or more",
    "int_from_float": _NUMBER,
    "int_parsing": _NUMBER,
    "int_parsing_size": "it is too large",
    "int_type": _NUMBER,
    "less_than": "it must be less than {lt}",
    "less_than_equal": "it must be {le} or less",
    "path_type": "it must be the name of a file or folder, in quotes",
    "string_too_long": "it has more than {max_length} characters",
    "string_too_short": "it is empty",
    "string_type": _TEXT,
    "too_short": "at least one is needed",
    "tuple_type": "it must be a list",
}


def rule(error: Mapping[str, Any]) -> str:
    """Return the rule that one error of the library is about; our own checks bring their sentence."""
    found = _RULES.get(error["type"])
    if found is None:
        is_ours = error["type"] == "value_error"  # it begins as it should, also with a name in capitals
        message = str(error["msg"]).removeprefix("Value error, ")
        return message if is_ours else f"{message[:1].lower()}{message[1:]}"
    facts = {name: str(value).replace("'", "") for name, value in error.get("ctx", {}).items()}
    return found.format(**facts)


def told(value: object) -> str:
    """Return a value as a message repeats it, cut where it is long."""
    text = (
        f"{value:f}" if isinstance(value, Decimal) else repr(str(value) if isinstance(value, Path) else value)
    )
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"


def meant(name: str, known: list[str]) -> str:
    """Return the advice for a name that is none of `known`."""
    close = get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else f"use one of {', '.join(known)}"
