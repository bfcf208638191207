from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SubmitRequest(_message.Message):
    __slots__ = ("account_id", "user_id", "client_order_id", "symbol", "side", "order_type", "quantity", "price", "stop_price", "time_in_force", "strategy_id", "strategy_version", "signal_ts", "leg", "venue", "session", "good_till")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    ORDER_TYPE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    STOP_PRICE_FIELD_NUMBER: _ClassVar[int]
    TIME_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_VERSION_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_TS_FIELD_NUMBER: _ClassVar[int]
    LEG_FIELD_NUMBER: _ClassVar[int]
    VENUE_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    GOOD_TILL_FIELD_NUMBER: _ClassVar[int]
    account_id: str
    user_id: str
    client_order_id: str
    symbol: str
    side: str
    order_type: str
    quantity: str
    price: str
    stop_price: str
    time_in_force: str
    strategy_id: str
    strategy_version: str
    signal_ts: str
    leg: str
    venue: str
    session: str
    good_till: str
    def __init__(self, account_id: _Optional[str] = ..., user_id: _Optional[str] = ..., client_order_id: _Optional[str] = ..., symbol: _Optional[str] = ..., side: _Optional[str] = ..., order_type: _Optional[str] = ..., quantity: _Optional[str] = ..., price: _Optional[str] = ..., stop_price: _Optional[str] = ..., time_in_force: _Optional[str] = ..., strategy_id: _Optional[str] = ..., strategy_version: _Optional[str] = ..., signal_ts: _Optional[str] = ..., leg: _Optional[str] = ..., venue: _Optional[str] = ..., session: _Optional[str] = ..., good_till: _Optional[str] = ...) -> None: ...

class CancelRequest(_message.Message):
    __slots__ = ("order_id", "user_id")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    user_id: str
    def __init__(self, order_id: _Optional[str] = ..., user_id: _Optional[str] = ...) -> None: ...

class OrderReply(_message.Message):
    __slots__ = ("order_id", "client_order_id", "account_id", "symbol", "side", "order_type", "quantity", "price", "price_raw", "status", "reason", "text", "filled_quantity", "filled_amount", "currency", "existing", "mismatch", "denied", "cancel_requested", "time_in_force", "stop_price", "modify_requested", "modify_quantity", "modify_price")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    ORDER_TYPE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    PRICE_RAW_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FILLED_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    FILLED_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    EXISTING_FIELD_NUMBER: _ClassVar[int]
    MISMATCH_FIELD_NUMBER: _ClassVar[int]
    DENIED_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    TIME_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    STOP_PRICE_FIELD_NUMBER: _ClassVar[int]
    MODIFY_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    MODIFY_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    MODIFY_PRICE_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    client_order_id: str
    account_id: str
    symbol: str
    side: str
    order_type: str
    quantity: str
    price: str
    price_raw: str
    status: str
    reason: str
    text: str
    filled_quantity: str
    filled_amount: str
    currency: str
    existing: bool
    mismatch: bool
    denied: bool
    cancel_requested: bool
    time_in_force: str
    stop_price: str
    modify_requested: bool
    modify_quantity: str
    modify_price: str
    def __init__(self, order_id: _Optional[str] = ..., client_order_id: _Optional[str] = ..., account_id: _Optional[str] = ..., symbol: _Optional[str] = ..., side: _Optional[str] = ..., order_type: _Optional[str] = ..., quantity: _Optional[str] = ..., price: _Optional[str] = ..., price_raw: _Optional[str] = ..., status: _Optional[str] = ..., reason: _Optional[str] = ..., text: _Optional[str] = ..., filled_quantity: _Optional[str] = ..., filled_amount: _Optional[str] = ..., currency: _Optional[str] = ..., existing: _Optional[bool] = ..., mismatch: _Optional[bool] = ..., denied: _Optional[bool] = ..., cancel_requested: _Optional[bool] = ..., time_in_force: _Optional[str] = ..., stop_price: _Optional[str] = ..., modify_requested: _Optional[bool] = ..., modify_quantity: _Optional[str] = ..., modify_price: _Optional[str] = ...) -> None: ...

class ReconcileRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Difference(_message.Message):
    __slots__ = ("subject", "ours", "theirs")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    OURS_FIELD_NUMBER: _ClassVar[int]
    THEIRS_FIELD_NUMBER: _ClassVar[int]
    subject: str
    ours: str
    theirs: str
    def __init__(self, subject: _Optional[str] = ..., ours: _Optional[str] = ..., theirs: _Optional[str] = ...) -> None: ...

class ReconcileReply(_message.Message):
    __slots__ = ("studies", "unknown", "differences")
    STUDIES_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    studies: int
    unknown: int
    differences: _containers.RepeatedCompositeFieldContainer[Difference]
    def __init__(self, studies: _Optional[int] = ..., unknown: _Optional[int] = ..., differences: _Optional[_Iterable[_Union[Difference, _Mapping]]] = ...) -> None: ...

class StatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StatusReply(_message.Message):
    __slots__ = ("environment", "version", "store", "process", "accepting", "halted", "failure", "open_orders", "waiting", "sending", "unknown", "records", "studies", "study_age_s", "started", "prices", "broker")
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STORE_FIELD_NUMBER: _ClassVar[int]
    PROCESS_FIELD_NUMBER: _ClassVar[int]
    ACCEPTING_FIELD_NUMBER: _ClassVar[int]
    HALTED_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    OPEN_ORDERS_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    SENDING_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    STUDIES_FIELD_NUMBER: _ClassVar[int]
    STUDY_AGE_S_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    PRICES_FIELD_NUMBER: _ClassVar[int]
    BROKER_FIELD_NUMBER: _ClassVar[int]
    environment: str
    version: str
    store: str
    process: int
    accepting: bool
    halted: str
    failure: str
    open_orders: int
    waiting: int
    sending: int
    unknown: int
    records: int
    studies: int
    study_age_s: str
    started: str
    prices: str
    broker: str
    def __init__(self, environment: _Optional[str] = ..., version: _Optional[str] = ..., store: _Optional[str] = ..., process: _Optional[int] = ..., accepting: _Optional[bool] = ..., halted: _Optional[str] = ..., failure: _Optional[str] = ..., open_orders: _Optional[int] = ..., waiting: _Optional[int] = ..., sending: _Optional[int] = ..., unknown: _Optional[int] = ..., records: _Optional[int] = ..., studies: _Optional[int] = ..., study_age_s: _Optional[str] = ..., started: _Optional[str] = ..., prices: _Optional[str] = ..., broker: _Optional[str] = ...) -> None: ...

class HaltRequest(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class ResumeRequest(_message.Message):
    __slots__ = ("by", "text")
    BY_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    by: str
    text: str
    def __init__(self, by: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class SettleRequest(_message.Message):
    __slots__ = ("order_id", "by", "text", "number")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    by: str
    text: str
    number: str
    def __init__(self, order_id: _Optional[str] = ..., by: _Optional[str] = ..., text: _Optional[str] = ..., number: _Optional[str] = ...) -> None: ...

class ModifyRequest(_message.Message):
    __slots__ = ("order_id", "user_id", "quantity", "price")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    user_id: str
    quantity: str
    price: str
    def __init__(self, order_id: _Optional[str] = ..., user_id: _Optional[str] = ..., quantity: _Optional[str] = ..., price: _Optional[str] = ...) -> None: ...

class CancelAllRequest(_message.Message):
    __slots__ = ("account_id", "symbol", "by")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    account_id: str
    symbol: str
    by: str
    def __init__(self, account_id: _Optional[str] = ..., symbol: _Optional[str] = ..., by: _Optional[str] = ...) -> None: ...

class CancelAllReply(_message.Message):
    __slots__ = ("asked",)
    ASKED_FIELD_NUMBER: _ClassVar[int]
    asked: int
    def __init__(self, asked: _Optional[int] = ...) -> None: ...

class ClosePositionRequest(_message.Message):
    __slots__ = ("account_id", "symbol", "by", "strategy_id")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    account_id: str
    symbol: str
    by: str
    strategy_id: str
    def __init__(self, account_id: _Optional[str] = ..., symbol: _Optional[str] = ..., by: _Optional[str] = ..., strategy_id: _Optional[str] = ...) -> None: ...

class BreaksRequest(_message.Message):
    __slots__ = ("account_id",)
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    account_id: str
    def __init__(self, account_id: _Optional[str] = ...) -> None: ...

class AssignBreakRequest(_message.Message):
    __slots__ = ("break_id", "owner", "text")
    BREAK_ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    break_id: str
    owner: str
    text: str
    def __init__(self, break_id: _Optional[str] = ..., owner: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class SettleBreakRequest(_message.Message):
    __slots__ = ("break_id", "by", "text", "correct")
    BREAK_ID_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CORRECT_FIELD_NUMBER: _ClassVar[int]
    break_id: str
    by: str
    text: str
    correct: bool
    def __init__(self, break_id: _Optional[str] = ..., by: _Optional[str] = ..., text: _Optional[str] = ..., correct: _Optional[bool] = ...) -> None: ...

class BreaksReply(_message.Message):
    __slots__ = ("breaks",)
    BREAKS_FIELD_NUMBER: _ClassVar[int]
    breaks: _containers.RepeatedCompositeFieldContainer[BreakRow]
    def __init__(self, breaks: _Optional[_Iterable[_Union[BreakRow, _Mapping]]] = ...) -> None: ...

class BreakRow(_message.Message):
    __slots__ = ("break_id", "account_id", "subject", "ours", "theirs", "difference", "found_ns", "age_s", "owner", "text", "note")
    BREAK_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    OURS_FIELD_NUMBER: _ClassVar[int]
    THEIRS_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    FOUND_NS_FIELD_NUMBER: _ClassVar[int]
    AGE_S_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    break_id: str
    account_id: str
    subject: str
    ours: str
    theirs: str
    difference: str
    found_ns: int
    age_s: str
    owner: str
    text: str
    note: str
    def __init__(self, break_id: _Optional[str] = ..., account_id: _Optional[str] = ..., subject: _Optional[str] = ..., ours: _Optional[str] = ..., theirs: _Optional[str] = ..., difference: _Optional[str] = ..., found_ns: _Optional[int] = ..., age_s: _Optional[str] = ..., owner: _Optional[str] = ..., text: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class BookEntryRequest(_message.Message):
    __slots__ = ("account_id", "document", "by", "text", "trade_date", "settlement_date", "dividend", "split", "transfer", "correction")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TRADE_DATE_FIELD_NUMBER: _ClassVar[int]
    SETTLEMENT_DATE_FIELD_NUMBER: _ClassVar[int]
    DIVIDEND_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    TRANSFER_FIELD_NUMBER: _ClassVar[int]
    CORRECTION_FIELD_NUMBER: _ClassVar[int]
    account_id: str
    document: str
    by: str
    text: str
    trade_date: str
    settlement_date: str
    dividend: DividendEntry
    split: SplitEntry
    transfer: MovedEntry
    correction: MovedEntry
    def __init__(self, account_id: _Optional[str] = ..., document: _Optional[str] = ..., by: _Optional[str] = ..., text: _Optional[str] = ..., trade_date: _Optional[str] = ..., settlement_date: _Optional[str] = ..., dividend: _Optional[_Union[DividendEntry, _Mapping]] = ..., split: _Optional[_Union[SplitEntry, _Mapping]] = ..., transfer: _Optional[_Union[MovedEntry, _Mapping]] = ..., correction: _Optional[_Union[MovedEntry, _Mapping]] = ...) -> None: ...

class DividendEntry(_message.Message):
    __slots__ = ("symbol", "gross", "tax", "net")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    GROSS_FIELD_NUMBER: _ClassVar[int]
    TAX_FIELD_NUMBER: _ClassVar[int]
    NET_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    gross: str
    tax: str
    net: str
    def __init__(self, symbol: _Optional[str] = ..., gross: _Optional[str] = ..., tax: _Optional[str] = ..., net: _Optional[str] = ...) -> None: ...

class SplitEntry(_message.Message):
    __slots__ = ("symbol", "ratio", "cash_for_fraction", "held")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    RATIO_FIELD_NUMBER: _ClassVar[int]
    CASH_FOR_FRACTION_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    ratio: str
    cash_for_fraction: str
    held: str
    def __init__(self, symbol: _Optional[str] = ..., ratio: _Optional[str] = ..., cash_for_fraction: _Optional[str] = ..., held: _Optional[str] = ...) -> None: ...

class MovedEntry(_message.Message):
    __slots__ = ("what", "quantity", "cost", "held")
    WHAT_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    what: str
    quantity: str
    cost: str
    held: str
    def __init__(self, what: _Optional[str] = ..., quantity: _Optional[str] = ..., cost: _Optional[str] = ..., held: _Optional[str] = ...) -> None: ...

class BookEntryReply(_message.Message):
    __slots__ = ("booked", "existing", "rows")
    BOOKED_FIELD_NUMBER: _ClassVar[int]
    EXISTING_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    booked: int
    existing: bool
    rows: _containers.RepeatedCompositeFieldContainer[EntryRow]
    def __init__(self, booked: _Optional[int] = ..., existing: _Optional[bool] = ..., rows: _Optional[_Iterable[_Union[EntryRow, _Mapping]]] = ...) -> None: ...

class EntryRow(_message.Message):
    __slots__ = ("kind", "currency", "amount", "debit", "credit", "trade_date", "settlement_date", "symbol", "quantity", "note", "cost_kind")
    KIND_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    DEBIT_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    TRADE_DATE_FIELD_NUMBER: _ClassVar[int]
    SETTLEMENT_DATE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    COST_KIND_FIELD_NUMBER: _ClassVar[int]
    kind: str
    currency: str
    amount: str
    debit: str
    credit: str
    trade_date: str
    settlement_date: str
    symbol: str
    quantity: str
    note: str
    cost_kind: str
    def __init__(self, kind: _Optional[str] = ..., currency: _Optional[str] = ..., amount: _Optional[str] = ..., debit: _Optional[str] = ..., credit: _Optional[str] = ..., trade_date: _Optional[str] = ..., settlement_date: _Optional[str] = ..., symbol: _Optional[str] = ..., quantity: _Optional[str] = ..., note: _Optional[str] = ..., cost_kind: _Optional[str] = ...) -> None: ...

class ExecutionStatusRequest(_message.Message):
    __slots__ = ("order_id", "user_id")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    user_id: str
    def __init__(self, order_id: _Optional[str] = ..., user_id: _Optional[str] = ...) -> None: ...

class ExecutionStatsRequest(_message.Message):
    __slots__ = ("trade_date", "account_id")
    TRADE_DATE_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    trade_date: str
    account_id: str
    def __init__(self, trade_date: _Optional[str] = ..., account_id: _Optional[str] = ...) -> None: ...

class PortfolioRequest(_message.Message):
    __slots__ = ("account_id", "base", "rates")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    account_id: str
    base: str
    rates: _containers.RepeatedCompositeFieldContainer[FxRate]
    def __init__(self, account_id: _Optional[str] = ..., base: _Optional[str] = ..., rates: _Optional[_Iterable[_Union[FxRate, _Mapping]]] = ...) -> None: ...

class FxRate(_message.Message):
    __slots__ = ("currency", "rate", "at", "source")
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    currency: str
    rate: str
    at: str
    source: str
    def __init__(self, currency: _Optional[str] = ..., rate: _Optional[str] = ..., at: _Optional[str] = ..., source: _Optional[str] = ...) -> None: ...

class BalanceRequest(_message.Message):
    __slots__ = ("account_id",)
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    account_id: str
    def __init__(self, account_id: _Optional[str] = ...) -> None: ...

class JsonReply(_message.Message):
    __slots__ = ("json",)
    JSON_FIELD_NUMBER: _ClassVar[int]
    json: str
    def __init__(self, json: _Optional[str] = ...) -> None: ...
