"""signals run: a file of signals, or a folder that files are dropped into, through the running service."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from jumun.doors.cli.options import AsJson

if TYPE_CHECKING:
    from jumun.doors.cli.service import Connection
    from jumun.doors.grpc.gen import desk_pb2
    from jumun.model.signals import TradingSignal
    from jumun.services.signal_files import Line, Sent

LOOK_S: Final = 1.0  # between two looks at a folder: how long a file must stay the same to be complete


def run(
    file: Annotated[Path | None, Parameter(help="A .jsonl or .csv file of signals.")] = None,
    /,
    *,
    watch: Annotated[
        Path | None, Parameter(help="A folder: every file dropped into it is run once, until Ctrl-C.")
    ] = None,
    user: Annotated[str, Parameter(help="Whose orders they are; each account's first user.")] = "",
    as_json: AsJson = False,
) -> int:
    """Send signals to the running service. The same signal makes the same order, however often it is sent.

    Exit 1 when a line was refused; the others are sent. --watch moves a file that was run to FOLDER/done,
    with what became of each line beside it, and one that is no list of signals to FOLDER/refused.
    """
    from jumun.config import load
    from jumun.doors.cli import service
    from jumun.model.errors import BadInput

    if (file is None) == (watch is None):
        raise BadInput("give either one FILE of signals or --watch FOLDER")
    settings = load().settings
    with service.connect(settings) as connection:
        send = _sender(connection, user)
        if file is not None:
            return _run_one(file, send, as_json)
        assert watch is not None, "one of the two is given"
        return _watch(watch, send, as_json)


def _sender(connection: "Connection", user: str) -> "Callable[[TradingSignal], Sent]":
    from jumun.doors.grpc.gen import desk_pb2

    def send(signal: "TradingSignal") -> "Sent":
        request = desk_pb2.SubmitRequest(
            account_id=signal.account_id,
            user_id=user,
            symbol=signal.symbol,
            side=signal.side.value,
            order_type=signal.order_type.value,
            quantity=f"{signal.quantity:f}",
            price="" if signal.price is None else f"{signal.price:f}",
            stop_price="" if signal.stop_price is None else f"{signal.stop_price:f}",
            time_in_force="" if signal.time_in_force is None else signal.time_in_force.value,
            strategy_id=signal.strategy_id,
            strategy_version=signal.strategy_version,
            signal_ts=str(signal.signal_ts_ns),
            leg=signal.leg,
        )
        return _sent(connection.ask("Submit", request, desk_pb2.OrderReply))

    return send


def _sent(reply: "desk_pb2.OrderReply") -> "Sent":
    from jumun.model.errors import OrderDenied
    from jumun.model.reasons import Reason
    from jumun.services.signal_files import UNDECIDED, Sent

    refused = reply.denied or reply.status == "REJECTED" or reply.mismatch
    reason, text = reply.reason, reply.text
    if not reply.order_id and Reason(reason) in UNDECIDED:
        raise OrderDenied(text, reason=Reason(reason))
    if reply.mismatch and not reply.denied:
        reason = Reason.KEY_CONFLICT.value
        text = "the same signal came before with other content, which stands; give this one its own time"
    return Sent(
        order_id=reply.order_id,
        status=reply.status,
        existing=reply.existing,
        reason=reason if refused else "",
        text=text if refused else "",
    )


def _run_one(path: Path, send: "Callable[[TradingSignal], Sent]", as_json: bool) -> int:
    from jumun.doors.cli import printing
    from jumun.services.signal_files import run_file

    lines = list(run_file(path, send))
    if as_json:
        printing.as_json({"file": str(path), "lines": [_fields(line) for line in lines]})
    else:
        _tell(path.name, lines)
    return 1 if any(line.is_refused for line in lines) else 0


def _watch(folder: Path, send: "Callable[[TradingSignal], Sent]", as_json: bool) -> int:
    import signal
    import threading

    from jumun.doors.cli import printing
    from jumun.model.errors import BadInput, OmsError
    from jumun.services.signal_files import Folder

    stop = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop.set())
    watched, last = Folder(folder, send), ""
    printing.warn(f"watching {folder}; Ctrl-C ends it")
    while not stop.is_set():
        try:
            for name, lines in watched.look():
                last = ""
                if as_json:
                    printing.as_json_line({"file": name, "lines": [_fields(line) for line in lines]})
                else:
                    _tell(name, lines)
        except BadInput:
            raise
        except OmsError as error:  # the service cannot decide now: the file stays, and is tried again
            if str(error) != last:
                printing.warn(f"{error.code}: {error}")
            last = str(error)
        stop.wait(LOOK_S)
    return 0


def _fields(line: "Line") -> dict[str, object]:
    sent = line.sent
    return {
        "line": line.line,
        "signal": line.signal,
        "order_id": sent.order_id,
        "status": sent.status,
        "existing": sent.existing,
        "reason": sent.reason,
        "text": sent.text,
    }


def _tell(name: str, lines: "list[Line]") -> None:
    from jumun.doors.cli import printing
    from jumun.model.words import counted

    made = sum(1 for line in lines if not line.is_refused and not line.sent.existing)
    again = sum(1 for line in lines if not line.is_refused and line.sent.existing)
    refused = [line for line in lines if line.is_refused]
    console = printing.out()
    orders = counted(made, "order")
    console.print(f"{name}: {orders} made, {again} there before, {len(refused)} refused.", soft_wrap=True)
    for line in refused:
        where = f"line {line.line}: " if line.line else ""  # 0: the file as a whole
        what = f"{line.signal}: " if line.signal else ""
        console.print(f"  {where}{what}{line.sent.reason}: {line.sent.text}", soft_wrap=True)
