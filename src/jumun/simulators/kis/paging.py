"""Pages of an inquiry (kis.md 1.5): where one ends, what it is called, and where the next one begins.

The next page begins behind the last row of the one before, by its own name, so that rows that came in between
move nothing. `tr_cont` is F on a first page and M on a later one while more follow; D on an only page, E on
the last of several.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from jumun.simulators.kis.asking import Ask, Fields, Told
from jumun.simulators.kis.messages import COMPLETE, LAST, MORE, bad_field

T = TypeVar("T")
WIDTHS = {
    "100": 100,
    "200": 200,
}  # of the continuation keys, by the end of their names; others are not padded


def page_of(
    ask: Ask, rows: Sequence[T], place_of: Callable[[T], str], filters: Sequence[str]
) -> tuple[Sequence[T], Told]:
    """Return the rows of the page that is asked for, and an answer without blocks that says how it goes on.

    `filters` is what was asked, echoed in the search key. Raises KisRefused for a key nobody gave out.
    """
    paging = ask.endpoint.paging
    assert paging is not None, f"{ask.endpoint.name} has no pages"
    search_key, next_key = paging.keys if "fk" in paging.keys[0] else (paging.keys[1], paging.keys[0])
    begin = _begin(ask, rows, place_of, next_key.upper())
    size = ask.endpoint.page_size(ask.customer.environment) or max(len(rows), 1)
    page = rows[begin : begin + size]
    more = begin + size < len(rows)
    tr_cont = ("M" if begin else "F") if more else ("E" if begin else "D")
    context = {
        search_key: padded(search_key, "".join(f"{word}^" for word in filters)),
        next_key: padded(next_key, place_of(page[-1]) if more else ""),
    }
    msg_cd = MORE if more else (LAST if begin else COMPLETE)
    return page, Told(blocks={}, msg_cd=msg_cd, tr_cont=tr_cont, context=context)


def padded(name: str, text: str) -> str:
    """Return a continuation key as wide as its name says."""
    return text.ljust(WIDTHS.get(name[-3:], 0))


def _begin(ask: Ask, rows: Sequence[T], place_of: Callable[[T], str], name: str) -> int:
    wanted = ask.text(name)
    if not ask.is_next or not wanted:
        return 0
    for index, row in enumerate(rows):
        if place_of(row) == wanted:
            return index + 1
    raise bad_field(name, "is no continuation key of this inquiry")


def one_page(context_of: Ask, filters: Sequence[str]) -> Fields:
    """Return the continuation keys of an inquiry that has nothing more to say."""
    _, told = page_of(context_of, (), str, filters)
    return told.context
