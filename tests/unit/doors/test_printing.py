"""What people see: no figure is cut, unknown is not zero, and every record of an order has its sentence."""

import io
import json
import logging
import re
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest
import structlog
from msgspec.structs import replace
from rich.console import Console

from jumun.doors import logs
from jumun.doors.cli import look, printing, story
from jumun.model import events
from jumun.model.errors import ConfigError
from jumun.model.ids import OrderId
from jumun.model.orders import Alarm, CostFigure, Flag, Order, OrderStatus, OrderType, Side, Terms
from jumun.model.reasons import Reason
from jumun.model.reports import CancelRequest, ModifyRequest, SubmitRequest
from jumun.services.views import book_view
from jumun.services.whereabouts import Where
from jumun.testing.builders import a_fill, a_position, a_record, a_ref, an_order


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (Decimal("5810000"), "KRW", "5,810,000"),
        (Decimal("5810000.5"), "KRW", "5,810,000.5"),
        (Decimal("108.2"), "USD", "108.20"),
        (Decimal("108.2051"), "USD", "108.2051"),
        (Decimal("-0.07"), "USD", "-0.07"),
        (Decimal("1E+3"), "KRW", "1,000"),
        (Decimal(0), "USD", "0.00"),
        (None, "KRW", "?"),
    ],
)
def test_a_price_shows_every_place_it_has_and_unknown_is_not_zero(
    amount: Decimal | None, currency: str, text: str
) -> None:
    assert printing.exact(amount, currency) == text


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (Decimal("-1047783.767"), "KRW", "-1,047,784"),
        (Decimal("0.5"), "KRW", "1"),
        (Decimal("-0.4"), "KRW", "0"),
        (Decimal("1E+3"), "KRW", "1,000"),
        (Decimal("-0.005"), "USD", "-0.01"),
        (Decimal("9" * 40 + ".126"), "USD", f"{int('9' * 40):,}.13"),
        (None, "USD", "?"),
    ],
)
def test_an_amount_is_rounded_to_the_won_and_the_cent_and_unknown_is_not_zero(
    amount: Decimal | None, currency: str, text: str
) -> None:
    assert printing.money(amount, currency) == text


def test_an_average_is_rounded_two_places_beyond_the_won_and_the_cent() -> None:
    assert printing.average(Decimal(174_100) / 3, "KRW") == "58,033.33"
    assert printing.average(Decimal("324.61") / 3, "USD") == "108.2033"
    assert printing.average(Decimal(70_000), "KRW") == "70,000"


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> io.StringIO:
    paper = io.StringIO()
    monkeypatch.setattr(printing, "out", lambda: Console(file=paper, width=request.param, highlight=False))
    return paper


@pytest.mark.parametrize("screen", [80, 160], indirect=True)
def test_a_list_of_orders_fits_80_columns_and_its_ids_can_be_given_back(screen: io.StringIO) -> None:
    order = an_order(status=OrderStatus.ERROR, qty=Decimal("1234567"), price=Decimal(70_000))
    look._print_orders([order], {order.order_id: Where(route="KRX")})
    shown = screen.getvalue()
    assert order.order_id in shown
    assert "1,234,567" in shown
    assert "UNKNOWN" in shown
    assert "ERROR" not in shown
    assert "…" not in shown


@pytest.mark.parametrize("screen", [40, 60, 80, 120, 160], indirect=True)
@pytest.mark.parametrize("accounts", [1, 2])
def test_no_figure_of_the_books_is_ever_cut_however_narrow_the_screen(
    screen: io.StringIO, accounts: int, request: pytest.FixtureRequest
) -> None:
    width = request.node.callspec.params["screen"]
    held = a_position(
        qty=Decimal(1416),
        cost_basis=Decimal("82133333.5"),
        realised_gross=Decimal("-1047783.767"),
        costs=Decimal("12345.67"),
        mark=Decimal(58_100),
    )
    names = [held.account_id, "SIM-002"][:accounts]
    view = book_view(
        records=1,
        positions=[held],
        cash={(name, "KRW"): Decimal("-123456789.4") for name in names},
        open_orders=[],
        marks={},
        marks_source="GENERATED",
        marks_ts_ns=1,
    )
    look._print_book(view)
    shown = screen.getvalue()
    words = shown.split()
    # qty, mark, unrealised, costs, net; then cash; then the account, wherever it stands
    for figure in ("1,416", "58,100", "136,267", "12,346", "-1,060,129", "-123,456,789", held.account_id):
        assert figure in words, shown
    assert held.symbol in words
    assert "…" not in shown
    heads = [line for line in shown.splitlines() if line.split()[:1] == ["account"]]
    assert bool(heads) <= (accounts == 2), "one account needs no column"
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= width


@pytest.mark.parametrize("screen", [60, 80, 200], indirect=True)
def test_a_list_of_orders_shows_the_asked_price_of_a_refused_one_and_every_flag(screen: io.StringIO) -> None:
    refused = an_order(
        status=OrderStatus.REJECTED, price=None, price_raw=Decimal(58_001), reason=Reason.MAX_ORDER_VALUE
    )
    odd = an_order(2, status=OrderStatus.PART_FILLED, flags=(Flag.FOREIGN, Flag.LATE_FILL, Flag.DISPUTED))
    look._print_orders([refused, odd], {one.order_id: Where(route="KRX") for one in (refused, odd)})
    shown = screen.getvalue()
    assert "58,001" in shown
    assert "LIMIT" not in shown.replace("MAX_ORDER", "")
    for word in ("MAX_ORDER_VALUE", "FOREIGN", "LATE_FILL", "DISPUTED"):
        assert word in shown


@pytest.mark.parametrize("screen", [80], indirect=True)
def test_the_story_of_a_refused_order_says_its_asked_price(screen: io.StringIO) -> None:
    story.tell(an_order(status=OrderStatus.REJECTED, price=None, price_raw=Decimal(58_001)), [], full=False)
    assert "LIMIT 58,001 KRW" in screen.getvalue()


@pytest.mark.parametrize("screen", [80], indirect=True)
def test_a_mark_older_than_the_others_is_said_to_be(screen: io.StringIO) -> None:
    second = 1_000_000_000
    held = [
        a_position(symbol="005930", qty=Decimal(1), mark=Decimal(1), mark_ts_ns=60 * second),
        a_position(symbol="000660", qty=Decimal(1), mark=Decimal(2), mark_ts_ns=90 * second),
        a_position(symbol="069500", qty=Decimal(0), mark=Decimal(3), mark_ts_ns=1 * second),
    ]
    facts: Any = {"records": 1, "cash": {}, "open_orders": [], "marks_source": "GENERATED"}
    some = book_view(positions=held, marks={"000660": Decimal(2)}, marks_ts_ns=90 * second, **facts)
    assert some.oldest_mark_ns == 60 * second
    look._print_book(some)
    assert "the oldest here is of 1970-01-01 00:01:00.000 UTC" in " ".join(screen.getvalue().split())
    every = {"005930": Decimal(1), "000660": Decimal(2)}
    assert book_view(positions=held, marks=every, marks_ts_ns=1, **facts).oldest_mark_ns is None


@pytest.mark.parametrize("screen", [80, 160], indirect=True)
def test_a_position_without_a_price_shows_a_question_mark_not_a_zero(screen: io.StringIO) -> None:
    view = book_view(
        records=1,
        positions=[a_position(qty=Decimal(10), cost_basis=Decimal(700_000))],
        cash={("A", "KRW"): Decimal(123_456_789)},
        open_orders=[],
        marks={},
        marks_source="",
        marks_ts_ns=None,
    )
    look._print_book(view)
    shown = screen.getvalue()
    assert "?" in shown
    assert "123,456,789" in shown
    assert "…" not in shown
    assert view.results[0].total is None


def one_of_each() -> list[events.AnyOrderEvent]:
    order, ref, reason = an_order(), a_ref(), Reason.NO_REPLY
    of: Any = {"order_id": order.order_id}
    request = SubmitRequest(
        order_id=order.order_id,
        attempt=1,
        account_id=order.account_id,
        symbol=order.symbol,
        venue=order.venue,
        currency=order.currency,
        side=order.side,
        order_type=order.order_type,
        tif=order.tif,
        qty=order.qty,
        price=None,
        trade_date="2025-05-26",
        reference=None,
    )
    cancel = CancelRequest(
        order_id=order.order_id,
        account_id=order.account_id,
        symbol=order.symbol,
        venue=order.venue,
        ref=ref,
        qty_left=order.qty,
    )
    terms = Terms(qty=Decimal(5), price=Decimal(69_000))
    held: Any = {"reserve_price": Decimal(1), "reserve_cost": Decimal(1)}
    change = ModifyRequest(
        order_id=order.order_id,
        account_id=order.account_id,
        symbol=order.symbol,
        venue=order.venue,
        side=order.side,
        order_type=order.order_type,
        tif=order.tif,
        ref=ref,
        qty=terms.qty,
        qty_left=terms.qty,
        qty_left_before=order.qty,
        price=terms.price,
        price_before=order.price,
    )
    return [
        events.OrderCreated(**of, order=order),
        events.OrderDenied(**of, reason=reason, text="no"),
        events.SendIntended(**of, attempt=1, request=request),
        events.SendNotLeft(**of, attempt=1, text="refused", retry_at_ns=None),
        events.OrderSent(**of, ref=ref, evidence="reply", raw="{}"),
        events.OrderAccepted(**of, ref=ref, raw="{}"),
        events.OrderRejected(**of, code="40", text="no", raw="{}"),
        events.OrderUnknown(**of, attempt=1, reason=reason, text="silence", raw=""),
        events.UnknownNotFound(**of, attempt=1, asked_ns=1),
        events.AttemptNotReceived(**of, attempt=1, evidence="two histories", resend=True),
        events.OrderFlagged(**of, flag=Flag.LATE_FILL, text="late"),
        events.NoticeCounted(**of, identity="7", qty=Decimal(1)),
        events.FillBooked(**of, fill=a_fill(order), ledger=(), notice_qty=Decimal(1), raw="{}"),
        events.CancelRequested(**of, reason=reason, by="kim"),
        events.CancelIntended(**of, request=cancel),
        events.CancelAnswered(**of, outcome="refused", text="too late", raw="{}", retry_at_ns=None),
        events.OrderCancelled(**of, reason=reason, text="", evidence="report"),
        events.ForeignOrderAdopted(**of, order=order, raw="{}"),
        events.OrderAlarmed(**of, alarm=Alarm.FILL_DELAY, text="no fill for 120 s"),
        events.StopTriggered(**of, price=Decimal(70_000), source="GENERATED"),
        events.OrderResting(**of, until_ns=1, text="the session ended", evidence="the calendar"),
        events.ModifyIntended(**of, by="kim", request=change, terms=terms, **held),
        events.ModifyAnswered(**of, outcome="refused", text="too late", raw="{}"),
        events.OrderModified(
            **of, terms=terms, price_raw=None, ref=ref, by="kim", evidence="reply", raw="{}", **held
        ),
        events.FillReversed(
            **of,
            account_id=order.account_id,
            strategy_id="momentum",
            side=order.side,
            currency=order.currency,
            identity="b1",
            ref=ref,
            qty=Decimal(1),
            amount=Decimal(5),
            ledger=(),
            text="bust",
            raw="{}",
        ),
        events.CostsCorrected(
            **of,
            account_id=order.account_id,
            strategy_id="momentum",
            currency=order.currency,
            figure=CostFigure(
                ref=ref, costs={"BROKERAGE": Decimal(9)}, qty=Decimal(1), amount=Decimal(5), ts_event_ns=1
            ),
            ledger=(),
            text="the broker's cost of 1 is 9 KRW",
            raw="{}",
        ),
    ]


@pytest.mark.req("S000-9", "S002-41")
@pytest.mark.parametrize("screen", [80, 160], indirect=True)
@pytest.mark.parametrize(
    ("where", "in_list", "in_story"),
    [
        (Where(route="KRX"), "KRX", "at KRX"),
        (Where(route="SOR"), "SOR", "by SOR to KRX or NXT"),
        (Where(route="SOR", markets=("NXT",)), "SOR: NXT", "by SOR, filled at NXT"),
        (Where(route="SOR", markets=("?", "NXT")), "SOR: ?+NXT", "a market that is not told and NXT"),
    ],
)
def test_every_screen_says_where_an_order_is(
    screen: io.StringIO, where: Where, in_list: str, in_story: str
) -> None:
    order = an_order()
    look._print_orders([order], {order.order_id: where})
    assert in_list in screen.getvalue()
    story.tell(order, [], full=False, where=where)
    assert in_story in " ".join(screen.getvalue().split())
    fields = look.order_fields(order, where)
    assert (fields["venue"], fields["route"], fields["markets"]) == ("KRX", where.route, list(where.markets))


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("screen", [60, 80, 160], indirect=True)
def test_no_number_in_the_brokers_words_is_cut_or_broken(screen: io.StringIO, full: bool) -> None:
    fields = {f"f{number}": f"{number}12345678901234567890" for number in range(1, 9)}
    raw = json.dumps({"order": fields}, separators=(",", ":"))
    order = an_order()
    accepted = events.OrderAccepted(order_id=order.order_id, ref=a_ref(), raw=raw)
    story.tell(order, story.chapters([a_record(1, accepted)]), full=full)
    shown = screen.getvalue()
    numbers = [text.strip('",}') for text in re.findall(r"\d+12345[^\s]*", shown)]
    assert numbers, shown
    assert set(numbers) <= set(fields.values())
    assert not full or len(numbers) == len(fields)


@pytest.mark.req("S002-73")
@pytest.mark.parametrize("screen", [80, 160], indirect=True)
def test_every_event_of_an_order_is_told_with_its_evidence(screen: io.StringIO) -> None:
    happened = one_of_each()
    assert {type(event) for event in happened} == set(get_args(events.AnyOrderEvent))
    chapters = story.chapters([a_record(seq, event) for seq, event in enumerate(happened, 1)])
    assert all(chapter.told for chapter in chapters)
    assert {chapter.what for chapter in chapters} >= {"order_created", "fill_booked", "order_unknown"}
    story.tell(an_order(flags=(Flag.LATE_FILL,)), chapters, full=True)
    assert "LATE_FILL" in screen.getvalue()
    assert "two histories" in screen.getvalue()


def test_secrets_never_reach_a_log_line_and_a_long_value_is_cut() -> None:
    event = logs.mask_secrets(None, "", {"kis_app_key": "abc", "password": "p", "order_id": OrderId("x")})
    assert event == {"kis_app_key": logs.MASK, "password": logs.MASK, "order_id": "x"}
    assert len(str(logs.shorten(None, "", {"raw": "x" * 100_000})["raw"])) < 3_000


def test_a_log_file_that_cannot_be_written_is_a_setting_to_correct() -> None:
    with pytest.raises(ConfigError, match="LOG_OUTPUT"):
        logs.configure(output="/dev/null/x.log")


def test_a_program_reads_every_amount_of_an_order_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    order: Order = an_order(price=Decimal("70000.10"))
    printing.as_json(look.order_fields(order))
    assert '"price": "70000.10"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *(("", "?"), ("0.4", "0 s"), ("45.9", "45 s"), ("60", "1 min 0 s"), ("725", "12 min 5 s")),
        *(("12000", "3 h 20 min"), ("187200", "2 d 4 h"), ("86400.5", "1 d 0 h")),
    ],
)
def test_an_age_is_said_in_its_two_largest_units(seconds: str, text: str) -> None:
    assert printing.age(seconds) == text


def test_a_stop_and_an_alarm_of_an_order_are_shown_where_it_is_listed() -> None:
    order = an_order(
        order_type=OrderType.STOP, price=None, price_raw=None, stop_price=Decimal(66_000), stop_held=True
    )
    assert look._price(order) == "STOP stop 66,000"
    assert look._why(order) == "stop held"
    assert look._why(an_order(alarms=(Alarm.ACK_DELAY,))) == "ACK_DELAY"


@pytest.mark.parametrize("screen", [160], indirect=True)
def test_the_story_of_a_stop_names_its_price_what_it_waits_for_and_what_was_seen(screen: io.StringIO) -> None:
    stop = an_order(
        side=Side.SELL,
        order_type=OrderType.STOP,
        price=None,
        price_raw=None,
        stop_price=Decimal(59_000),
        stop_held=True,
    )
    seen = events.StopTriggered(order_id=stop.order_id, price=Decimal(58_600), source="a trade")
    happened: list[events.AnyOrderEvent] = [events.OrderCreated(order_id=stop.order_id, order=stop), seen]
    told = story.chapters([a_record(seq, event) for seq, event in enumerate(happened, 1)])
    assert told[0].told.endswith(f"held until {stop.symbol} trades at 59000 or below")
    assert told[1].told == "stop 59000, seen 58600 by a trade; it goes out now"
    story.tell(stop, told, full=False)
    assert "STOP market stop 59,000" in screen.getvalue()


def test_the_story_of_a_change_shows_the_asked_price_beside_the_effective_one() -> None:
    order = an_order()
    asked = Terms(qty=Decimal(5), price=Decimal(50_000), price_raw=Decimal(50_010))
    assert story._terms(asked) == "5 at 50000 (asked 50010)"
    assert story._terms(replace(asked, price_raw=Decimal(50_000))) == "5 at 50000"
    assert story._terms(replace(asked, price_raw=None)) == "5 at 50000"
    fields = look.order_fields(replace(order, modify_to=asked))
    assert fields["modify_to"] == {"quantity": 5, "price": 50_000, "price_raw": 50_010}


@pytest.mark.parametrize(("columns", "width"), [("100", 100), ("", 160), ("wide", 160)])
def test_a_pipe_is_as_wide_as_columns_says(monkeypatch: pytest.MonkeyPatch, columns: str, width: int) -> None:
    monkeypatch.setattr("sys.stdout", io.StringIO())
    monkeypatch.setenv("COLUMNS", columns)
    assert printing.out().width == width


def test_a_librarys_warning_has_the_form_of_our_own_log_lines(tmp_path: Path) -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    path = tmp_path / "log"
    for handler in before:
        root.removeHandler(handler)  # else they would be closed
    try:
        logs.configure(output=str(path))
        logging.getLogger("uvicorn.error").warning("Exceeded %s limit.", "concurrency")
    finally:
        for handler in list(root.handlers):
            root.removeHandler(handler)
            assert isinstance(handler, logging.StreamHandler)
            handler.stream.close()
        for handler in before:
            root.addHandler(handler)
        root.setLevel(level)
        structlog.reset_defaults()
    [line] = path.read_text(encoding="utf-8").splitlines()
    told = json.loads(line)
    assert (told["event"], told["level"]) == ("Exceeded concurrency limit.", "warning")
    assert told["logger"] == "uvicorn.error"
    assert told["timestamp"].endswith("Z")
