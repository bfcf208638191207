"""KIS's REST side on a simulated market: one call in, one reply out, at the time the caller says.

Synchronous and deterministic: no clock, no chance, no network. What a request does is done when `handle`
returns, whether or not anybody reads the reply.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from jumun.exchange.market import Market
from jumun.exchange.records import OrderRecord
from jumun.model.errors import OmsError
from jumun.ports.wire import HttpCall, HttpReply
from jumun.simulators.kis import (
    balances,
    domestic_inquiries,
    domestic_orders,
    listings,
    means,
    overseas_balances,
    overseas_inquiries,
    overseas_orders,
    quotations,
    untraded,
)
from jumun.simulators.kis.asking import Ask, Told
from jumun.simulators.kis.auth import Tokens, hash_of
from jumun.simulators.kis.contract import Endpoint, contract
from jumun.simulators.kis.customers import Customer
from jumun.simulators.kis.envelope import auth_refused_reply, headers_of, refused_reply, reply, told_reply
from jumun.simulators.kis.gate import Gate, check_content_type, check_customer_type, check_size
from jumun.simulators.kis.messages import BAD_ACCOUNT, BAD_FIELD, INTERNAL, TEXTS, KisRefused, bad_field
from jumun.simulators.kis.office import Office
from jumun.simulators.kis.requests import OrderNote, RequestTaken
from jumun.simulators.kis.switches import KisSwitches

Handler = Callable[[Office, Ask], Told]

_ABROAD: Final = ("jp", "shanghai", "hk", "shenzhen", "vietnam")
HANDLERS: Final[dict[str, Handler]] = {
    "order-cash-buy": domestic_orders.order_cash,
    "order-cash-sell": domestic_orders.order_cash,
    "order-rvsecncl": domestic_orders.order_rvsecncl,
    "inquire-psbl-rvsecncl": domestic_inquiries.psbl_rvsecncl,
    "inquire-daily-ccld-recent": domestic_inquiries.daily_ccld,
    "inquire-daily-ccld-older": domestic_inquiries.daily_ccld,
    "inquire-psbl-order": means.psbl_order,
    "inquire-credit-psamount": means.credit_psamount,
    "inquire-psbl-sell": means.psbl_sell,
    "inquire-balance": balances.balance,
    "inquire-balance-rlz-pl": balances.balance_rlz_pl,
    "intgr-margin": means.intgr_margin,
    "order-resv-ccnl": untraded.empty_list,
    "inquire-price": quotations.inquire_price,
    "inquire-asking-price-exp-ccn": quotations.asking_price,
    "search-stock-info": listings.search_stock_info,
    "chk-holiday": listings.chk_holiday,
    "inquire-vi-status": quotations.vi_status,
    "search-info": listings.search_info,
    "overseas-order-us-buy": overseas_orders.order_us,
    "overseas-order-us-sell": overseas_orders.order_us,
    "overseas-order-rvsecncl-us": overseas_orders.rvsecncl_us,
    "overseas-inquire-nccs": overseas_inquiries.nccs,
    "overseas-inquire-ccnl": overseas_inquiries.ccnl,
    "overseas-inquire-balance": overseas_balances.balance,
    "overseas-inquire-present-balance": overseas_balances.present_balance,
    "overseas-inquire-psamount": means.psamount,
    "overseas-price": quotations.overseas_price,
    "overseas-daytime-order-buy": overseas_orders.daytime_order,
    "overseas-daytime-order-sell": overseas_orders.daytime_order,
    "overseas-daytime-order-rvsecncl": overseas_orders.daytime_rvsecncl,
    "overseas-order-resv-list-us": untraded.empty_list,
    "overseas-order-resv-list-asia": untraded.empty_list,
    "overseas-foreign-margin": overseas_balances.foreign_margin,
    **dict.fromkeys(untraded.REFUSED, untraded.refuse),
    **{
        f"overseas-order-{land}-{side}": overseas_orders.order_abroad
        for land in _ABROAD
        for side in ("buy", "sell")
    },
    **{f"overseas-order-rvsecncl-{land}": overseas_orders.order_abroad for land in _ABROAD},
}
BALANCE: Final = "inquire-balance"  # under the limit that all customers share
HASHKEY: Final = "hashkey"

_BODY: Final = msgspec.json.Decoder(dict[str, object])


class KisHouse:
    """One KIS: the REST face of a market for its customers.

    `tokens` lets a scenario expire what was given out.
    """

    def __init__(self, market: Market, switches: KisSwitches, customers: tuple[Customer, ...]) -> None:
        self.market = market
        self.switches = switches
        self.customers = customers
        self.tokens = Tokens(switches)
        self.office = Office(market, switches)
        self._contract = contract()
        self._gate = Gate(switches, customers, self.tokens, self._contract)

    # ---- for the stream's side ----------------------------------------------------------------------------

    def on_request(self, listener: Callable[[RequestTaken], None]) -> Callable[[], None]:
        """Call `listener` with every request KIS takes, before the market tells what came of it.

        Before: for who listens to the market since after this house was built. Returns what ends it.
        """
        return self.office.on_request(listener)

    def approve(self, approval_key: str, now_ns: int) -> Customer | None:
        """Return whose living approval key it is."""
        return self.tokens.approve(approval_key, now_ns)

    def customers_of(self, account_id: str) -> tuple[Customer, ...]:
        """Return who may trade an account."""
        return tuple(customer for customer in self.customers if account_id in customer.accounts)

    def number_of(self, key: str) -> str:
        """Return the number (ODNO) under which an order of the market is known here."""
        return self.office.records.number_of(key)

    def is_continuation(self, key: str) -> bool:
        """Whether an order of the market is what a partial cancel left: it has no number of its own here."""
        return self.office.records.is_continuation(key)

    def note_of(self, record: OrderRecord) -> OrderNote:
        """Return how an order was asked for."""
        return self.office.records.note_of(record)

    def change_switches(self, switches: KisSwitches) -> None:
        """Behave otherwise from now on, as a scenario may want; what was given out stays good."""
        self.switches = switches
        self.tokens.switches = switches
        self._gate.switches = switches
        self.office.change_switches(switches)

    def forget_before(self, trade_date: str) -> int:
        """Drop ended orders of earlier days, here and in the market; return how many orders went."""
        return self.office.forget_before(trade_date)

    # ---- calls --------------------------------------------------------------------------------------------

    def handle(self, call: HttpCall, now_ns: int) -> HttpReply:
        """Answer one call; the market is brought to `now_ns` first. Raises nothing a client can cause."""
        # One client writes two slashes in front of some paths, and the real service answers it.
        call = msgspec.structs.replace(call, path=f"/{call.path.strip('/')}")
        served = self._contract.at(call.method, call.path)
        if not served:
            return reply(404, {})
        headers = {name.lower(): text for name, text in call.headers.items()}
        own = headers_of(headers.get("tr_id", ""), "", headers.get("gt_uid", ""))
        endpoint: Endpoint | None = None
        try:
            self.market.advance(now_ns)
            check_size(call)
            check_content_type(call, headers)
            if served[0].market == "auth":
                return self._authenticate(served[0], call, headers, now_ns)
            customer = self._gate.customer(headers)
            self._gate.count(customer, now_ns)
            self._gate.check_token(headers, customer, now_ns)
            check_customer_type(headers, customer)
            found = self._gate.service(call, headers, customer)
            endpoint = found.endpoint
            ask = Ask(
                endpoint=endpoint,
                customer=customer,
                fields=self._fields(endpoint, call, headers, is_old=found.is_old),
                is_old=found.is_old,
                is_next=headers.get("tr_cont", "") == "N",
                tag=call.tag,
                ip=headers.get("ip_addr", ""),
            )
            self._require_account(ask)
            if endpoint.name == BALANCE:
                self._gate.count_balance(now_ns)
            return told_reply(ask, HANDLERS[endpoint.name](self.office, ask), own)
        except KisRefused as refused:
            if served[0].market == "auth" and served[0].name != HASHKEY:
                return auth_refused_reply(refused)
            return refused_reply(refused, own, endpoint)
        except OmsError as error:  # a day without a calendar or a table: an error of the house's own
            return refused_reply(KisRefused(INTERNAL, f"{TEXTS[INTERNAL]} {error}"), own, endpoint)

    # ---- authentication -----------------------------------------------------------------------------------

    def _authenticate(
        self, endpoint: Endpoint, call: HttpCall, headers: Mapping[str, str], now_ns: int
    ) -> HttpReply:
        body = _body_of(call)
        if endpoint.name == HASHKEY:
            self._gate.count(self._gate.customer(headers), now_ns)
            return reply(200, {"BODY": body, "HASH": hash_of(body)})
        given = {name: text for name, text in body.items() if isinstance(text, str)}
        if endpoint.name == "revokeP":
            self.tokens.revoke(self._gate.customer(given), given.get("token", ""))
            return reply(200, {"code": 200, "message": "접근토큰 폐기에 성공하였습니다"})
        _require_grant(given)
        if endpoint.name == "approval":
            customer = self._gate.customer(given, "secretkey")
            return reply(200, {"approval_key": self.tokens.issue_approval(customer, now_ns)})
        return reply(200, self.tokens.issue(self._gate.customer(given), now_ns))

    # ---- fields -------------------------------------------------------------------------------------------

    def _fields(
        self, endpoint: Endpoint, call: HttpCall, headers: Mapping[str, str], *, is_old: bool
    ) -> dict[str, str]:
        """Return the request's fields by upper-case name; raises KisRefused for one that cannot be.

        Names in a query are compared without their case; names in a body must be in upper case.
        """
        fields: dict[str, str] = {}
        if endpoint.is_inquiry:
            fields = {name.upper(): text for name, text in call.query.items()}
        else:
            body = _body_of(call)
            if self.switches.hashkey and headers.get("hashkey", hash_of(body)) != hash_of(body):
                raise KisRefused("EGW00131")
            for name, text in body.items():
                if not isinstance(text, str):
                    raise bad_field(name, "is no text")
                fields[name] = text
        for column in endpoint.request:
            given = fields.get(column.name)
            if given is None and column.required and not _may_be_absent(column.name, is_old=is_old):
                raise KisRefused(BAD_FIELD, f"ERROR : INPUT FIELD NOT FOUND [{column.name}]")
            if given is not None and column.length and len(given) > column.length:
                raise bad_field(column.name, f"has more than {column.length} characters")
        return fields

    def _require_account(self, ask: Ask) -> None:
        has_account = any(column.name == "CANO" for column in ask.endpoint.request)
        if not has_account:
            return
        known = ask.account_id in ask.customer.accounts and self.market.has_account(ask.account_id)
        if not known:
            raise KisRefused(BAD_ACCOUNT)


def _may_be_absent(name: str, *, is_old: bool) -> bool:
    """The old TR ids know no venue, and a first page needs no continuation keys."""
    return name.startswith("CTX_AREA_") or (is_old and name == "EXCG_ID_DVSN_CD")


def _require_grant(given: Mapping[str, str]) -> None:
    grant = given.get("grant_type", "")
    if not grant:
        raise KisRefused("EGW00115")
    if grant != "client_credentials":
        raise KisRefused("EGW00116")


def _body_of(call: HttpCall) -> dict[str, object]:
    try:
        return _BODY.decode(call.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise KisRefused("EGW00101", "JSON 형식이 아닙니다.") from error
