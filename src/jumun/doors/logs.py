"""Logging, set up once: one past-tense fact a line, data in keys, no secrets (STYLE 19)."""

import logging
import re
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, Final, TextIO

import structlog

from jumun.limits import LOG_TEXT_MAX
from jumun.model.errors import ConfigError

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
MASK: Final = "********"
_SECRET = re.compile(r"password|secret|token|app_key|authorization", re.IGNORECASE)

Event = MutableMapping[str, Any]


def configure(level: str = "warn", form: str = "", output: str = "stderr") -> None:
    """Set logging up. `form` empty: for people on a terminal, JSON elsewhere. Raises ConfigError."""
    stream = _stream(output)
    console = form == "console"
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty())
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    steps: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask_secrets,
        shorten,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*steps, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    # Libraries that use the standard library's logging: their warnings, in the same place and form.
    theirs = logging.StreamHandler(stream)
    theirs.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *steps],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[theirs], level=max(LEVELS[level], logging.WARNING), force=True)


def mask_secrets(_: object, __: str, event: Event) -> Event:
    """Replace what looks like a secret by its key."""
    for key in event:
        if _SECRET.search(key):
            event[key] = MASK
    return event


def shorten(_: object, __: str, event: Event) -> Event:
    """Cut values that would fill the disk; the journal keeps the whole."""
    for key, value in event.items():
        if isinstance(value, str) and len(value) > LOG_TEXT_MAX:
            event[key] = f"{value[:LOG_TEXT_MAX]}… ({len(value)} characters)"
    return event


def _stream(output: str) -> TextIO:
    if output in ("stdout", "stderr"):
        return sys.stdout if output == "stdout" else sys.stderr
    path = Path(output)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a", encoding="utf-8", buffering=1)
    except OSError as error:
        raise ConfigError(
            f"LOG_OUTPUT {output!r} cannot be written ({error.strerror}); name a writable file, or stdout"
        ) from error
