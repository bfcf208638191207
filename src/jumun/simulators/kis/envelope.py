"""Replies on the wire: header names as they must be written, fields in their order (kis.md 1.3, 1.4)."""

from typing import Final

import msgspec

from jumun.ports.wire import HttpReply
from jumun.simulators.kis.asking import Ask, Block, Fields, Told
from jumun.simulators.kis.blanks import blank_of
from jumun.simulators.kis.contract import Endpoint
from jumun.simulators.kis.messages import ORDER_SENT, QUOTED, TEXTS, KisRefused

TEXT_WIDTH: Final = 80  # of msg1
JSON: Final = "application/json; charset=utf-8"

_ENCODER: Final = msgspec.json.Encoder()


def headers_of(tr_id: str = "", tr_cont: str = "", gt_uid: str = "") -> dict[str, str]:
    """Return the reply's headers. One client drops names that are not all lower case, and breaks on
    `content-type` if it is (kis.md 7.5).
    """
    return {"Content-Type": JSON, "tr_id": tr_id, "tr_cont": tr_cont, "gt_uid": gt_uid}


def reply(status: int, body: object, headers: dict[str, str] | None = None) -> HttpReply:
    """Return a JSON reply."""
    return HttpReply(status=status, headers=headers or {"Content-Type": JSON}, body=_ENCODER.encode(body))


def told_reply(ask: Ask, told: Told, headers: dict[str, str]) -> HttpReply:
    """Return a yes, with all its declared fields."""
    endpoint = ask.endpoint
    text = TEXTS[told.msg_cd]
    body: dict[str, object] = dict(told.context)
    for name in endpoint.response:
        body.update(_block(endpoint, name, told.blocks))
    for name, block in told.blocks.items():
        if name not in endpoint.response:  # a block under another name, by a switch
            body[name] = block
    envelope = {"rt_cd": "0", "msg_cd": told.msg_cd, "msg1": _text(endpoint, text)}
    body = body | envelope if endpoint.is_inquiry else envelope | body
    return reply(200, body, headers | {"tr_cont": told.tr_cont})


def refused_reply(
    refused: KisRefused, headers: dict[str, str], endpoint: Endpoint | None = None
) -> HttpReply:
    """Return a no in the usual envelope."""
    text = str(refused)[:TEXT_WIDTH]
    body = {
        "rt_cd": refused.rt_cd,
        "msg_cd": refused.msg_cd,
        "msg1": text if endpoint is None else _text(endpoint, text),
    }
    return reply(refused.status, body, headers)


def auth_refused_reply(refused: KisRefused) -> HttpReply:
    """Return a no of the token addresses, which have an envelope of their own (kis.md 2.1)."""
    body = {"error_description": str(refused), "error_code": refused.msg_cd}
    return reply(refused.status if refused.status != 200 else 403, body)


def filled(endpoint: Endpoint, block: str, known: Fields) -> Fields:
    """Return one row of a block: every declared field in its order, then what is known beside them."""
    row = {name: known[name] if name in known else blank_of(name) for name in endpoint.response[block]}
    return row | {name: value for name, value in known.items() if name not in row}


def success_code(endpoint: Endpoint) -> str:
    """Return the code of a yes that has no pages."""
    if not endpoint.is_inquiry:
        return ORDER_SENT
    return QUOTED if "/quotations/" in endpoint.path else Told(blocks={}).msg_cd


def _block(endpoint: Endpoint, name: str, blocks: dict[str, Block]) -> dict[str, object]:
    block = blocks.get(name)
    if endpoint.response_kind.get(name, "object") == "array":
        rows = block if isinstance(block, list) else ([] if block is None else [block])
        return {name: [filled(endpoint, name, row) for row in rows]}
    assert not isinstance(block, list), f"{endpoint.name}: {name} is one object"
    return {} if block is None else {name: filled(endpoint, name, block)}


def _text(endpoint: Endpoint, text: str) -> str:
    return text.ljust(TEXT_WIDTH) if endpoint.is_inquiry else text
