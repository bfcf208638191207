"""J-40 to J-56: starting from a snapshot, and refusing what was torn or cut (I-26) or is another's (I-55)."""

import pytest

from jumun.model.errors import ConfigError, StoreUnavailable, TornJournal
from jumun.model.ids import AccountId
from jumun.model.reasons import Reason
from jumun.ports.journal import Home, Snapshot
from jumun.store.errors import BatchRefused
from jumun.testing.builders import ACCOUNT, an_entry
from tests.contract.journal.stores import Store
from tests.contract.journal.test_j01_records import restarted, started, tail_of


async def written(store: Store, records: int, *snapshots: int) -> None:
    journal = await started(store)
    await journal.append([an_entry(seq) for seq in range(1, records + 1)])
    for seq in snapshots:
        await journal.save_snapshot(Snapshot(seq=seq, body=b"book as of %d" % seq))
    await journal.close()


async def test_j40_an_empty_store_starts_without_a_snapshot(store: Store) -> None:
    journal = store.journal()
    assert await journal.start() is None
    assert await tail_of(journal) == []
    assert await journal.verify() == 0
    await journal.close()


@pytest.mark.req("I-25")
async def test_j41_the_newest_snapshot_comes_back_and_the_tail_goes_on_from_it(store: Store) -> None:
    await written(store, 6, 2, 4)
    journal = store.journal()
    assert await journal.start() == Snapshot(seq=4, body=b"book as of 4")
    assert [record.seq for record in await tail_of(journal, 4)] == [5, 6]
    await journal.append([an_entry(7)])
    assert await journal.verify() == 7
    await journal.close()


@pytest.mark.req("I-25", "F-84")
async def test_j42_a_damaged_snapshot_is_passed_over_for_the_one_before(store: Store) -> None:
    await written(store, 6, 2, 4)
    store.alter_snapshot(4)
    journal = store.journal()
    assert await journal.start() == Snapshot(seq=2, body=b"book as of 2")
    await journal.close()


async def test_j43_with_every_snapshot_damaged_the_whole_journal_is_read(store: Store) -> None:
    await written(store, 6, 2, 4)
    store.alter_snapshot(4)
    store.alter_snapshot(2)
    journal = store.journal()
    assert await journal.start() is None
    assert len(await tail_of(journal)) == 6
    await journal.close()


async def test_j44_only_a_few_snapshots_are_kept(store: Store) -> None:
    await written(store, 6, 1, 2, 3, 4, 5)
    for seq in (5, 4, 3):
        store.alter_snapshot(seq)
    journal = store.journal()
    assert await journal.start() is None, "1 and 2 are gone"
    await journal.close()


async def test_j45_a_snapshot_of_a_record_that_does_not_exist_is_refused(store: Store) -> None:
    journal = await started(store)
    await journal.append([an_entry(1)])
    for seq in (0, 2):
        with pytest.raises(BatchRefused, match="cannot be kept"):
            await journal.save_snapshot(Snapshot(seq=seq, body=b"x"))
    await journal.append([an_entry(2)])
    await journal.close()


@pytest.mark.req("I-26", "F-84")
async def test_j46_an_altered_record_stops_the_start_and_is_named(store: Store) -> None:
    await written(store, 6)
    store.alter_record(4)
    journal = store.journal()
    with pytest.raises(TornJournal, match="record 4") as caught:
        await journal.start()
    assert caught.value.record == 4
    with pytest.raises(StoreUnavailable):
        await journal.append([an_entry(7)])


@pytest.mark.req("I-26", "F-84")
async def test_j47_a_failed_start_gives_the_writers_place_back(store: Store) -> None:
    await written(store, 2)
    store.alter_record(1)
    for _ in range(2):
        with pytest.raises(TornJournal, match="record 1"):
            await store.journal().start()


@pytest.mark.req("I-26", "F-84")
async def test_j48_an_altered_record_before_the_snapshot_is_found_by_verifying_all(store: Store) -> None:
    await written(store, 6, 4)
    store.alter_record(2)
    journal = await started(store)
    with pytest.raises(TornJournal) as caught:
        await journal.verify()
    assert caught.value.record == 2
    assert await journal.verify_range(3, 6) == 4
    with pytest.raises(TornJournal, match="record 2"):
        await journal.verify_range(1, 3)
    await journal.close()


@pytest.mark.req("I-26", "F-88")
async def test_j49_a_journal_cut_before_its_snapshot_is_refused(store: Store) -> None:
    await written(store, 4, 4)
    store.remove_newest_record()
    store.remove_newest_record()
    with pytest.raises(TornJournal, match="record 3") as caught:
        await store.journal().start()
    assert caught.value.record == 3, "the first one that is missing"


@pytest.mark.req("I-26")
async def test_j50_a_range_beyond_the_newest_record_is_missing_records(store: Store) -> None:
    journal = await started(store)
    await journal.append([an_entry(1), an_entry(2)])
    assert await journal.verify_range(1, 2) == 2
    with pytest.raises(TornJournal, match="record 3"):
        await journal.verify_range(1, 3)
    with pytest.raises(ValueError, match="no range"):
        await journal.verify_range(0, 2)
    await journal.close()


async def test_j51_the_chain_goes_on_over_restarts(store: Store) -> None:
    journal = await started(store)
    for seq in range(1, 6):
        await journal.append([an_entry(seq)])
        journal = await restarted(store, journal)
    assert await journal.verify() == 5
    await journal.close()


async def test_j52_a_snapshot_taken_again_at_the_same_record_replaces_the_first(store: Store) -> None:
    journal = await started(store)
    await journal.append([an_entry(1)])
    await journal.save_snapshot(Snapshot(seq=1, body=b"first"))
    await journal.save_snapshot(Snapshot(seq=1, body=b"second"))
    await journal.close()
    assert await store.journal().start() == Snapshot(seq=1, body=b"second")


OTHER_ACCOUNT = AccountId("87654321-01")
SIM, LIVE = Home(environment="sim", broker="paper"), Home(environment="live", broker="kis")


async def begun(store: Store, home: Home | None, *accounts: AccountId) -> None:
    """Start and close: what a start refuses is raised."""
    journal = store.journal()
    await journal.start(home, accounts)
    await journal.close()


@pytest.mark.req("I-55")
@pytest.mark.parametrize(
    ("other", "words"),
    [
        (LIVE, "this start has OMS_ENVIRONMENT=live with OMS_BROKER=kis"),
        (Home(environment="sim", broker="kis"), "this start has OMS_ENVIRONMENT=sim with OMS_BROKER=kis"),
        (Home(environment="paper", broker="paper"), "this start has OMS_ENVIRONMENT=paper with"),
    ],
)
async def test_j53_a_store_is_of_its_first_start_and_another_is_refused(
    store: Store, other: Home, words: str
) -> None:
    await begun(store, SIM)
    with pytest.raises(ConfigError, match=words) as refused:
        await begun(store, other)
    assert "belongs to OMS_ENVIRONMENT=sim with OMS_BROKER=paper" in str(refused.value)
    assert refused.value.reason is Reason.BAD_SETTING
    await begun(store, SIM)  # the writer's place is free, and nothing was written over
    with pytest.raises(ConfigError):
        await begun(store, other)


@pytest.mark.req("I-55")
async def test_j54_a_start_that_names_no_home_compares_nothing_and_says_nothing(store: Store) -> None:
    await begun(store, None)
    await begun(store, LIVE)
    await begun(store, None)
    with pytest.raises(ConfigError):
        await begun(store, SIM)


@pytest.mark.req("I-55")
async def test_j55_records_of_a_store_without_a_home_must_not_contradict_its_first_start(
    store: Store,
) -> None:
    journal = await started(store)
    await journal.append([an_entry(1)])
    await journal.close()
    with pytest.raises(ConfigError, match="has messages of OMS_ENVIRONMENT=sim, and this start has"):
        await begun(store, LIVE, ACCOUNT)
    with pytest.raises(ConfigError, match=f"has orders of account {ACCOUNT}, which this start does not have"):
        await begun(store, SIM, OTHER_ACCOUNT)
    await begun(store, SIM, OTHER_ACCOUNT, ACCOUNT)
    with pytest.raises(ConfigError, match="belongs to"):
        await begun(store, Home(environment="sim", broker="kis"), ACCOUNT)
    await begun(store, SIM)  # it says whose it is: accounts may come and go


@pytest.mark.req("I-55", "I-26")
async def test_j56_a_start_that_fails_gives_the_store_no_home(store: Store) -> None:
    await written(store, 4, 4)
    store.remove_newest_record()
    with pytest.raises(TornJournal):
        await begun(store, SIM, ACCOUNT)
    with pytest.raises(TornJournal):  # not ConfigError
        await begun(store, Home(environment="sim", broker="kis"), ACCOUNT)
