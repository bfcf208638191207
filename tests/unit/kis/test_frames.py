"""Frames of KIS's stream and their cipher: whole and readable, or kept as what nobody could read."""

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7
from hypothesis import given
from hypothesis import strategies as st

from jumun.brokers.kis.access import Secret
from jumun.brokers.kis.cipher import StreamKeys, decrypt
from jumun.brokers.kis.frames import Ack, DataFrame, PingPong, read_frame
from jumun.brokers.kis.notices import hear
from jumun.model.errors import UnreadableReply
from jumun.model.reports import UnreadableNotice
from tests.unit.kis.notice_frames import (
    KEYS,
    NOON,
    OURS,
    RECEIVED,
    seal,
)


def test_an_acknowledgement_brings_its_keys_and_never_prints_them() -> None:
    text = (
        '{"header":{"tr_id":"H0STCNI0","tr_key":"myhtsid","encrypt":"Y"},"body":{"rt_cd":"0",'
        '"msg_cd":"OPSP0000","msg1":"SUBSCRIBE SUCCESS","output":{"iv":"0123456789abcdef",'
        '"key":"abcdefghijklmnopqrstuvwxyz012345"}}}'
    )
    ack = read_frame(text)
    assert isinstance(ack, Ack)
    assert (ack.tr_id, ack.is_taken, ack.code, ack.encrypted) == ("H0STCNI0", True, "OPSP0000", True)
    assert ack.keys == KEYS
    assert "0123456789abcdef" not in repr(ack)
    assert "abcdefgh" not in repr(ack)


def test_a_refused_registration_may_name_no_stream() -> None:
    ack = read_frame(
        '{"header":{"tr_id":null},"body":{"rt_cd":"9","msg_cd":"OPSP8996","msg1":"ALREADY IN USE appkey"}}'
    )
    assert isinstance(ack, Ack)
    assert (ack.is_taken, ack.code, ack.keys, ack.encrypted) == (False, "OPSP8996", None, False)


@pytest.mark.req("F-33")
def test_a_keep_alive_is_told_apart_and_keeps_its_text() -> None:
    text = '{"header":{"tr_id":"PINGPONG","datetime":"20261120093000"}}'
    assert read_frame(text) == PingPong(text)


@pytest.mark.req("F-27", "F-29")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "0|H0STCNI0|001",
        "2|H0STCNI0|001|a^b",
        "0|h0stcni0|001|a^b",
        "0|H0STCNI0|1|a^b",
        "0|H0STCNI0|000|a^b",
        "0|H0STCNI0|0x1|a^b",
        "{",
        "{}",
        "[]",
        '{"header":{"tr_id":"H0STCNI0"}}',
        '{"header":[],"body":{}}',
        '{"header":{},"body":{"rt_cd":0,"msg_cd":"OPSP0000"}}',
        "{" * 100_000,
    ],
)
def test_a_frame_of_no_known_shape_is_unreadable_and_kept(text: str) -> None:
    with pytest.raises(UnreadableReply) as caught:
        read_frame(text)
    assert caught.value.raw == text


def test_an_unreadable_acknowledgement_is_kept_without_its_keys() -> None:
    text = '{"header":{},"body":{"rt_cd":0,"output":{"iv":"0123456789abcdef","key" : "abcdefghijkl"}}}'
    with pytest.raises(UnreadableReply) as caught:
        read_frame(text)
    assert "0123456789abcdef" not in caught.value.raw + str(caught.value)
    assert "abcdefghijkl" not in caught.value.raw + str(caught.value)
    assert '"output"' in caught.value.raw


def test_a_frame_beyond_the_bound_is_unreadable() -> None:
    with pytest.raises(UnreadableReply, match="over"):
        read_frame("0|H0STCNI0|001|" + "x" * 1_000_000)


# ---- the cipher -----------------------------------------------------------------------------------


@given(st.text(max_size=400))
def test_what_kis_seals_opens_to_the_same_text(text: str) -> None:
    assert decrypt(seal(text), KEYS) == text


@pytest.mark.req("F-28")
@pytest.mark.parametrize(
    ("payload", "keys"),
    [
        (seal(RECEIVED, StreamKeys(key=Secret("x" * 32), iv=KEYS.iv)), KEYS),
        (seal(RECEIVED), StreamKeys(key=Secret("x" * 31), iv=KEYS.iv)),
        (seal(RECEIVED), StreamKeys(key=KEYS.key, iv=Secret("한국"))),
        (seal(RECEIVED)[:-4], KEYS),
        ("not base64!", KEYS),
        (f"{seal(RECEIVED)[:8]}!{seal(RECEIVED)[8:]}", KEYS),
        ("", KEYS),
        (b64encode(b"x" * 15).decode(), KEYS),
        (b64encode(b"x" * 32).decode(), KEYS),
    ],
)
def test_a_notice_that_does_not_open_is_unreadable(payload: str, keys: StreamKeys) -> None:
    with pytest.raises(UnreadableReply) as caught:
        decrypt(payload, keys)
    assert caught.value.raw == payload
    data = DataFrame(tr_id="H0STCNI0", is_sealed=True, count=1, payload=payload)
    heard = hear(data, keys, NOON, OURS, lambda symbol: None)
    assert isinstance(heard.reports[0], UnreadableNotice)


@pytest.mark.req("F-28")
def test_bytes_that_are_no_text_are_unreadable() -> None:
    padder = PKCS7(128).padder()
    padded = padder.update(b"\xff\xfe^1") + padder.finalize()
    sealer = Cipher(AES256(KEYS.key.reveal().encode()), CBC(KEYS.iv.reveal().encode())).encryptor()
    with pytest.raises(UnreadableReply):
        decrypt(b64encode(sealer.update(padded) + sealer.finalize()).decode(), KEYS)


@pytest.mark.req("F-28")
def test_a_sealed_notice_before_its_key_is_unreadable() -> None:
    data = DataFrame(tr_id="H0STCNI0", is_sealed=True, count=1, payload=seal(RECEIVED))
    (report,) = hear(data, None, NOON, OURS, lambda symbol: None).reports
    assert isinstance(report, UnreadableNotice)
    assert report.raw == data.payload
