"""Questions of many pages: every page, or no list at all."""

from typing import Any

import pytest

from jumun.model.errors import BrokerUnavailable
from jumun.ports.wire import AnswerLost, HttpReply
from tests.unit.kis.call_desk import CHANGED, EXPIRED, THROTTLED, CallDesk, page, play
from tests.unit.kis.wires import TOKEN, told


@pytest.mark.req("F-36")
def test_every_page_is_fetched_with_the_keys_of_the_one_before() -> None:
    async def script() -> None:
        desk = CallDesk(
            page("1", "2", tr_cont="F", fk="12345678^01", nk="20261120^2"),
            page("3", tr_cont="M", fk="12345678^01", nk="20261120^3"),
            page("4", tr_cont="E"),
        )
        assert await desk.pages() == ["1", "2", "3", "4"]
        first, second, third = desk.asked
        assert (first.headers["tr_cont"], first.query["CTX_AREA_NK100"]) == ("", "")
        assert (second.headers["tr_cont"], third.headers["tr_cont"]) == ("N", "N")
        assert second.query == {
            "CANO": "12345678",
            "CTX_AREA_FK100": "12345678^01".ljust(100),
            "CTX_AREA_NK100": "20261120^2".ljust(100),
        }
        assert third.query["CTX_AREA_NK100"].strip() == "20261120^3"

    play(script)


def test_the_longer_continuation_of_overseas_questions_is_followed_too() -> None:
    async def script() -> None:
        first: dict[str, Any] = {"ctx_area_fk200": "f", "ctx_area_nk200": "n", "output": [{"odno": "1"}]}
        desk = CallDesk(page(tr_cont="M", **first), page(output=[{"odno": "2"}]))
        params = {"ctx_area_fk200": "", "ctx_area_nk200": ""}  # names in small letters work as well
        pages = await desk.client.pages("/us", "VTTS3035R", params, rows=("output",))
        assert [found.body["output"] for found in pages] == [[{"odno": "1"}], [{"odno": "2"}]]
        assert desk.asked[1].query == {"ctx_area_fk200": "f", "ctx_area_nk200": "n"}

    play(script)


def test_a_throttled_page_does_not_lose_the_list() -> None:
    async def script() -> None:
        desk = CallDesk(page("1", tr_cont="M", nk="2"), THROTTLED, page("2"))
        assert await desk.pages() == ["1", "2"]

    play(script)


@pytest.mark.req("F-36", "F-37", "I-39")
@pytest.mark.parametrize("lost", [AnswerLost("reset"), told("", status=502), told("{"), EXPIRED])
def test_one_lost_page_loses_the_whole_list(lost: HttpReply | Exception) -> None:
    async def script() -> None:
        desk = CallDesk(page("1", tr_cont="M", nk="2"), page("2", tr_cont="M", nk="3"), lost, tokens=(TOKEN,))
        with pytest.raises(BrokerUnavailable):
            await desk.pages()

    play(script)


@pytest.mark.req("F-40", "F-36", "I-39")
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (page(tr_cont="M", nk="2"), "no rows and says that more follow"),
        (page("1", tr_cont="X"), "no end and no middle"),
        (page("1", tr_cont="", code="KIOK0500"), "more follows, and has lost where"),
        (page("1", tr_cont="M", ctx_area_nk100=None), "has no ctx_area_nk100"),
        (page("1", code="KIOK0560"), "nothing was found and lists 1 rows"),
        (page(output1=None), "output1 is missing"),
        (page(output1="none"), "output1 is missing"),
        (page(output1=["x"]), "row 1 of output1"),
    ],
)
def test_a_page_that_contradicts_itself_makes_the_list_void(answer: HttpReply, why: str) -> None:
    async def script() -> None:
        desk = CallDesk(answer)
        with pytest.raises(BrokerUnavailable, match=why):
            await desk.pages()
        assert len(desk.asked) == 1

    play(script)


def test_a_page_without_a_continuation_header_is_the_last_unless_that_is_switched_off() -> None:
    async def script() -> None:
        assert await CallDesk(page("1", tr_cont="")).pages() == ["1"]
        with pytest.raises(BrokerUnavailable):
            await CallDesk(page("1", tr_cont=""), blank_ends=False).pages()

    play(script)


@pytest.mark.req("F-36", "F-44")
def test_a_list_that_changed_while_it_was_read_is_read_again_from_the_beginning() -> None:
    async def script() -> None:
        desk = CallDesk(
            page("1", tr_cont="M", nk="2"),
            CHANGED,
            page("9", "1", tr_cont="M", nk="2"),
            page("2"),
        )
        assert await desk.pages() == ["9", "1", "2"]
        assert [call.headers["tr_cont"] for call in desk.asked] == ["", "N", "", "N"]
        again = CallDesk(CHANGED)
        with pytest.raises(BrokerUnavailable, match="changed while it was read, twice"):
            await again.pages()
        assert len(again.asked) == 2

    play(script)


@pytest.mark.req("F-36")
@pytest.mark.parametrize("nk", ["", "2"])
def test_keys_that_lead_back_to_a_page_are_no_way_forward(nk: str) -> None:
    async def script() -> None:
        going = page("1", tr_cont="M", fk="" if not nk else "f", nk=nk)
        desk = CallDesk(going, going, page("1", tr_cont="M", nk="2"), page("2"))
        if not nk:
            desk.answers = [going, page("1", tr_cont="M", nk="2"), page("2")]
        assert await desk.pages() == ["1", "2"]
        desk.answers = [going]
        with pytest.raises(BrokerUnavailable, match="leads back"):
            await desk.pages()

    play(script)


@pytest.mark.req("I-61")
def test_a_list_without_an_end_is_given_up() -> None:
    async def script() -> None:
        desk = CallDesk(*(page("1", tr_cont="M", nk=str(n)) for n in range(10)))
        with pytest.raises(BrokerUnavailable, match="after 4 pages"):
            await desk.pages(max_pages=4)
        assert len(desk.asked) == 4

    play(script)
