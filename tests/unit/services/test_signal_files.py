"""Signals from files: each line by itself, the same signal once, and a crash that makes no second order."""

import json
from pathlib import Path

import pytest

from jumun.model.errors import BadInput, OmsError, OrderDenied
from jumun.model.reasons import Reason
from jumun.model.signals import TradingSignal
from jumun.services.signal_files import Folder, Line, Sent, run_file

SIGNAL = {
    "symbol": "005930",
    "side": "BUY",
    "quantity": 10,
    "order_type": "LIMIT",
    "price": 70000.5,
    "strategy_id": "momentum",
    "strategy_version": "momentum-3",
    "account_id": "SIM-001",
    "signal_ts": "2025-05-26T09:00:00+09:00",
}
HEADER = "symbol,side,quantity,order_type,price,strategy_id,strategy_version,account_id,signal_ts"
ROW = "005930,BUY,10,LIMIT,70000,momentum,momentum-3,SIM-001,2025-05-26T09:00:00+09:00"


class Desk:
    """A service that makes one order of each signal, and can be told to have no time."""

    def __init__(self) -> None:
        self.orders: dict[str, TradingSignal] = {}
        self.asked = 0
        self.fail_at: int | None = None
        self.reason = Reason.NOT_READY

    def __call__(self, signal: TradingSignal) -> Sent:
        self.asked += 1
        if self.asked == self.fail_at:
            raise OrderDenied("not now; try again", reason=self.reason)
        key = f"{signal.strategy_version}|{signal.symbol}|{signal.side}|{signal.signal_ts_ns}|{signal.leg}"
        existing = key in self.orders
        self.orders.setdefault(key, signal)
        return Sent(order_id=key, status="NEW", existing=existing)


def jsonl(*rows: object) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def ran(path: Path, desk: Desk) -> list[Line]:
    return list(run_file(path, desk))


def settled(folder: Folder) -> list[tuple[str, list[Line]]]:
    """A file is run at the second look that finds it unchanged."""
    return folder.look() + folder.look()


@pytest.mark.req("S000-34", "I-08")
def test_a_file_that_is_run_twice_makes_each_order_once(tmp_path: Path) -> None:
    path, desk = tmp_path / "a.jsonl", Desk()
    path.write_text(jsonl(SIGNAL, {"signal": {**SIGNAL, "side": "SELL"}}))
    first, again = ran(path, desk), ran(path, desk)
    assert [line.sent.existing for line in first] == [False, False]
    assert [line.sent.existing for line in again] == [True, True]
    assert len(desk.orders) == 2


def test_a_price_in_a_file_keeps_its_digits(tmp_path: Path) -> None:
    path, desk = tmp_path / "a.jsonl", Desk()
    path.write_text(jsonl(SIGNAL).replace("70000.5", "70000.10000000000000000001"))
    ran(path, desk)
    [signal] = desk.orders.values()
    assert str(signal.price) == "70000.10000000000000000001"


@pytest.mark.req("F-96")
@pytest.mark.parametrize(
    "row",
    [
        "{",
        "[]",
        "7",
        '{"symbol": NaN}',
        json.dumps(SIGNAL).replace('"quantity": 10', '"quantity": 10, "quantity": 1000'),
        "[" * 20_000,
        jsonl({**SIGNAL, "sied": "BUY"}).strip(),
        jsonl({**SIGNAL, "side": "HOLD"}).strip(),
        jsonl({**SIGNAL, "quantity": None}).strip(),
        jsonl({**SIGNAL, "signal_ts": "2025-05-26T09:00:00"}).strip(),
        jsonl({"signal": [SIGNAL]}).strip(),
    ],
)
def test_a_broken_line_is_refused_with_its_number_and_the_rest_goes_on(tmp_path: Path, row: str) -> None:
    path, desk = tmp_path / "a.jsonl", Desk()
    path.write_text(f"{row}\n\n{jsonl(SIGNAL)}")
    refused, good = ran(path, desk)
    assert (refused.line, refused.is_refused, good.line, good.is_refused) == (1, True, 3, False)
    assert len(desk.orders) == 1


def test_a_csv_is_read_by_the_names_of_its_columns(tmp_path: Path) -> None:
    path, desk = tmp_path / "a.csv", Desk()
    path.write_text(f'{HEADER}\n{ROW}\n{ROW},1\n{ROW[:-1]}"\n')
    good, long, broken = ran(path, desk)
    assert (good.is_refused, long.is_refused, broken.is_refused) == (False, True, True)
    assert good.signal == "BUY 10 005930"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", jsonl(SIGNAL)),
        ("a.csv", f"{HEADER},symbol\n{ROW}\n"),
        ("a.csv", f"{HEADER},colour\n{ROW},red\n"),
        ("a.csv", '"\n'),
        ("a.jsonl", "x" * 70_000),
    ],
)
def test_a_file_that_is_no_list_of_signals_is_refused_before_anything_is_sent(
    tmp_path: Path, name: str, text: str
) -> None:
    path, desk = tmp_path / name, Desk()
    path.write_text(text)
    with pytest.raises(BadInput):
        ran(path, desk)
    assert desk.asked == 0


def test_a_service_that_cannot_decide_now_stops_the_file_at_its_line(tmp_path: Path) -> None:
    path, desk = tmp_path / "a.jsonl", Desk()
    path.write_text(jsonl(SIGNAL, {**SIGNAL, "side": "SELL"}))
    desk.fail_at = 2
    with pytest.raises(OmsError, match="stopped at line 2"):
        ran(path, desk)
    desk.fail_at = None
    assert [line.sent.existing for line in ran(path, desk)] == [True, False]


def test_a_signal_that_met_a_halt_is_refused_and_does_not_trade_later_by_itself(tmp_path: Path) -> None:
    desk = Desk()
    folder = Folder(tmp_path, desk)
    desk.fail_at, desk.reason = 1, Reason.HALTED
    (tmp_path / "a.jsonl").write_text(jsonl(SIGNAL))
    [(_, [line])] = settled(folder)
    assert line.sent.reason == "HALTED"
    assert settled(folder) == []
    assert desk.orders == {}


@pytest.mark.req("I-08")
def test_a_dropped_file_is_run_once_and_marked_with_what_became_of_it(tmp_path: Path) -> None:
    desk = Desk()
    folder = Folder(tmp_path, desk)
    (tmp_path / "a.jsonl").write_text(jsonl(SIGNAL, {**SIGNAL, "side": "HOLD"}))
    [(name, lines)] = settled(folder)
    assert (name, [line.is_refused for line in lines]) == ("a.jsonl", [False, True])
    assert settled(folder) == []
    assert not (tmp_path / "a.jsonl").exists()
    told = (tmp_path / "done" / "a.jsonl.results.jsonl").read_text().splitlines()
    assert [json.loads(line)["sent"]["reason"] for line in told] == ["", "UNKNOWN_SIDE"]
    (tmp_path / "a.jsonl").write_text(jsonl({**SIGNAL, "symbol": "000660"}))
    settled(folder)
    assert (tmp_path / "done" / "a.2.jsonl").exists(), "the first file of that name is kept"
    assert (desk.asked, len(desk.orders)) == (2, 2)


def test_a_file_that_still_grows_is_left_alone(tmp_path: Path) -> None:
    desk = Desk()
    folder, path = Folder(tmp_path, desk), tmp_path / "a.jsonl"
    path.write_text(jsonl(SIGNAL)[:20])
    assert folder.look() == []
    path.write_text(jsonl(SIGNAL))
    assert folder.look() == []
    assert len(folder.look()) == 1
    for name in (".a.jsonl", "b.jsonl.part", "c.csv.tmp"):
        (tmp_path / name).write_text(jsonl(SIGNAL))
    assert settled(folder) == []


@pytest.mark.req("I-08")
def test_a_crash_between_sending_and_marking_makes_no_second_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, path = Desk(), tmp_path / "a.jsonl"
    path.write_text(jsonl(SIGNAL))
    folder = Folder(tmp_path, desk)

    class Crash(BaseException):
        pass

    def crash(*_: object) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", crash)
        with pytest.raises(Crash):
            settled(folder)
    [(_, [line])] = settled(Folder(tmp_path, desk))
    assert line.sent.existing
    assert len(desk.orders) == 1


def test_a_folder_waits_while_the_service_cannot_decide(tmp_path: Path) -> None:
    desk = Desk()
    folder, desk.fail_at = Folder(tmp_path, desk), 1
    (tmp_path / "a.jsonl").write_text(jsonl(SIGNAL))
    folder.look()
    with pytest.raises(OmsError, match="no second order"):
        folder.look()
    assert (tmp_path / "a.jsonl").exists()
    assert len(settled(folder)) == 1


def test_a_file_that_is_no_list_is_moved_aside_and_does_not_block_the_others(tmp_path: Path) -> None:
    desk = Desk()
    (tmp_path / "a.csv").write_text("colour\nred\n")
    (tmp_path / "b.jsonl").write_text(jsonl(SIGNAL))
    told = dict(settled(Folder(tmp_path, desk)))
    assert told["a.csv"][0].is_refused
    assert (tmp_path / "refused" / "a.csv").exists()
    assert (tmp_path / "done" / "b.jsonl").exists()


def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is no folder"):
        Folder(tmp_path / "gone", Desk())


@pytest.mark.req("F-96")
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_last_line_without_its_end_waits_because_it_may_be_half_a_quantity(
    name: str, tmp_path: Path
) -> None:
    desk = Desk()
    folder, path = Folder(tmp_path, desk), tmp_path / name
    whole = f"{HEADER}\n{ROW}" if name == "a.csv" else jsonl(SIGNAL).rstrip()
    path.write_text(whole)
    assert settled(folder) == settled(folder) == []
    path.write_text(f"{whole}\n")
    assert len(settled(folder)) == len(desk.orders) == 1


@pytest.mark.req("I-08", "F-96")
def test_a_file_that_is_no_text_somewhere_makes_no_order_at_all(tmp_path: Path) -> None:
    desk, path = Desk(), tmp_path / "a.jsonl"
    rows = [{**SIGNAL, "leg": f"{leg}"} for leg in range(200)]
    path.write_bytes(jsonl(*rows).encode() + b"\xff\n" + jsonl(SIGNAL).encode())
    [(_, [line])] = settled(Folder(tmp_path, desk))
    assert desk.asked == 0
    assert "line 201 is no UTF-8" in line.sent.text


@pytest.mark.req("I-08", "F-96")
@pytest.mark.parametrize("how", ["appended", "replaced", "gone"])
def test_a_file_that_changes_while_it_runs_is_read_on_and_not_moved_unread(how: str, tmp_path: Path) -> None:
    desk, path = Desk(), tmp_path / "a.jsonl"
    first, second = jsonl(SIGNAL), jsonl({**SIGNAL, "side": "SELL"})
    path.write_text(first)

    def send(signal: TradingSignal) -> Sent:
        if not desk.orders:
            if how == "appended":
                with path.open("a") as sink:
                    sink.write(second)
            else:
                (tmp_path / ".next").write_text(second)
                (tmp_path / ".next").rename(path)
            if how == "gone":
                path.unlink()
        return desk(signal)

    folder = Folder(tmp_path, send)
    assert len(settled(folder)) == 1
    assert list((tmp_path / "done").iterdir()) == []
    assert len(settled(folder)) == (how != "gone")
    assert len(desk.orders) == (1 if how == "gone" else 2)


def test_a_file_of_another_kind_is_refused_with_what_to_give(tmp_path: Path) -> None:
    desk = Desk()
    (tmp_path / "notes.txt").write_text(jsonl(SIGNAL))
    [(name, [line])] = settled(Folder(tmp_path, desk))
    assert (name, desk.asked) == ("notes.txt", 0)
    assert "ends in .jsonl or .csv" in line.sent.text
    assert (tmp_path / "refused" / "notes.txt").is_file()


@pytest.mark.parametrize("column", ["symbol", "quantity", "account_id", "signal_ts"])
def test_a_csv_without_a_column_is_refused_once_by_the_columns_name(column: str, tmp_path: Path) -> None:
    desk, path = Desk(), tmp_path / "a.csv"
    path.write_text(HEADER.replace(column, "leg") + f"\n{ROW}\n{ROW}\n")
    with pytest.raises(BadInput, match=f"no column {column};"):
        ran(path, desk)
    assert desk.asked == 0
