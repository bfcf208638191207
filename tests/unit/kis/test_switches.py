"""KIS_SWITCHES: unconfirmed behaviour by name, and nothing that nobody knows."""

import pytest

from jumun.brokers.kis.switches import DEFAULTS, switches_of
from jumun.model.errors import ConfigError


@pytest.mark.req("S004-48")
def test_what_is_not_given_keeps_its_default() -> None:
    assert switches_of({}) == DEFAULTS
    told = switches_of({"send_branch": "false", "krw_cash": "dnca_tot_amt", "native_stops": "True"})
    assert (told.send_branch, told.krw_cash, told.native_stops) == (False, "dnca_tot_amt", True)
    assert told.rows_stay


@pytest.mark.req("I-53", "S004-48")
@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"send_brunch": "false"}, "did you mean send_branch?"),
        ({"frobnicate": "true"}, "use one of blank_routing_is_krx"),
        ({"send_branch": "perhaps"}, "send_branch is 'perhaps'; give true or false"),
        ({"krw_cash": "my_money"}, "give prvs_rcdl_excc_amt, nxdy_excc_amt or dnca_tot_amt"),
    ],
)
def test_a_switch_that_cannot_be_is_refused_by_its_name(given: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        switches_of(given)
