-- name: order_by_id
SELECT body FROM orders WHERE order_id = ?;
-- name: order_by_key
SELECT body FROM orders WHERE idempotency_key = ?;
-- name: orders_by_keys. One step for a thousand keys: each step hands the interpreter lock over and back. A cross
-- join keeps the order of the two: from the keys into the index, however few orders there are.
SELECT o.idempotency_key, o.body FROM json_each(?) AS asked CROSS JOIN orders o ON o.idempotency_key = asked.value;
-- name: order_by_client_id. A client order id is unique per user.
SELECT body FROM orders WHERE created_by = ? AND client_order_id = ?;
-- name: order_by_ref. Broker numbers restart daily, so the date is part of the key (I-64).
SELECT o.body FROM broker_order_map m JOIN orders o ON o.order_id = m.order_id
WHERE m.account_id = ? AND m.trade_date = ? AND m.branch = ? AND m.broker_order_no = ?;
-- name: orders_by_refs. One step for a thousand numbers, from the numbers into the index; see orders_by_keys.
SELECT asked.key, o.body FROM json_each(?) AS asked
CROSS JOIN broker_order_map m ON m.account_id = ? AND m.trade_date = json_extract(asked.value, '$[0]')
  AND m.branch = json_extract(asked.value, '$[1]') AND m.broker_order_no = json_extract(asked.value, '$[2]')
CROSS JOIN orders o ON o.order_id = m.order_id;
-- name: created_seq
SELECT created_seq FROM orders WHERE order_id = ?;
-- name: orders_of_user
SELECT body FROM orders WHERE created_by = ? AND created_seq < ? ORDER BY created_seq DESC LIMIT ?;
-- name: orders_like. Newest first; a NULL filter lets everything pass.
SELECT body FROM orders
WHERE (?1 IS NULL OR account_id = ?1) AND (?2 IS NULL OR symbol = ?2) AND (?3 IS NULL OR status = ?3)
ORDER BY rowid DESC LIMIT ?4;
-- name: orders_by_prefix. A range, not LIKE: it uses the key's index. U+FFFF sorts after every id.
SELECT body FROM orders WHERE order_id >= ?1 AND order_id < ?1 || char(65535) ORDER BY order_id LIMIT 2;
-- name: fills_of
SELECT {fills} FROM fills WHERE order_id = ? ORDER BY journal_seq;
-- name: fills_newest
SELECT {fills} FROM fills WHERE (?1 IS NULL OR account_id = ?1) AND (?2 IS NULL OR symbol = ?2)
ORDER BY journal_seq DESC LIMIT ?3;
-- name: story_of
SELECT seq, body FROM journal WHERE order_id = ? ORDER BY seq;
-- name: newest_of_type. Walks back from the newest record.
SELECT seq, body FROM journal WHERE type = ? ORDER BY seq DESC LIMIT 1;
-- name: tail
SELECT seq, body, hash FROM journal WHERE seq > ? ORDER BY seq LIMIT ?;
-- name: positions
SELECT {positions} FROM positions WHERE ?1 IS NULL OR account_id = ?1 ORDER BY account_id, symbol;
-- name: cash. Debits of CASH less its credits, added exactly.
SELECT account_id, currency, exact_sum(CASE debit WHEN 'CASH' THEN amount ELSE '-' || amount END)
FROM ledger WHERE (debit = 'CASH') <> (credit = 'CASH') GROUP BY account_id, currency ORDER BY 1, 2;
-- name: has_account. Whether anything was ever booked for it, or ordered by it.
SELECT EXISTS (SELECT 1 FROM ledger WHERE account_id = ?1) OR EXISTS (SELECT 1 FROM orders WHERE account_id = ?1);
-- name: ledger
SELECT {ledger} FROM ledger WHERE (?1 IS NULL OR account_id = ?1) AND journal_seq > ?2
ORDER BY journal_seq, line LIMIT ?3;
-- name: outbox_after
SELECT seq, envelope FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?;
-- name: outbox_cursor
SELECT seq FROM outbox_cursor WHERE sink = ?;
-- name: newest
SELECT seq, ts_ns FROM journal ORDER BY seq DESC LIMIT 1;
-- name: counts
SELECT (SELECT count(*) FROM journal), (SELECT count(*) FROM orders), (SELECT count(*) FROM fills),
    (SELECT count(*) FROM ledger), (SELECT count(*) FROM positions), (SELECT count(*) FROM outbox);
-- name: orders_by_status
SELECT status, count(*) FROM orders GROUP BY status ORDER BY status;
