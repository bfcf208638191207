from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SubmitRequest(_message.Message):
    __slots__ = ("account_id", "user_id", "client_order_id", "symbol", "side", "order_type", "quantity", "price", "stop_price", "time_in_force", "strategy_id", "strategy_version", "signal_ts", "leg")
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
    def __init__(self, account_id: _Optional[str] = ..., user_id: _Optional[str] = ..., client_order_id: _Optional[str] = ..., symbol: _Optional[str] = ..., side: _Optional[str] = ..., order_type: _Optional[str] = ..., quantity: _Optional[str] = ..., price: _Optional[str] = ..., stop_price: _Optional[str] = ..., time_in_force: _Optional[str] = ..., strategy_id: _Optional[str] = ..., strategy_version: _Optional[str] = ..., signal_ts: _Optional[str] = ..., leg: _Optional[str] = ...) -> None: ...

class CancelRequest(_message.Message):
    __slots__ = ("order_id", "user_id")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    user_id: str
    def __init__(self, order_id: _Optional[str] = ..., user_id: _Optional[str] = ...) -> None: ...

class OrderReply(_message.Message):
    __slots__ = ("order_id", "client_order_id", "account_id", "symbol", "side", "order_type", "quantity", "price", "price_raw", "status", "reason", "text", "filled_quantity", "filled_amount", "currency", "existing", "mismatch", "denied", "cancel_requested")
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
    def __init__(self, order_id: _Optional[str] = ..., client_order_id: _Optional[str] = ..., account_id: _Optional[str] = ..., symbol: _Optional[str] = ..., side: _Optional[str] = ..., order_type: _Optional[str] = ..., quantity: _Optional[str] = ..., price: _Optional[str] = ..., price_raw: _Optional[str] = ..., status: _Optional[str] = ..., reason: _Optional[str] = ..., text: _Optional[str] = ..., filled_quantity: _Optional[str] = ..., filled_amount: _Optional[str] = ..., currency: _Optional[str] = ..., existing: _Optional[bool] = ..., mismatch: _Optional[bool] = ..., denied: _Optional[bool] = ..., cancel_requested: _Optional[bool] = ...) -> None: ...

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
    __slots__ = ("order_id", "by", "text")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    by: str
    text: str
    def __init__(self, order_id: _Optional[str] = ..., by: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...
