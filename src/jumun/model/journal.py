"""What is written down: records in a chain, and the rows that were true after each of them."""

import hashlib

import msgspec

from jumun.model.events import Event
from jumun.model.fills import Fill, LedgerRow
from jumun.model.ids import CommandId, OrderId
from jumun.model.orders import BrokerRef, Order, OrderStatus
from jumun.model.positions import Position

GENESIS = b"\x00" * 32


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One event with its place in the chain. `seq` counts from 1 without gaps, per shard (I-26)."""

    seq: int
    ts_ns: int  # UTC, when the desk decided it
    causation_id: CommandId  # the command it follows from
    correlation_id: str  # the signal or request that began the story
    event: Event


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """One row of order_status_history (OMS-03, S002-31): every transition, creation included."""

    order_id: OrderId
    status_from: OrderStatus | None
    status: OrderStatus
    reason: str
    text: str
    raw_payload: str


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """An event for others, in the one envelope of specification 000 and 002 (C-16)."""

    event_id: str  # shard.seq.index: unique, ordered, resumable
    event_type: str
    event_ts_ns: int
    version: int
    correlation_id: str
    causation_id: str
    environment: str
    account_id: str
    payload: dict[str, object]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A record and the rows it implies; a store writes all of them in one transaction (I-28)."""

    record: Record
    order: Order | None = None  # after the event
    transition: Transition | None = None
    new_ref: BrokerRef | None = None  # a row for broker_order_map
    fill: Fill | None = None
    ledger: tuple[LedgerRow, ...] = ()
    positions: tuple[Position, ...] = ()  # those that changed, after the event
    messages: tuple[Message, ...] = ()


_encoder = msgspec.json.Encoder(order="deterministic", decimal_format="string")
_decoder = msgspec.json.Decoder(Record)


def encode_record(record: Record) -> bytes:
    """The canonical bytes of a record: what is stored and what is hashed."""
    return _encoder.encode(record)


def decode_record(body: bytes) -> Record:
    """The inverse of `encode_record`; raises msgspec.ValidationError on anything else."""
    return _decoder.decode(body)


def chain_hash(previous: bytes, body: bytes) -> bytes:
    """The hash of a record: SHA-256 over the previous hash and the canonical bytes (I-26)."""
    return hashlib.sha256(previous + body).digest()
