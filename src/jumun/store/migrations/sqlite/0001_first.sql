-- The first store: the journal, and the tables that are made from it in the same transaction.
-- Decimals are TEXT in plain digits, exactly as decided; instants are UTC nanoseconds in `..._ns`,
-- with a readable ISO column computed from them. Columns named `body` hold the exact encoded value.
-- Forward only: never edit this file once it is released; its hash is recorded in every store.

CREATE TABLE journal (
    seq INTEGER PRIMARY KEY,              -- 1, 2, 3 … without gaps (I-26)
    shard TEXT NOT NULL DEFAULT '0',      -- one shard per SQLite file
    ts_ns INTEGER NOT NULL,
    type TEXT NOT NULL,                   -- the event's tag
    order_id TEXT,
    causation_id TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    body BLOB NOT NULL,                   -- encode_record(record)
    hash BLOB NOT NULL                    -- chain_hash(previous hash, body)
) STRICT;
CREATE INDEX journal_by_order ON journal (order_id) WHERE order_id IS NOT NULL;

CREATE TABLE orders (
    order_id TEXT NOT NULL PRIMARY KEY,
    idempotency_key TEXT NOT NULL UNIQUE,
    account_id TEXT NOT NULL,
    strategy_id TEXT NOT NULL,
    strategy_version_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    venue TEXT NOT NULL,
    currency TEXT NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('BUY', 'SELL')),
    order_type TEXT NOT NULL,
    tif TEXT NOT NULL,
    qty TEXT NOT NULL,
    price_raw TEXT,                       -- as asked
    price TEXT,                           -- as sent
    stop_price TEXT,
    status TEXT NOT NULL CHECK (status IN
        ('NEW', 'SENT', 'ACCEPTED', 'PART_FILLED', 'FILLED', 'CANCELLED', 'REJECTED', 'ERROR')),
    reason TEXT,
    reason_text TEXT NOT NULL,
    qty_filled TEXT NOT NULL,
    amount_filled TEXT NOT NULL,
    filled_price TEXT,                    -- amount_filled / qty_filled to 8 places, for readers only
    client_order_id TEXT,
    created_by TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    flags TEXT NOT NULL,                  -- joined by blanks
    submit_attempted_ns INTEGER,
    cancel_requested_ns INTEGER,
    expires_ns INTEGER,
    created_ns INTEGER NOT NULL,
    updated_ns INTEGER NOT NULL,
    created_seq INTEGER NOT NULL,         -- the journal record that brought the order
    body BLOB NOT NULL,
    created_at TEXT GENERATED ALWAYS AS
        (strftime('%Y-%m-%dT%H:%M:%S', created_ns / 1000000000, 'unixepoch') || printf('.%09dZ', created_ns % 1000000000)),
    updated_at TEXT GENERATED ALWAYS AS
        (strftime('%Y-%m-%dT%H:%M:%S', updated_ns / 1000000000, 'unixepoch') || printf('.%09dZ', updated_ns % 1000000000))
) STRICT;
CREATE UNIQUE INDEX orders_by_client_id ON orders (created_by, client_order_id) WHERE client_order_id IS NOT NULL;
CREATE INDEX orders_by_user ON orders (created_by, created_seq);

-- One order, many broker numbers; numbers restart daily, so the date is part of the key (C-31, I-64).
CREATE TABLE broker_order_map (
    account_id TEXT NOT NULL,
    trade_date TEXT NOT NULL,
    branch TEXT NOT NULL,
    broker_order_no TEXT NOT NULL,
    order_id TEXT NOT NULL REFERENCES orders (order_id),
    tr_id TEXT,                           -- the broker's name of the request, where it has one
    sent_ns INTEGER NOT NULL,
    journal_seq INTEGER NOT NULL,
    sent_at TEXT GENERATED ALWAYS AS
        (strftime('%Y-%m-%dT%H:%M:%S', sent_ns / 1000000000, 'unixepoch') || printf('.%09dZ', sent_ns % 1000000000)),
    PRIMARY KEY (account_id, trade_date, branch, broker_order_no)
) STRICT, WITHOUT ROWID;
CREATE INDEX broker_order_map_by_order ON broker_order_map (order_id, journal_seq);

CREATE TABLE order_status_history (
    history_id INTEGER PRIMARY KEY,       -- the number of the journal record
    order_id TEXT NOT NULL REFERENCES orders (order_id),
    status_from TEXT,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    text TEXT NOT NULL,
    event_ns INTEGER NOT NULL,
    raw_payload TEXT NOT NULL,
    event_ts TEXT GENERATED ALWAYS AS
        (strftime('%Y-%m-%dT%H:%M:%S', event_ns / 1000000000, 'unixepoch') || printf('.%09dZ', event_ns % 1000000000))
) STRICT;
CREATE INDEX order_status_history_by_order ON order_status_history (order_id);

CREATE TABLE fills (
    journal_seq INTEGER PRIMARY KEY,
    fill_id TEXT NOT NULL UNIQUE,
    order_id TEXT NOT NULL REFERENCES orders (order_id),
    account_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    currency TEXT NOT NULL,
    side TEXT NOT NULL,
    qty TEXT NOT NULL,
    price TEXT NOT NULL,
    amount TEXT NOT NULL,
    identity TEXT NOT NULL,
    trade_date TEXT NOT NULL,
    settlement_date TEXT NOT NULL,
    event_ns INTEGER NOT NULL,
    flags TEXT NOT NULL,
    event_ts TEXT GENERATED ALWAYS AS
        (strftime('%Y-%m-%dT%H:%M:%S', event_ns / 1000000000, 'unixepoch') || printf('.%09dZ', event_ns % 1000000000)),
    UNIQUE (order_id, identity)           -- the same fill never counts twice (I-09, I-12)
) STRICT;

CREATE TABLE ledger (
    journal_seq INTEGER NOT NULL,
    line INTEGER NOT NULL,
    kind TEXT NOT NULL,
    account_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount TEXT NOT NULL,
    debit TEXT NOT NULL,
    credit TEXT NOT NULL,
    symbol TEXT NOT NULL,
    qty TEXT NOT NULL,
    order_id TEXT,
    fill_id TEXT,
    cost_kind TEXT NOT NULL,
    trade_date TEXT NOT NULL,
    settlement_date TEXT NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (journal_seq, line)
) STRICT, WITHOUT ROWID;

CREATE TABLE positions (
    account_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    currency TEXT NOT NULL,
    qty TEXT NOT NULL,
    cost_basis TEXT NOT NULL,
    realised_gross TEXT NOT NULL,
    costs TEXT NOT NULL,
    mark TEXT,
    mark_ts_ns INTEGER,
    journal_seq INTEGER NOT NULL,
    PRIMARY KEY (account_id, symbol)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY,              -- record number x 1024 + place in the record: never used again
    topic TEXT NOT NULL,
    event_type TEXT NOT NULL,
    account_id TEXT NOT NULL,
    envelope BLOB NOT NULL
) STRICT;

CREATE TABLE outbox_cursor (
    sink TEXT NOT NULL PRIMARY KEY,
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshots (
    seq INTEGER PRIMARY KEY,
    body BLOB NOT NULL,
    sha256 BLOB NOT NULL,                 -- over seq, chain hash and body
    chain_hash BLOB NOT NULL
) STRICT;

-- What may follow what (requirements part 2). ERROR is "outcome unknown", so whatever the broker then
-- says may follow it. A fill of a closed order leaves its status alone, so it passes here, always.
CREATE TRIGGER orders_status_follows_the_table BEFORE UPDATE OF status ON orders
WHEN NEW.status <> OLD.status AND (OLD.status || '>' || NEW.status) NOT IN (
    'NEW>SENT', 'NEW>ACCEPTED', 'NEW>PART_FILLED', 'NEW>FILLED', 'NEW>CANCELLED', 'NEW>REJECTED', 'NEW>ERROR',
    'SENT>ACCEPTED', 'SENT>PART_FILLED', 'SENT>FILLED', 'SENT>CANCELLED', 'SENT>REJECTED', 'SENT>ERROR',
    'ACCEPTED>PART_FILLED', 'ACCEPTED>FILLED', 'ACCEPTED>CANCELLED', 'ACCEPTED>REJECTED', 'ACCEPTED>ERROR',
    'PART_FILLED>FILLED', 'PART_FILLED>CANCELLED', 'PART_FILLED>ERROR',
    'ERROR>NEW', 'ERROR>SENT', 'ERROR>ACCEPTED', 'ERROR>PART_FILLED', 'ERROR>FILLED', 'ERROR>CANCELLED', 'ERROR>REJECTED')
BEGIN SELECT RAISE(ABORT, 'orders: this status cannot follow that one'); END;

CREATE TRIGGER orders_keep_their_identity
BEFORE UPDATE OF order_id, idempotency_key, account_id, symbol, side, created_by, client_order_id, created_seq ON orders
WHEN NEW.order_id IS NOT OLD.order_id OR NEW.idempotency_key IS NOT OLD.idempotency_key
    OR NEW.account_id IS NOT OLD.account_id OR NEW.symbol IS NOT OLD.symbol OR NEW.side IS NOT OLD.side
    OR NEW.created_by IS NOT OLD.created_by OR NEW.client_order_id IS NOT OLD.client_order_id
    OR NEW.created_seq IS NOT OLD.created_seq
BEGIN SELECT RAISE(ABORT, 'orders: what an order is does not change'); END;

CREATE TRIGGER orders_are_never_deleted BEFORE DELETE ON orders
BEGIN SELECT RAISE(ABORT, 'orders: rows are never deleted'); END;

-- History is added to and never edited. The insert triggers also stop INSERT OR REPLACE, whose hidden
-- delete fires no delete trigger on an ordinary connection.
CREATE TRIGGER journal_has_no_gaps BEFORE INSERT ON journal
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM journal)
BEGIN SELECT RAISE(ABORT, 'journal: a record must follow the newest one without a gap'); END;
CREATE TRIGGER journal_is_never_edited BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'journal: records are never edited'); END;
CREATE TRIGGER journal_is_never_deleted BEFORE DELETE ON journal
BEGIN SELECT RAISE(ABORT, 'journal: records are never deleted'); END;

CREATE TRIGGER order_status_history_is_added_to BEFORE INSERT ON order_status_history
WHEN EXISTS (SELECT 1 FROM order_status_history WHERE history_id = NEW.history_id)
BEGIN SELECT RAISE(ABORT, 'order_status_history: rows are never replaced'); END;
CREATE TRIGGER order_status_history_is_never_edited BEFORE UPDATE ON order_status_history
BEGIN SELECT RAISE(ABORT, 'order_status_history: rows are never edited'); END;
CREATE TRIGGER order_status_history_is_never_deleted BEFORE DELETE ON order_status_history
BEGIN SELECT RAISE(ABORT, 'order_status_history: rows are never deleted'); END;

CREATE TRIGGER fills_are_added_to BEFORE INSERT ON fills
WHEN EXISTS (SELECT 1 FROM fills WHERE journal_seq = NEW.journal_seq)
BEGIN SELECT RAISE(ABORT, 'fills: rows are never replaced'); END;
CREATE TRIGGER fills_are_never_edited BEFORE UPDATE ON fills
BEGIN SELECT RAISE(ABORT, 'fills: rows are never edited'); END;
CREATE TRIGGER fills_are_never_deleted BEFORE DELETE ON fills
BEGIN SELECT RAISE(ABORT, 'fills: rows are never deleted'); END;

CREATE TRIGGER ledger_is_added_to BEFORE INSERT ON ledger
WHEN EXISTS (SELECT 1 FROM ledger WHERE journal_seq = NEW.journal_seq AND line = NEW.line)
BEGIN SELECT RAISE(ABORT, 'ledger: rows are never replaced'); END;
CREATE TRIGGER ledger_is_never_edited BEFORE UPDATE ON ledger
BEGIN SELECT RAISE(ABORT, 'ledger: rows are never edited'); END;
CREATE TRIGGER ledger_is_never_deleted BEFORE DELETE ON ledger
BEGIN SELECT RAISE(ABORT, 'ledger: rows are never deleted'); END;

CREATE TRIGGER broker_order_map_is_added_to BEFORE INSERT ON broker_order_map
WHEN EXISTS (SELECT 1 FROM broker_order_map WHERE account_id = NEW.account_id AND trade_date = NEW.trade_date
    AND branch = NEW.branch AND broker_order_no = NEW.broker_order_no)
BEGIN SELECT RAISE(ABORT, 'broker_order_map: this number of that day already belongs to an order'); END;
CREATE TRIGGER broker_order_map_is_never_edited BEFORE UPDATE ON broker_order_map
BEGIN SELECT RAISE(ABORT, 'broker_order_map: rows are never edited'); END;
CREATE TRIGGER broker_order_map_is_never_deleted BEFORE DELETE ON broker_order_map
BEGIN SELECT RAISE(ABORT, 'broker_order_map: rows are never deleted'); END;

-- Specification 004's columns (requirements 3.2). Views cannot be written to.
CREATE VIEW orders_v1 AS SELECT
    o.order_id AS id,
    o.created_by AS user_id,
    o.strategy_version_id AS strategy_id,
    o.symbol, o.side, o.order_type, o.price,
    o.qty AS quantity,
    CASE o.status
        WHEN 'NEW' THEN 'PENDING'
        WHEN 'SENT' THEN 'SENT' WHEN 'ACCEPTED' THEN 'SENT' WHEN 'PART_FILLED' THEN 'SENT' WHEN 'ERROR' THEN 'SENT'
        WHEN 'FILLED' THEN 'FILLED' WHEN 'CANCELLED' THEN 'CANCELLED' WHEN 'REJECTED' THEN 'REJECTED'
    END AS status,
    (SELECT m.broker_order_no FROM broker_order_map m WHERE m.order_id = o.order_id
        ORDER BY m.journal_seq DESC LIMIT 1) AS broker_order_id,
    o.filled_price,
    o.qty_filled AS filled_quantity,
    CASE o.status
        WHEN 'REJECTED' THEN (SELECT h.reason || CASE h.text WHEN '' THEN '' ELSE ': ' || h.text END
            FROM order_status_history h WHERE h.order_id = o.order_id ORDER BY h.history_id DESC LIMIT 1)
        WHEN 'ERROR' THEN 'UNKNOWN: ' || o.reason_text
    END AS reject_reason,
    o.created_at, o.updated_at
FROM orders o;

CREATE VIEW order_audit_log AS SELECT
    printf('00000000-0000-8000-8000-%012x', h.history_id) AS id,
    h.order_id,
    CASE h.status
        WHEN 'NEW' THEN 'PENDING'
        WHEN 'SENT' THEN 'SENT' WHEN 'ACCEPTED' THEN 'SENT' WHEN 'PART_FILLED' THEN 'SENT' WHEN 'ERROR' THEN 'SENT'
        WHEN 'FILLED' THEN 'FILLED' WHEN 'CANCELLED' THEN 'CANCELLED' WHEN 'REJECTED' THEN 'REJECTED'
    END AS status,
    CASE h.status WHEN 'ERROR' THEN 'UNKNOWN: ' ELSE '' END
        || h.reason || CASE h.text WHEN '' THEN '' ELSE ': ' || h.text END AS reason,
    h.event_ts AS created_at
FROM order_status_history h;
