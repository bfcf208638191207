"""The system under replay: the exchange with its ledger, the paper broker, the journal, and the engine."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from jumun.brokers.paper import PaperBroker, paper_traits
from jumun.exchange.ledger_file import LedgerFile
from jumun.exchange.protocol import Advance, OpenAccount
from jumun.exchange.world import World
from jumun.model.commands import BookOpening
from jumun.model.errors import ConfigError, StoreUnavailable
from jumun.model.events import SendIntended
from jumun.model.fills import LedgerAccount, LedgerKind, LedgerRow
from jumun.model.ids import AccountId
from jumun.model.instruments import Instrument, InstrumentMaster
from jumun.model.journal import Entry
from jumun.model.money import Currency
from jumun.replay.accounts import Opened
from jumun.replay.clock import ReplayClock, SeededIds
from jumun.replay.link import LedgerLink
from jumun.rules.cost_tables import PLANS
from jumun.rules.policy import Limits, Policy
from jumun.rules.trading_days import NO_OVERRIDES
from jumun.services.order_engine import OrderEngine
from jumun.store.sqlite.journal import SqliteJournal
from jumun.store.sqlite.reader import open_reader

ACCOUNTS_MAX: Final = 100


class Rig:
    """Everything one replay runs on. Build it inside the event loop; `close` gives both files back.

    The files and folders it makes are for their owner alone.
    """

    def __init__(
        self,
        *,
        store: Path,
        world: World,
        accounts: Sequence[Opened],
        first_ns: int,
        seed: str,
    ) -> None:
        """Open both files. `first_ns` is where time starts on a fresh store.

        Raises StoreLocked, StoreUnavailable, TornJournal, ConfigError.
        """
        _make_folder(store.parent)
        records, newest_ns = _newest(store)
        self.records_before = records
        self.sends = 0  # of this run
        self.ledger, self.market = LedgerFile.open(ledger_path(store), world)
        self._require_declared(store, accounts)
        self.resumed_ns = max(newest_ns, self.market.now_ns)
        self.clock = ReplayClock(max(self.resumed_ns, first_ns))
        self.link = LedgerLink(self.market, self.ledger, self.clock)
        traits = paper_traits(carries_reference=False)
        self.broker = PaperBroker(self.link, traits, self.clock)
        self.policy = Policy(
            environment="sim",
            instruments=InstrumentMaster(world.instruments),
            accounts={one.name: one.account for one in accounts},
            cost_plans=dict(PLANS),
            sessions=NO_OVERRIDES,
            limits=Limits(),
            kinds=traits.kinds,
            carries_reference=traits.carries_reference,
            unknown_order_policy="resend_once",
            visible_after_ns=traits.visible_after_ns,
            settles_after_ns=traits.settles_after_ns,
        )
        self.openings = [
            OpenAccount(account_id=one.name, cash=dict(one.cash), holdings={})
            for one in accounts
            if not self.market.has_account(one.name)
        ]
        self.journal = SqliteJournal(store, label="jumun replay", now_ns=self.clock.now_ns)
        self.engine = OrderEngine(
            broker_client=self.broker,
            journal=self.journal,
            policy=self.policy,
            clock=self.clock,
            ids=SeededIds(f"{seed}/{records}"),  # a later run must not draw the ids of an earlier one
            prices=self.broker,
            openings=[_opening(one.name, one.cash, self.clock.now_ns()) for one in accounts],
        )

    async def start(self) -> None:
        """Open the accounts at the exchange, recover, and accept orders."""
        await self.link.control([Advance(), *self.openings])  # the market learns what day it is
        await self.engine.start()
        heard = self.engine.desk.on_commit

        def counted(entries: Sequence[Entry]) -> None:
            self.sends += sum(isinstance(entry.record.event, SendIntended) for entry in entries)
            heard(entries)

        self.engine.desk.on_commit = counted

    async def close(self) -> None:
        """Stop the engine and give the files back."""
        await self.engine.stop()
        self.ledger.close()

    def _require_declared(self, store: Path, accounts: Sequence[Opened]) -> None:
        """Refuse a store with an account nobody declared: its orders could be neither valued nor checked."""
        strange = sorted(set(self.market.accounts()) - {one.name for one in accounts})
        if strange:
            self.ledger.close()
            raise ConfigError(
                f"{store} holds account {strange[0]}, which is not declared; declare it under [[accounts]] "
                "in the settings file or name another store"
            )


def ledger_path(store: Path) -> Path:
    """Return where the exchange's own ledger lies: beside the store."""
    return store.with_name(f"{store.name}.exchange")


def world_of(name: str, instruments: Sequence[Instrument], bases: Mapping[str, Decimal]) -> World:
    """Return a market with the real calendars."""
    used = {one.symbol: bases[one.symbol] for one in instruments if one.symbol in bases}
    return World(name=name, instruments=tuple(instruments), bases=used, overrides=NO_OVERRIDES)


def _make_folder(folder: Path) -> None:
    try:
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        for one in reversed(missing):  # mkdir(parents=True) would leave the upper ones open to all
            one.mkdir(exist_ok=True, mode=0o700)
        folder.mkdir(exist_ok=True)  # says so when a file is in the way
    except OSError as error:
        raise StoreUnavailable(
            f"the folder {folder} cannot be made ({error.strerror}); name a store somewhere else"
        ) from error


def _newest(store: Path) -> tuple[int, int]:
    if not store.exists():
        return 0, 0
    with open_reader(store) as reader:
        records, ts_ns = reader.newest()
        return records, ts_ns or 0


def _opening(name: AccountId, cash: Mapping[str, Decimal], now_ns: int) -> BookOpening:
    day = datetime.fromtimestamp(now_ns // 1_000_000_000, tz=UTC).date().isoformat()
    rows = tuple(
        LedgerRow(
            kind=LedgerKind.OPENING,
            account_id=name,
            currency=Currency(currency),
            amount=amount,
            debit=LedgerAccount.CASH,
            credit=LedgerAccount.OUTSIDE,
            trade_date=day,
            settlement_date=day,
            note="opening cash of the replay",
        )
        for currency, amount in cash.items()
        if amount
    )
    return BookOpening(account_id=name, rows=rows, document=f"replay opening of {name}")
