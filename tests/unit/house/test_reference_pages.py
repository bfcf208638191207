"""A person who gets a reason code or a status can look it up, and finds what the code really does."""

from __future__ import annotations

import pytest

from jumun.model.orders import OrderStatus
from tools.reference_pages import PageGap, reasons_page, states_page


def test_a_reason_without_a_meaning_stops_the_build() -> None:
    with pytest.raises(PageGap, match="NEW_ONE"):
        reasons_page(["CASH", "NEW_ONE"], {"CASH": "no cash"})
    with pytest.raises(PageGap, match="GONE"):
        reasons_page(["CASH"], {"CASH": "no cash", "GONE": "was here"})
    assert "| `CASH` | no cash |" in reasons_page(["CASH"], {"CASH": "no cash"})


@pytest.mark.req("S002-30", "C-1")
def test_the_printed_table_shows_every_status_and_the_late_fill() -> None:
    page = states_page()
    assert [status.value for status in OrderStatus] == [
        "NEW",
        "SENT",
        "ACCEPTED",
        "PART_FILLED",
        "FILLED",
        "CANCELLED",
        "REJECTED",
        "ERROR",
    ]
    assert all(f"| {status} |" in page for status in OrderStatus)
    assert "| CANCELLED | CANCELLED | OrderSent, OrderModified, FillBooked |" in page
