"""`jumun demo` and `jumun replay`: build the timeline, drive it, audit the books, say what happened."""

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog

from jumun.exchange.bars import BadRow
from jumun.exchange.prices import GENERATED
from jumun.exchange.sample_world import BASES
from jumun.exchange.world import World
from jumun.model.errors import ConfigError, OmsError
from jumun.model.ids import UserId
from jumun.model.reasons import Reason
from jumun.replay.accounts import Opened, declared, simulated
from jumun.replay.admission import signal_check
from jumun.replay.books import examine
from jumun.replay.driver import drive
from jumun.replay.generated import ACCOUNT, demo_instruments, demo_timeline
from jumun.replay.inputs import read_master, read_prices, read_signals
from jumun.replay.options import OPENING_CASH, DemoOptions, ReplayOptions
from jumun.replay.report import Bar, print_summary, say
from jumun.replay.rig import ACCOUNTS_MAX, Rig, world_of
from jumun.replay.summary import Notes, Summary, summary_of
from jumun.replay.timeline import Timeline, lay_bars

FAILED: Final = 1
REASONS_SHOWN: Final = 5  # refused rows named when nothing is left to replay
DEMO_USER: Final = UserId("demo")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A replay that is ready to run."""

    title: str
    store: Path
    world: World
    timeline: Timeline
    accounts: tuple[Opened, ...]
    user: UserId
    seed: str
    notes: Notes
    json: bool


def run_demo(options: DemoOptions) -> int:
    """Run the demonstration and print its books; return the exit code."""
    return _command(lambda: _demo_plan(options))


def run_replay(options: ReplayOptions) -> int:
    """Replay bars and signals from files and print the books; return the exit code."""
    return _command(lambda: _replay_plan(options))


def _command(planned: Callable[[], Plan]) -> int:
    _quiet_logs()
    try:
        plan = planned()
        summary = asyncio.run(run(plan))
    except OmsError as error:
        say(f"{error.code}: {error}")
        return FAILED
    except KeyboardInterrupt:
        say("STOPPED: nothing that was accepted is lost; run the same command again to go on")
        return FAILED
    print_summary(summary, json=plan.json)
    return 0 if summary.ok else FAILED


async def run(plan: Plan) -> Summary:
    """Run a plan on its store; a second run finds everything done. Raises OmsError."""
    moments = plan.timeline.moments()
    if not moments:
        raise _nothing(plan.notes.rows_refused)
    started_s = time.perf_counter()
    rig = Rig(
        store=plan.store,
        world=plan.world,
        accounts=plan.accounts,
        first_ns=moments[0].ts_ns,
        seed=plan.seed,
    )
    try:
        await rig.start()
        with Bar(plan.title, shown=not plan.json) as bar:
            outcome = await drive(rig, moments, plan.user, bar.show)
        seconds = time.perf_counter() - started_s
        books, report = await examine(rig, plan.store)
    finally:
        await rig.close()
    return summary_of(
        title=plan.title,
        store=str(plan.store),
        notes=plan.notes,
        outcome=outcome,
        books=books,
        report=report,
        resumed=rig.records_before > 0,
        seconds=seconds,
    )


def _demo_plan(options: DemoOptions) -> Plan:
    timeline = demo_timeline(options)
    instruments = demo_instruments(options.symbols)
    sizes = f"{options.sessions} sessions, {options.symbols} symbols, {options.signals} signals"
    made_of = f"seed {options.seed}, {sizes}"
    return Plan(
        title=f"{GENERATED} prices and signals ({made_of})",
        store=options.store,
        world=world_of(f"{GENERATED} demo: {made_of}", instruments, BASES),
        timeline=timeline,
        accounts=(simulated(ACCOUNT, DEMO_USER, OPENING_CASH),),
        user=DEMO_USER,
        seed=f"demo/{options.seed}",
        notes=Notes(symbols=len(instruments), sessions=timeline.sessions, prints=timeline.prints),
        json=options.json,
    )


def _replay_plan(options: ReplayOptions) -> Plan:
    accounts = _accounts(options)
    master = read_master(options.instruments)
    bars = read_prices(options.prices, master)
    timeline = Timeline()
    laid = [
        lay_bars(master.get(symbol), days, options.steps, timeline) for symbol, days in bars.by_symbol.items()
    ]
    names = frozenset(account.name for account in accounts)
    signals = read_signals(options.signals, signal_check(names, master, timeline.span))
    timeline.add_signals(signals.good, signals.places)
    return Plan(
        title=f"{', '.join(path.name for path in options.prices)} with {options.signals.name}",
        store=options.store,
        world=world_of("replay", tuple(master), {}),
        timeline=timeline,
        accounts=accounts,
        user=UserId(options.user),
        seed="replay",
        notes=Notes(
            symbols=len(bars.by_symbol),
            sessions=timeline.sessions,
            prints=timeline.prints,
            bars=sum(one.bars for one in laid),
            untraded=sum(one.untraded for one in laid),
            snapped=sum(one.snapped for one in laid),
            rebased=sum(one.based for one in laid),
            rows_refused=[*bars.refused, *signals.refused],
        ),
        json=options.json,
    )


def _accounts(options: ReplayOptions) -> tuple[Opened, ...]:
    """Return the accounts there are; a name in a signal makes no other."""
    user = UserId(options.user)
    if options.accounts is None:
        accounts = declared(user)
    else:
        accounts = tuple(simulated(name, user, cash) for name, cash in options.accounts.items())
    if not 1 <= len(accounts) <= ACCOUNTS_MAX:
        raise ConfigError(f"{len(accounts)} accounts are declared; replay 1 to {ACCOUNTS_MAX} together")
    return accounts


def _nothing(refused: Sequence[BadRow]) -> ConfigError:
    """Without a usable bar nothing can trade; the first reasons are the story."""
    if not refused:
        return ConfigError(
            "there is nothing to replay: the files hold no row; give bars and signals",
            reason=Reason.BAD_INPUT,
        )
    first = "\n".join(f"{row.reason}: {row.text}" for row in refused[:REASONS_SHOWN])
    left = len(refused) - REASONS_SHOWN
    more = f"\n… and {left:,} more" if left > 0 else ""
    return ConfigError(
        f"there is nothing to replay: no bar is usable and {len(refused)} rows were refused; correct these:"
        f"\n{first}{more}",
        reason=Reason.BAD_INPUT,
    )


def _quiet_logs() -> None:
    """Keep the engine's log lines off stdout, where the books go, unless somebody has set logging up."""
    if not structlog.is_configured():
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
            logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        )
