from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Side(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BUY: _ClassVar[Side]
    SELL: _ClassVar[Side]

class OrderType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LIMIT: _ClassVar[OrderType]
    MARKET: _ClassVar[OrderType]

class OrderStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PENDING: _ClassVar[OrderStatus]
    ACCEPTED: _ClassVar[OrderStatus]
    REJECTED: _ClassVar[OrderStatus]
    PARTIALLY_FILLED: _ClassVar[OrderStatus]
    FILLED: _ClassVar[OrderStatus]
    CANCELLED: _ClassVar[OrderStatus]

class SideChoice(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SIDE_UNSPECIFIED: _ClassVar[SideChoice]
    SIDE_BUY: _ClassVar[SideChoice]
    SIDE_SELL: _ClassVar[SideChoice]
BUY: Side
SELL: Side
LIMIT: OrderType
MARKET: OrderType
PENDING: OrderStatus
ACCEPTED: OrderStatus
REJECTED: OrderStatus
PARTIALLY_FILLED: OrderStatus
FILLED: OrderStatus
CANCELLED: OrderStatus
SIDE_UNSPECIFIED: SideChoice
SIDE_BUY: SideChoice
SIDE_SELL: SideChoice

class OrderRequest(_message.Message):
    __slots__ = ("id", "symbol", "side", "type", "price", "quantity", "strategy_id", "timestamp", "price_text", "quantity_text", "account_id", "idempotency_key", "time_in_force", "currency", "venue", "stop_price_text", "side_choice", "strategy_version", "user_id", "leg", "order_type_text", "session", "good_till")
    ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    PRICE_TEXT_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_TEXT_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    TIME_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    VENUE_FIELD_NUMBER: _ClassVar[int]
    STOP_PRICE_TEXT_FIELD_NUMBER: _ClassVar[int]
    SIDE_CHOICE_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_VERSION_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    LEG_FIELD_NUMBER: _ClassVar[int]
    ORDER_TYPE_TEXT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    GOOD_TILL_FIELD_NUMBER: _ClassVar[int]
    id: str
    symbol: str
    side: Side
    type: OrderType
    price: float
    quantity: int
    strategy_id: str
    timestamp: int
    price_text: str
    quantity_text: str
    account_id: str
    idempotency_key: str
    time_in_force: str
    currency: str
    venue: str
    stop_price_text: str
    side_choice: SideChoice
    strategy_version: str
    user_id: str
    leg: str
    order_type_text: str
    session: str
    good_till: str
    def __init__(self, id: _Optional[str] = ..., symbol: _Optional[str] = ..., side: _Optional[_Union[Side, str]] = ..., type: _Optional[_Union[OrderType, str]] = ..., price: _Optional[float] = ..., quantity: _Optional[int] = ..., strategy_id: _Optional[str] = ..., timestamp: _Optional[int] = ..., price_text: _Optional[str] = ..., quantity_text: _Optional[str] = ..., account_id: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., time_in_force: _Optional[str] = ..., currency: _Optional[str] = ..., venue: _Optional[str] = ..., stop_price_text: _Optional[str] = ..., side_choice: _Optional[_Union[SideChoice, str]] = ..., strategy_version: _Optional[str] = ..., user_id: _Optional[str] = ..., leg: _Optional[str] = ..., order_type_text: _Optional[str] = ..., session: _Optional[str] = ..., good_till: _Optional[str] = ...) -> None: ...

class OrderResponse(_message.Message):
    __slots__ = ("order_id", "request_id", "status", "filled_price", "filled_quantity", "message", "timestamp", "filled_price_text", "filled_quantity_text", "filled_amount_text", "broker_order_no", "reason_code", "canonical_status", "oms_order_id", "existing", "mismatch", "account_id", "symbol", "side_choice", "order_type", "quantity_text", "price_text", "price_raw_text", "currency", "time_in_force", "costs_text", "flags", "created_ns", "updated_ns")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    FILLED_PRICE_FIELD_NUMBER: _ClassVar[int]
    FILLED_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    FILLED_PRICE_TEXT_FIELD_NUMBER: _ClassVar[int]
    FILLED_QUANTITY_TEXT_FIELD_NUMBER: _ClassVar[int]
    FILLED_AMOUNT_TEXT_FIELD_NUMBER: _ClassVar[int]
    BROKER_ORDER_NO_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    CANONICAL_STATUS_FIELD_NUMBER: _ClassVar[int]
    OMS_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    EXISTING_FIELD_NUMBER: _ClassVar[int]
    MISMATCH_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SIDE_CHOICE_FIELD_NUMBER: _ClassVar[int]
    ORDER_TYPE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_TEXT_FIELD_NUMBER: _ClassVar[int]
    PRICE_TEXT_FIELD_NUMBER: _ClassVar[int]
    PRICE_RAW_TEXT_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    TIME_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    COSTS_TEXT_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    CREATED_NS_FIELD_NUMBER: _ClassVar[int]
    UPDATED_NS_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    request_id: str
    status: OrderStatus
    filled_price: float
    filled_quantity: int
    message: str
    timestamp: int
    filled_price_text: str
    filled_quantity_text: str
    filled_amount_text: str
    broker_order_no: str
    reason_code: str
    canonical_status: str
    oms_order_id: str
    existing: bool
    mismatch: bool
    account_id: str
    symbol: str
    side_choice: SideChoice
    order_type: str
    quantity_text: str
    price_text: str
    price_raw_text: str
    currency: str
    time_in_force: str
    costs_text: str
    flags: _containers.RepeatedScalarFieldContainer[str]
    created_ns: int
    updated_ns: int
    def __init__(self, order_id: _Optional[str] = ..., request_id: _Optional[str] = ..., status: _Optional[_Union[OrderStatus, str]] = ..., filled_price: _Optional[float] = ..., filled_quantity: _Optional[int] = ..., message: _Optional[str] = ..., timestamp: _Optional[int] = ..., filled_price_text: _Optional[str] = ..., filled_quantity_text: _Optional[str] = ..., filled_amount_text: _Optional[str] = ..., broker_order_no: _Optional[str] = ..., reason_code: _Optional[str] = ..., canonical_status: _Optional[str] = ..., oms_order_id: _Optional[str] = ..., existing: _Optional[bool] = ..., mismatch: _Optional[bool] = ..., account_id: _Optional[str] = ..., symbol: _Optional[str] = ..., side_choice: _Optional[_Union[SideChoice, str]] = ..., order_type: _Optional[str] = ..., quantity_text: _Optional[str] = ..., price_text: _Optional[str] = ..., price_raw_text: _Optional[str] = ..., currency: _Optional[str] = ..., time_in_force: _Optional[str] = ..., costs_text: _Optional[str] = ..., flags: _Optional[_Iterable[str]] = ..., created_ns: _Optional[int] = ..., updated_ns: _Optional[int] = ...) -> None: ...

class GetOrderRequest(_message.Message):
    __slots__ = ("order_id", "user_id")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    user_id: str
    def __init__(self, order_id: _Optional[str] = ..., user_id: _Optional[str] = ...) -> None: ...

class CancelOrderRequest(_message.Message):
    __slots__ = ("order_id", "user_id")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    user_id: str
    def __init__(self, order_id: _Optional[str] = ..., user_id: _Optional[str] = ...) -> None: ...

class GetUserOrdersRequest(_message.Message):
    __slots__ = ("user_id", "limit", "before")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    limit: int
    before: str
    def __init__(self, user_id: _Optional[str] = ..., limit: _Optional[int] = ..., before: _Optional[str] = ...) -> None: ...

class OrderListResponse(_message.Message):
    __slots__ = ("orders", "next_before")
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_BEFORE_FIELD_NUMBER: _ClassVar[int]
    orders: _containers.RepeatedCompositeFieldContainer[OrderResponse]
    next_before: str
    def __init__(self, orders: _Optional[_Iterable[_Union[OrderResponse, _Mapping]]] = ..., next_before: _Optional[str] = ...) -> None: ...

class ModifyOrderRequest(_message.Message):
    __slots__ = ("order_id", "user_id", "price_text", "quantity_text")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_TEXT_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_TEXT_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    user_id: str
    price_text: str
    quantity_text: str
    def __init__(self, order_id: _Optional[str] = ..., user_id: _Optional[str] = ..., price_text: _Optional[str] = ..., quantity_text: _Optional[str] = ...) -> None: ...

class OrderBatch(_message.Message):
    __slots__ = ("orders", "batch_id")
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    orders: _containers.RepeatedCompositeFieldContainer[OrderRequest]
    batch_id: int
    def __init__(self, orders: _Optional[_Iterable[_Union[OrderRequest, _Mapping]]] = ..., batch_id: _Optional[int] = ...) -> None: ...

class OrderBatchReply(_message.Message):
    __slots__ = ("batch_id", "outcomes")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    batch_id: int
    outcomes: _containers.RepeatedCompositeFieldContainer[OrderOutcome]
    def __init__(self, batch_id: _Optional[int] = ..., outcomes: _Optional[_Iterable[_Union[OrderOutcome, _Mapping]]] = ...) -> None: ...

class OrderOutcome(_message.Message):
    __slots__ = ("request_id", "order_id", "oms_order_id", "status", "canonical_status", "reason_code", "message", "existing", "mismatch")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    OMS_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CANONICAL_STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    EXISTING_FIELD_NUMBER: _ClassVar[int]
    MISMATCH_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    order_id: str
    oms_order_id: str
    status: OrderStatus
    canonical_status: str
    reason_code: str
    message: str
    existing: bool
    mismatch: bool
    def __init__(self, request_id: _Optional[str] = ..., order_id: _Optional[str] = ..., oms_order_id: _Optional[str] = ..., status: _Optional[_Union[OrderStatus, str]] = ..., canonical_status: _Optional[str] = ..., reason_code: _Optional[str] = ..., message: _Optional[str] = ..., existing: _Optional[bool] = ..., mismatch: _Optional[bool] = ...) -> None: ...

class SubscribeRequest(_message.Message):
    __slots__ = ("account_id", "after_seq", "types", "from_oldest")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQ_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    FROM_OLDEST_FIELD_NUMBER: _ClassVar[int]
    account_id: str
    after_seq: int
    types: _containers.RepeatedScalarFieldContainer[str]
    from_oldest: bool
    def __init__(self, account_id: _Optional[str] = ..., after_seq: _Optional[int] = ..., types: _Optional[_Iterable[str]] = ..., from_oldest: _Optional[bool] = ...) -> None: ...

class EventEnvelope(_message.Message):
    __slots__ = ("seq", "heartbeat", "event_id", "event_type", "event_ts_ns", "version", "correlation_id", "causation_id", "environment", "account_id", "payload_json")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TS_NS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    CAUSATION_ID_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_JSON_FIELD_NUMBER: _ClassVar[int]
    seq: int
    heartbeat: bool
    event_id: str
    event_type: str
    event_ts_ns: int
    version: int
    correlation_id: str
    causation_id: str
    environment: str
    account_id: str
    payload_json: str
    def __init__(self, seq: _Optional[int] = ..., heartbeat: _Optional[bool] = ..., event_id: _Optional[str] = ..., event_type: _Optional[str] = ..., event_ts_ns: _Optional[int] = ..., version: _Optional[int] = ..., correlation_id: _Optional[str] = ..., causation_id: _Optional[str] = ..., environment: _Optional[str] = ..., account_id: _Optional[str] = ..., payload_json: _Optional[str] = ...) -> None: ...
