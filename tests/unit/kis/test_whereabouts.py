"""Where SOR sent an order is said where KIS says it, and nowhere else."""

import json

import pytest

from jumun.brokers.kis.whereabouts import place_told

NOTICE = (
    "demo^1234567801^0000000001^^02^0^00^0^005930^0000000003^000058200^153734^0^2^2^91252^000000003^"
    "^000000000^{code}^Y^   ^10^00000000^Samsung Electronics^000000000"
)


@pytest.mark.req("S000-9", "C-31")
@pytest.mark.parametrize(
    ("code", "place"),
    [("1", ("KRX", "KRX")), ("2", ("NXT", "NXT")), ("3", ("SOR", "KRX")), ("4", ("SOR", "NXT")), ("9", None)],
)
def test_a_notice_tells_the_route_and_the_market(code: str, place: tuple[str, str] | None) -> None:
    assert place_told(NOTICE.format(code=code)) == place


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (json.dumps({"odno": "1", "excg_id_dvsn_cd": "SOR"}), ("SOR", "")),
        (json.dumps({"odno": "1", "excg_id_dvsn_cd": "NXT"}), ("NXT", "NXT")),
        (json.dumps({"odno": "1", "excg_id_dvsn_cd": ""}), None),
        (json.dumps({"rt_cd": "0", "output": {"ODNO": "1"}}), None),
        ('{"excg_id_dvsn_cd":"SOR","odno":"00', None),
        ("refused here; nothing was sent", None),
        (NOTICE.replace("^000000000^{code}^Y^   ", "^Samsung"), None),
        ("", None),
    ],
)
def test_a_row_tells_the_route_alone_and_what_cannot_be_read_tells_nothing(
    raw: str, place: tuple[str, str] | None
) -> None:
    assert place_told(raw) == place
