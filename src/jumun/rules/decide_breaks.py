"""Differences between our books and the broker's: found, taken care of, and settled by a person (M-03).

A difference is a break only when two looks far enough apart agree on it (I-43). It stays open, with its age
and its owner, until the books agree again or a person corrects or explains it. A correction is a documented
entry, never a silent change: what the broker says is booked against OUTSIDE, with the break's id.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from jumun.model.breaks import Break
from jumun.model.commands import AssignBreak, BookEntry, SettleBreak, StudyBalance
from jumun.model.documents import CashMoved, CostCorrected, Dividend, Document, SharesMoved, Split
from jumun.model.errors import BadInput, OmsError, OrderDenied
from jumun.model.events import BreakAssigned, BreakFound, BreakSettled, EntryBooked
from jumun.model.fills import LedgerKind, LedgerRow
from jumun.model.ids import AccountId
from jumun.model.instruments import Venue
from jumun.model.money import Currency
from jumun.model.positions import Position
from jumun.model.reasons import Reason
from jumun.model.words import counted
from jumun.rules.book import Book, document_key
from jumun.rules.compare import differences_of
from jumun.rules.corporate import Booked, cash_moved, rows_of, shares_moved
from jumun.rules.draft import Decision, Draft
from jumun.rules.hear import stop
from jumun.rules.papers import check_amounts, check_quantity
from jumun.rules.policy import Denial
from jumun.rules.sessions import NoCalendar, local_date, trade_date_of

ZERO: Final = Decimal(0)
CASH: Final = "CASH:"
Difference = tuple[str, Decimal, Decimal]


def decide_balance(command: StudyBalance, draft: Draft) -> Decision:
    """Compare a complete balance with the books: new breaks are found, old ones may agree again.

    A known break whose difference stays the same only moved with trades that both sides know. One that was
    explained is no news while its difference stays; another difference is another break.
    """
    account_id, book = command.balance.account_id, draft.book
    found = differences_of(command.balance, book)
    subjects = {subject for subject, _, _ in found}
    for known in (*book.breaks.values(), *book.explained.values()):
        if known.account_id == account_id and known.subject not in subjects:
            text = "our books and the broker's agree again"
            draft.note(BreakSettled(break_id=known.break_id, by="broker", how="agrees", text=text))
    for row in found:
        if _stands_as(account_id, row, draft.book.explained):
            continue
        known_now = _open_on(account_id, row[0], draft)
        moved = known_now is not None and known_now.difference == row[2] - row[1]
        if row in command.suspects or moved:
            _find(account_id, row, draft)
    return Decision(events=tuple(draft.events), differences=tuple(found), drafted=draft.decision().drafted)


def is_known(account_id: AccountId, row: Difference, book: Book) -> bool:
    """True when the difference is an open break, or explained: to look at it again soon tells nothing new."""
    return _stands_as(account_id, row, book.breaks) or _stands_as(account_id, row, book.explained)


def _stands_as(account_id: AccountId, row: Difference, breaks: Mapping[str, Break]) -> bool:
    subject, ours, theirs = row
    return any(
        (known.account_id, known.subject, known.difference) == (account_id, subject, theirs - ours)
        for known in breaks.values()
    )


def decide_assignment(command: AssignBreak, draft: Draft) -> Decision:
    """Name who takes care of a break."""
    if command.break_id not in draft.book.breaks:
        return draft.decision(denial=_unknown(command.break_id))
    draft.note(BreakAssigned(break_id=command.break_id, owner=command.owner, text=command.text))
    return draft.decision()


def decide_break_settlement(command: SettleBreak, draft: Draft) -> Decision:
    """End a break by a correction of our books, or by a person's explanation of why it stands."""
    found = draft.book.breaks.get(command.break_id)
    if found is None:
        return draft.decision(denial=_unknown(command.break_id))
    if not command.correct:
        draft.note(BreakSettled(break_id=found.break_id, by=command.by, how="explained", text=command.text))
        return draft.decision()
    rows = _stands(found, draft) or correction_rows(found, draft)
    if isinstance(rows, Denial):
        return draft.decision(denial=rows)
    draft.note(
        EntryBooked(
            account_id=found.account_id,
            rows=rows,
            document=_document(found),
            by=command.by,
            text=command.text,
        )
    )
    draft.note(BreakSettled(break_id=found.break_id, by=command.by, how="corrected", text=command.text))
    return draft.decision()


def decide_entry(command: BookEntry, draft: Draft) -> Decision:
    """Book a documented entry once: the same document a second time changes nothing, another of its name is
    a conflict.

    Its rows are counted here, from the book of this moment: a fill that came before is in it (I-29, I-30).
    """
    document = command.document
    if command.account_id not in draft.policy.accounts:
        text = f"account {command.account_id!r} is not configured; add it"
        return draft.decision(denial=Denial(Reason.UNKNOWN_ACCOUNT, text))
    known = draft.book.openings.get(document_key(command.account_id, document.name))
    if known is not None:
        return _known_before(known, document, draft)
    try:
        rows = _rows_of_entry(command, draft)
    except OmsError as error:  # a paper that cannot be booked as it is; the sentence says why
        return draft.decision(denial=Denial(error.reason, str(error)))
    draft.note(
        EntryBooked(
            account_id=command.account_id,
            rows=rows,
            document=document.name,
            by=command.by,
            text=command.text,
            fingerprint=document.fingerprint,
        )
    )
    return draft.decision()


def _known_before(fingerprint: str, document: Document, draft: Draft) -> Decision:
    """Without a fingerprint it is the desk's own, or was booked before there were any."""
    if fingerprint in ("", document.fingerprint):
        return Decision(existing=True)
    text = (
        f"{document.name} was booked with another content; look at the paper, and book a second one under a "
        "name of its own"
    )
    return draft.decision(denial=Denial(Reason.KEY_CONFLICT, text))


def _rows_of_entry(command: BookEntry, draft: Draft) -> tuple[LedgerRow, ...]:
    account_id, document = command.account_id, command.document
    fact = document.fact
    if isinstance(fact, CashMoved):
        check_amounts(document.name, fact, fact.currency)
        _require_begun(document, fact.currency, draft)
        _require_cash(document, fact, account_id, draft)
        return rows_of(document, account_id, None)
    instrument = draft.policy.instrument(fact.symbol)
    _require_begun(document, instrument.currency, draft)
    if isinstance(fact, Split | CostCorrected):
        _require_quiet(document, account_id, fact.symbol, draft)
    held = draft.book.position(account_id, fact.symbol, instrument.currency.value)
    check_amounts(document.name, fact, instrument.currency)
    if isinstance(fact, Dividend) and (account_id, fact.symbol) not in draft.book.positions:
        raise BadInput(
            f"{document.name}: account {account_id} never held {fact.symbol}; correct the symbol or the "
            "account"
        )
    if isinstance(fact, SharesMoved):
        check_quantity(document.name, fact, held, instrument.lot)
        _require_free(document, fact, held, draft)
    return rows_of(document, account_id, held, instrument.lot)


def _require_begun(document: Document, currency: Currency, draft: Draft) -> None:
    """A paper of a day to come has not happened. Days that are none, `rows_of` refuses."""
    venue = Venue.US if currency is Currency.USD else Venue.KRX
    today = local_date(venue, draft.now_ns).isoformat()
    if document.trade_date > today:
        raise BadInput(
            f"{document.name}: its day {document.trade_date} is after today, {today}; book it when it has "
            "come",
            reason=Reason.BAD_TIME,
        )


def _require_cash(document: Document, fact: CashMoved, account_id: AccountId, draft: Draft) -> None:
    """No paper leaves less than nothing, and a transfer leaves what open orders need (I-30)."""
    if fact.amount >= ZERO:
        return
    place = (account_id, fact.currency.value)
    held = draft.book.cash.get(place, ZERO)
    left = draft.book.cash_free(*place) if fact.kind is LedgerKind.TRANSFER else held
    if left + fact.amount < ZERO:
        raise OrderDenied(
            f"{document.name}: {-fact.amount:f} {fact.currency} cannot leave account {account_id}, {left:f} "
            f"of {held:f} can; correct the amount, or cancel orders that reserve cash",
            reason=Reason.CASH,
        )


def _require_quiet(document: Document, account_id: AccountId, symbol: str, draft: Draft) -> None:
    """A split makes another share of it, at another price: what works, works on the old one."""
    working = draft.book.open_by_symbol.get((account_id, symbol), {})
    if working:
        raise OrderDenied(
            f"{document.name}: {counted(len(working), 'order')} of {symbol} can still execute, in the shares "
            f"and at the price of before; run `jumun cancel-all --symbol {symbol}` and book it when they "
            "have ended"
        )


def _require_free(document: Document, fact: SharesMoved, held: Position, draft: Draft) -> None:
    """Shares that an open order sells cannot leave as well: it would sell what is not there (I-34)."""
    free = draft.book.shares_free(held.account_id, held.symbol)
    if held.qty >= -fact.qty > free:
        raise OrderDenied(
            f"{document.name}: {-fact.qty:f} shares of {held.symbol} cannot leave, open orders sell all but "
            f"{free:f}; run `jumun cancel-all --symbol {held.symbol}` first",
            reason=Reason.SHARES,
        )


def _stands(found: Break, draft: Draft) -> Denial | None:
    """A correction is of what still differs, and takes no shares away that an open order sells (I-34)."""
    book, place = draft.book, (found.account_id, found.subject)
    if found.subject.startswith(CASH):
        now = book.cash.get((found.account_id, found.subject.removeprefix(CASH)), ZERO)
    else:
        now = book.positions[place].qty if place in book.positions else ZERO
    if now != found.ours:
        text = f"our {found.subject} moved to {now:f} since {found.break_id} was looked at; look again first"
        return Denial(Reason.NOT_READY, text)
    gone = found.ours - found.theirs
    if not found.subject.startswith(CASH) and gone > ZERO and book.shares_free(*place) < gone:
        text = (
            f"open orders sell {found.subject} shares that would be gone; "
            f"run `jumun cancel-all --symbol {found.subject}`, then settle"
        )
        return Denial(Reason.SHARES, text)
    return None


def correction_rows(found: Break, draft: Draft) -> tuple[LedgerRow, ...] | Denial:
    """The rows that make our books say what the broker's say.

    Shares that appear come in at their price now, shares that vanish go out at their average cost.
    """
    difference = found.difference
    if found.subject.startswith(CASH):
        currency = Currency(found.subject.removeprefix(CASH))
        return cash_moved(_booked(found, currency, draft), currency, difference, LedgerKind.CORRECTION)
    instrument = draft.policy.instrument(found.subject)
    held = draft.book.position(found.account_id, found.subject, instrument.currency.value)
    booked = _booked(found, instrument.currency, draft)
    if difference < ZERO:
        return shares_moved(booked, held, difference, kind=LedgerKind.CORRECTION)
    quote = draft.facts.quote(found.subject)
    price = quote.last if quote is not None and quote.last else held.mark
    if price is None:
        text = f"{found.subject} has no known price to value {difference:f} shares; load prices, then settle"
        return Denial(Reason.NO_REFERENCE_PRICE, text)
    return shares_moved(booked, held, difference, difference * price, LedgerKind.CORRECTION)


def _booked(found: Break, currency: Currency, draft: Draft) -> Booked:
    day = _day(currency, draft)
    return Booked(account_id=found.account_id, document=_document(found), trade_date=day, settlement_date=day)


def _document(found: Break) -> str:
    return f"break:{found.break_id}"


def _day(currency: Currency, draft: Draft) -> str:
    venue = Venue.US if currency is Currency.USD else Venue.KRX
    try:
        return trade_date_of(venue, draft.now_ns, draft.policy.sessions).isoformat()
    except NoCalendar:
        return ""


def _find(account_id: AccountId, row: Difference, draft: Draft) -> None:
    subject, ours, theirs = row
    known = _open_on(account_id, subject, draft)
    if known is not None and (known.ours, known.theirs) == (ours, theirs):
        return
    break_id = f"B{draft.book.seq + len(draft.events) + 1}" if known is None else known.break_id
    text = f"{account_id} {subject}: our books say {ours:f}, the broker says {theirs:f}"
    draft.note(
        BreakFound(
            break_id=break_id,
            account_id=account_id,
            subject=subject,
            ours=ours,
            theirs=theirs,
            text=text,
        )
    )
    stop(text, draft)


def _open_on(account_id: AccountId, subject: str, draft: Draft) -> Break | None:
    for known in draft.book.breaks.values():
        if (known.account_id, known.subject) == (account_id, subject):
            return known
    return None


def _unknown(break_id: str) -> Denial:
    text = f"no open break {break_id!r}; list them with `jumun breaks`"
    return Denial(Reason.UNKNOWN_BREAK, text)
