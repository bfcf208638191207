"""What a monitor sees: /healthz, /readyz, /metrics."""

import json

import pytest

from tests.acceptance.conftest import http_get, wait_status
from tests.acceptance.processes import Rig


def figures(service: Rig) -> dict[str, float]:
    status, page = http_get(service.http_port, "/metrics")
    assert status == 200
    lines = (line.rsplit(" ", 1) for line in page.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, value in lines}


@pytest.mark.req("S004-28", "C-36")
def test_the_metrics_count_orders_fills_and_commits_as_they_happen(service: Rig) -> None:
    before = figures(service)
    assert before["jumun_ready"] == 1
    assert before['jumun_orders_reached_total{status="FILLED"}'] == 0
    service.jumun_json(
        "submit", "--symbol", "SPMO", "--side", "BUY", "--quantity", "2", "--type", "MARKET", "--id", "m"
    )
    service.jumun_json(
        "submit", "--symbol", "IAU", "--side", "BUY", "--quantity", "2", "--price", "50", "--id", "r"
    )
    wait_status(service, "m", "FILLED")
    wait_status(service, "r", "ACCEPTED")
    after = figures(service)
    assert after['jumun_orders_reached_total{status="FILLED"}'] == 1
    assert after['jumun_orders_open{status="ACCEPTED"}'] == 1
    assert after["jumun_fills_total"] >= 1
    assert (
        after["jumun_journal_records"]
        == before["jumun_journal_records"]
        + after["jumun_commit_records_sum"]
        - before["jumun_commit_records_sum"]
    )
    assert after["jumun_orders_unknown"] == 0
    assert after["jumun_study_age_seconds"] >= 0


def test_a_halted_service_is_up_but_not_ready_and_says_why(service: Rig) -> None:
    service.jumun_json("halt", "lunch")
    assert http_get(service.http_port, "/healthz")[0] == 200
    status, body = http_get(service.http_port, "/readyz")
    assert status == 503
    assert json.loads(body)["reason"] == "HALTED: OPERATOR: lunch"
    assert figures(service)["jumun_halted"] == 1


def test_an_unknown_page_is_not_found_and_nothing_can_be_changed(service: Rig) -> None:
    assert http_get(service.http_port, "/orders")[0] == 404
