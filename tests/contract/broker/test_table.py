"""The page of brokers says what the cases are, and nothing else."""

from tests.contract.broker.cases import DECLINED, DIFFERS, STANDS
from tests.contract.broker.table import PAGE, cases, declared, page


def test_the_page_of_brokers_is_what_the_collected_cases_and_their_refusals_make_it() -> None:
    told = PAGE.read_text(encoding="utf-8")
    assert told == page(declared()), "run `python -m tests.contract.broker.table`"


def test_every_refusal_is_of_a_case_and_a_stand_that_exist() -> None:
    numbers = {case.number for case in cases()}
    for table in (DECLINED, DIFFERS):
        assert table.keys() <= numbers
        assert {stand for stands in table.values() for stand in stands} <= STANDS.keys()
    assert all(reason.why and reason.code for stands in DECLINED.values() for reason in stands.values())


def test_every_case_passes_on_the_paper_broker_or_on_kis_somewhere() -> None:
    outcomes = declared()
    for case in cases():
        for broker in ("paper", "KIS"):
            told = {outcomes[case.number, stand] for stand in STANDS if stand.startswith(broker)}
            only_paper = broker == "KIS" and case.number in ("C-73", "C-76")  # KIS sells only
            assert "pass" in told or only_paper, f"{case.number} is shown on no stand of {broker}"
