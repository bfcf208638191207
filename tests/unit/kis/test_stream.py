"""One session of notices: registered, verified, answered; begun again with patience."""

import asyncio
import json
from collections import deque
from random import Random
from typing import Any

import pytest

from jumun.brokers.kis.access import KisAccess, KisEnvironment, Secret, parse_account
from jumun.brokers.kis.frames import DataFrame
from jumun.brokers.kis.stream import REGISTRATIONS_MAX, KisStream
from jumun.model.errors import BrokerUnavailable
from jumun.model.reports import UnreadableNotice
from jumun.ports.wire import AnswerLost
from jumun.testing.virtual_loop import VirtualClock, run_virtual

START_NS = 1_763_600_000_000_000_000
PING = json.dumps({"header": {"tr_id": "PINGPONG", "datetime": "20261120093000"}})


class Script:
    """A session whose frames are written down before; what is sent is kept."""

    def __init__(self, *frames: str | None) -> None:
        self.frames = deque(frames)
        self.sent: list[str] = []
        self.closed = False

    async def send(self, text: str) -> None:
        if self.closed:
            raise AnswerLost("over")
        self.sent.append(text)

    async def receive(self) -> str | None:
        return self.frames.popleft() if self.frames else None

    async def ping(self) -> None:
        if self.closed:
            raise AnswerLost("over")

    async def close(self) -> None:
        self.closed = True


class Wires:
    """Hands out the sessions one after the other."""

    def __init__(self, *sessions: Script) -> None:
        self.sessions = deque(sessions)

    async def open_frames(self, path: str) -> Script:
        return self.sessions.popleft()


class Keys:
    async def approval_key(self) -> Secret:
        return Secret("approved")


def ack(tr_id: str, code: str = "OPSP0000", rt_cd: str = "0", *, keys: bool = True) -> str:
    output = {"iv": "0123456789abcdef", "key": "abcdefghijklmnopqrstuvwxyz012345"}
    body: dict[str, Any] = {"rt_cd": rt_cd, "msg_cd": code, "msg1": "SUBSCRIBE SUCCESS"}
    header = {"tr_id": tr_id, "tr_key": "me", "encrypt": "Y"}
    return json.dumps({"header": header, "body": body | ({"output": output} if keys else {})})


def a_stream(clock: VirtualClock, *sessions: Script, watched: tuple[str, ...] = ()) -> KisStream:
    access = KisAccess(
        environment=KisEnvironment.LIVE,
        app_key=Secret("k" * 36),
        app_secret=Secret("s" * 180),
        accounts=(parse_account("12345678-01"),),
        hts_id="me",
        rate_per_s=18,
        rest_base="http://127.0.0.1:9443",
        ws_base="ws://127.0.0.1:21000",
    )
    return KisStream(access, Wires(*sessions), Keys(), clock, Random(1), watched=watched)  # type: ignore[arg-type]


def both(*more: str | None) -> tuple[str | None, ...]:
    return (ack("H0STCNI0"), ack("H0GSCNI0"), *more)


@pytest.mark.req("F-26", "S002-54", "F-33")
def test_notices_are_registered_first_and_verified_and_keep_alives_are_echoed() -> None:
    async def play() -> None:
        session = Script(ack("H0STCNI0"), PING, ack("H0GSCNI0"), PING, "0|H0STCNT0|001|a^b", None)
        stream = a_stream(VirtualClock(), session, watched=("005930",))
        await stream.open()
        asked = [json.loads(text)["body"]["input"] for text in session.sent if "input" in text]
        assert [one["tr_id"] for one in asked] == ["H0STCNI0", "H0GSCNI0", "H0STCNT0"]
        assert [one["tr_key"] for one in asked] == ["me", "me", "005930"]
        assert set(stream.keys) == {"H0STCNI0", "H0GSCNI0"}
        frames = [frame async for frame in stream.read()]
        assert [frame.tr_id for frame in frames if isinstance(frame, DataFrame)] == ["H0STCNT0"]
        assert session.sent.count(PING) == 2
        await stream.ping()

    run_virtual(play(), START_NS)


@pytest.mark.req("F-26", "I-53")
@pytest.mark.parametrize(
    "frames",
    [
        (ack("H0STCNI0"), ack("H0GSCNI0", "OPSP8996", "9")),
        (ack("H0STCNI0"), ack("H0GSCNI0", keys=False)),
        (ack("H0STCNI0"), None),
        (ack("", "OPSP0011", "1", keys=False),),
        ("{no json",),
    ],
)
def test_a_session_whose_notices_are_not_all_registered_is_none(frames: tuple[str | None, ...]) -> None:
    async def play() -> None:
        session = Script(*frames)
        stream = a_stream(VirtualClock(), session)
        with pytest.raises(BrokerUnavailable, match="cannot be registered"):
            await stream.open()
        assert session.closed
        assert not stream.is_open
        with pytest.raises(BrokerUnavailable):
            await stream.ping()

    run_virtual(play(), START_NS)


@pytest.mark.req("F-101", "I-55", "F-19")
@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("OPSP8991", "if the local KIS was started with --paper, set KIS_SIM_AS=paper"),
        ("OPSP8992", "check KIS_HTS_ID"),
        ("OPSP8996", "another program uses this app key"),
    ],
)
def test_a_refused_registration_says_what_to_check(code: str, words: str) -> None:
    async def play() -> None:
        stream = a_stream(VirtualClock(), Script(ack("H0STCNI0", code, "9")))
        with pytest.raises(BrokerUnavailable, match=code) as refused:
            await stream.open()
        assert words in str(refused.value)
        with pytest.raises(BrokerUnavailable, match="begun again in 1 s, not before") as waiting:
            await stream.open()
        assert words in str(waiting.value), "whoever asks meanwhile must read it too"

    run_virtual(play(), START_NS)


@pytest.mark.req("F-11", "I-52", "F-19")
def test_a_session_that_was_refused_is_tried_again_later_and_later() -> None:
    async def play() -> None:
        clock = VirtualClock()
        refused = [Script(ack("H0STCNI0", "OPSP8996", "9")) for _ in range(3)]
        stream = a_stream(clock, *refused, Script(*both()))
        with pytest.raises(BrokerUnavailable, match="cannot be registered"):
            await stream.open()
        waits = []
        while not stream.is_open:
            began = clock.monotonic_ns()
            while await tells(stream) == "wait":
                await clock.sleep(0.1)
            waits.append((clock.monotonic_ns() - began) / 1e9)
        for wait, wanted in zip(waits, (1, 2, 4), strict=True):
            assert abs(wait - wanted) <= 0.2 * wanted + 0.1, "with some chance in it"
        assert stream.sessions == 1

    run_virtual(play(), START_NS)


async def tells(stream: KisStream) -> str:
    """What an attempt to open says: it waits, it was refused, or it is open."""
    try:
        await stream.open()
    except BrokerUnavailable as error:
        return "wait" if "begun again" in str(error) else "refused"
    return "open"


@pytest.mark.req("F-27", "F-28")
def test_a_frame_that_nobody_can_read_is_told_and_the_session_goes_on() -> None:
    async def play() -> None:
        stream = a_stream(VirtualClock(), Script(*both("garbage", "0|H0STCNT0|001|a", None)))
        await stream.open()
        frames = [frame async for frame in stream.read()]
        assert isinstance(frames[0], UnreadableNotice)
        assert isinstance(frames[1], DataFrame)

    run_virtual(play(), START_NS)


class Deaf(Script):
    """A session that never answers a ping, or no longer does."""

    answers = 0

    async def ping(self) -> None:
        self.answers -= 1
        if self.answers < 0:
            await asyncio.get_running_loop().create_future()


@pytest.mark.req("F-25", "I-60", "F-33")
def test_a_kis_that_answers_no_pings_is_dead_only_when_its_own_keep_alives_stay_away() -> None:
    async def play() -> None:
        clock = VirtualClock()
        stream = a_stream(clock, Deaf(*both()))
        await stream.open()
        for _ in range(15):
            await clock.sleep(4)
            await stream.ping()
        await clock.sleep(12)
        with pytest.raises(BrokerUnavailable, match="said nothing for"):
            await stream.ping()

    run_virtual(play(), START_NS)


@pytest.mark.req("F-25", "I-60")
def test_one_that_has_answered_a_ping_is_dead_when_it_answers_no_more() -> None:
    async def play() -> None:
        clock, session = VirtualClock(), Deaf(*both())
        session.answers = 1
        stream = a_stream(clock, session)
        await stream.open()
        await clock.sleep(3)
        await stream.ping()
        await stream.ping()  # of this moment: not asked again
        await clock.sleep(3)
        began = clock.monotonic_ns()
        with pytest.raises(BrokerUnavailable, match="answers no ping"):
            await stream.ping()
        assert clock.monotonic_ns() - began <= 2_000_000_000, "within the desk's patience"

    run_virtual(play(), START_NS)


@pytest.mark.req("F-26", "I-61")
def test_prices_beyond_what_a_session_may_register_are_left_out_and_notices_never() -> None:
    async def play() -> None:
        session = Script(*both())
        stream = a_stream(VirtualClock(), session, watched=tuple(f"{n:06d}" for n in range(60)))
        await stream.open()
        assert len(session.sent) == REGISTRATIONS_MAX

    run_virtual(play(), START_NS)
