"""The access token across restarts and between processes, and a file that is not fit to hold one."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from jumun.brokers.kis.access import KisAccess, KisEnvironment, Secret
from jumun.model.errors import BrokerUnavailable
from jumun.ports.wire import AnswerLost
from tests.unit.kis.key_desk import DAY_S, NS, START, KeyDesk, play
from tests.unit.kis.wires import APP_KEY, APP_SECRET, SECRETS, TOKEN, an_access, told


@pytest.mark.req("F-11")
def test_a_restart_uses_the_token_of_the_run_before(tmp_path: Path) -> None:
    cache = tmp_path / "keys" / "token.json"

    async def first() -> None:
        assert await KeyDesk(cache).token() == TOKEN

    async def second() -> None:
        desk = KeyDesk(cache)
        assert await desk.token() == TOKEN
        assert desk.asked() == 0

    play(first)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600
    assert stat.S_IMODE(cache.parent.stat().st_mode) == 0o700
    assert [path.name for path in cache.parent.iterdir()] == ["token.json"]
    assert APP_KEY not in cache.read_text()
    play(second, START + 3_600 * NS)


@pytest.mark.req("F-11")
def test_a_service_that_crashes_in_a_loop_asks_once_a_minute(tmp_path: Path) -> None:
    cache = tmp_path / "token.json"
    asked = 0

    async def one_life() -> None:
        nonlocal asked
        desk = KeyDesk(cache)
        desk.error = AnswerLost("killed while waiting")
        with pytest.raises(BrokerUnavailable):
            await desk.token()
        asked += desk.asked()

    for second in range(0, 120, 10):
        play(one_life, START + second * NS)
    assert asked == 2


def test_another_process_of_the_same_key_may_have_the_token_already(tmp_path: Path) -> None:
    async def script() -> None:
        ours, theirs = KeyDesk(tmp_path / "token.json"), KeyDesk(tmp_path / "token.json", names=("theirs",))
        ours.error = told({"error_code": "EGW00133"}, status=403)
        with pytest.raises(BrokerUnavailable):
            await ours.token()
        await ours.clock.sleep(61)
        assert await theirs.token() == "theirs"
        assert await ours.token() == "theirs"
        assert ours.asked() == 1

    play(script)


def test_a_refused_token_is_not_taken_from_the_file_again(tmp_path: Path) -> None:
    async def script() -> None:
        desk = KeyDesk(tmp_path / "token.json")
        desk.tokens.refused(await desk.tokens.access_token())
        await desk.clock.sleep(61)
        assert await desk.token() == "second.token"

    play(script)


def test_an_old_token_on_file_is_no_use(tmp_path: Path) -> None:
    cache = tmp_path / "token.json"

    async def first() -> None:
        await KeyDesk(cache).token()

    async def later() -> None:
        assert await KeyDesk(cache, names=("second.token",)).token() == "second.token"

    play(first)
    play(later, START + DAY_S * NS)


def test_a_clock_that_was_set_back_does_not_lock_us_out(tmp_path: Path) -> None:
    cache = tmp_path / "token.json"

    async def lost() -> None:
        desk = KeyDesk(cache)
        desk.error = AnswerLost("reset")
        with pytest.raises(AnswerLost):
            await desk.token()

    async def earlier() -> None:
        assert await KeyDesk(cache).token() == TOKEN

    play(lost)
    play(earlier, START - 3_600 * NS)


@pytest.mark.req("S000-112", "I-55")
@pytest.mark.parametrize(
    "other",
    [
        an_access(environment=KisEnvironment.LIVE),
        an_access(app_key=Secret("another")),
        an_access(rest_base="http://127.0.0.1:9443"),
    ],
)
def test_paper_and_live_and_another_key_never_share_a_token(other: KisAccess, tmp_path: Path) -> None:
    cache = tmp_path / "token.json"

    async def ours() -> None:
        await KeyDesk(cache).token()

    async def theirs() -> None:
        with capture_logs() as logs:
            assert await KeyDesk(cache, access=other, names=("theirs",)).token() == "theirs"
        assert logs[0]["event"] == "kis_token_file_ignored"
        assert "another app key or host" in logs[0]["why"]

    play(ours)
    play(theirs)


def _wide(cache: Path) -> None:
    cache.chmod(0o640)


def _garbage(cache: Path) -> None:
    cache.write_bytes(b"\xff\xfe{}")


def _other_fields(cache: Path) -> None:
    cache.write_text('{"owner": 1}')


def _link(cache: Path) -> None:
    real = cache.with_name("real.json")
    cache.rename(real)
    cache.symlink_to(real)


def _folder(cache: Path) -> None:
    cache.unlink()
    cache.mkdir(mode=0o700)


@pytest.mark.parametrize("spoil", [_wide, _garbage, _other_fields, _link, _folder])
def test_a_file_that_is_not_ours_alone_is_ignored_with_a_warning(
    spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    cache = tmp_path / "token.json"

    async def first() -> None:
        await KeyDesk(cache).token()

    async def second() -> None:
        desk = KeyDesk(cache, names=("second.token",))
        with capture_logs() as logs:
            assert await desk.token() == "second.token"
        ignored = logs[0]
        assert ignored["event"] == "kis_token_file_ignored"
        assert ignored["next_step"]
        assert not [secret for secret in SECRETS if secret in str(logs)]

    play(first)
    spoil(cache)
    play(second)


def test_a_folder_that_cannot_be_written_costs_only_the_memory(tmp_path: Path) -> None:
    async def script() -> None:
        blocked = tmp_path / "file"
        blocked.write_text("")
        with capture_logs() as logs:
            assert await KeyDesk(blocked / "token.json").token() == TOKEN
        assert "kis_token_file_not_written" in [entry["event"] for entry in logs]

    play(script)


def test_a_revoked_token_is_forgotten_everywhere(tmp_path: Path) -> None:
    cache = tmp_path / "token.json"

    async def script() -> None:
        desk = KeyDesk(cache)
        await desk.tokens.revoke()  # nothing to revoke
        assert desk.wire.calls == []
        await desk.token()
        await desk.tokens.revoke()
        assert json.loads(desk.wire.calls[-1].body) == {
            "appkey": APP_KEY,
            "appsecret": APP_SECRET,
            "token": TOKEN,
        }
        assert not cache.exists()
        with pytest.raises(BrokerUnavailable, match="in 61 s"):
            await desk.token()

    play(script)


def test_a_token_that_kis_keeps_is_not_forgotten() -> None:
    async def script() -> None:
        desk = KeyDesk()
        await desk.token()
        desk.error = told({"error_code": "EGW00001"}, status=500)
        with pytest.raises(BrokerUnavailable, match="EGW00001"):
            await desk.tokens.revoke()
        assert await desk.token() == TOKEN

    play(script)
