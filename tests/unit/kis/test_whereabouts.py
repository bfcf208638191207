"""Where SOR sent an order is said where KIS says it, and nowhere else."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jumun import app
from jumun.brokers.kis.whereabouts import place_told
from jumun.config import load
from jumun.model.events import OrderAccepted
from jumun.testing.builders import a_record, a_ref, an_order

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


@pytest.mark.req("S000-9", "S002-41")
def test_with_sor_switched_on_only_what_kis_may_route_is_shown_as_routed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {"OMS_BROKER": "kis", "OMS_SIM_SESSIONS": "calendar", "KIS_ROUTE": "sor"}.items():
        monkeypatch.setenv(name, value)
    settings = load().settings
    sent, named, unsent = an_order(1, attempt=1), an_order(2, attempt=1, is_venue_asked=True), an_order(3)
    told = an_order(4, attempt=1)
    accepted = OrderAccepted(order_id=told.order_id, ref=a_ref(), raw=NOTICE.format(code="1"))
    stories = {told.order_id: [a_record(1, accepted)]}
    reader: Any = SimpleNamespace(story_of=lambda order_id: stories.get(order_id, []))
    found = app.whereabouts(reader, settings, [sent, named, unsent, told])
    shown = [found[order.order_id].text for order in (sent, named, unsent, told)]
    assert shown == ["SOR", "KRX", "KRX", "KRX"], "what KIS says goes before the setting"
    paper = settings.model_copy(update={"oms_broker": "paper"})
    assert app.whereabouts(reader, paper, [sent])[sent.order_id].text == "KRX"
