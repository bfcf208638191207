"""Bad weather by name: rules decide what happens to each call, notice, price and registration.

Decisions only: the server and an in-process transport carry them out alike. Chance comes from the given
Random and is drawn in the order of the questions, so one seed strikes the same things again.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from random import Random
from typing import Final

import msgspec

from jumun.model.errors import ConfigError
from jumun.ports.wire import HttpCall
from jumun.simulators.kis.call_facts import CallFacts, facts_of
from jumun.simulators.kis.fates import Ending, Fate, NoticeFate
from jumun.simulators.kis.faults import ARGUMENTS, FAULTS, Where, names
from jumun.simulators.kis.frames import ACK_TEXT, IN_USE
from jumun.simulators.kis.spoil import GATEWAY_STATUS, SERVICE_TEXT

RULES_MAX: Final = 1_000  # a scenario has dozens; every call looks at each
REORDER_MS: Final = 1_000  # how long a notice waits for another one to overtake it
FOR_EVER_MS: Final = 10**12
S_MS: Final = 1_000


class Match(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a rule strikes; empty texts match everything.

    `path` may be the end of a path, such as order-cash. Of what matches, the strikes begin with the `nth`
    (from 1) and end after `count`; with `nth` alone exactly that one is struck, with neither all are.
    """

    path: str = ""
    tr_id: str = ""
    account: str = ""  # 12345678-01
    symbol: str = ""
    nth: int = 0
    count: int = 0
    probability: float = 1.0


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault with its arguments. `ms` and `seconds` add up; with `ms_max` the delay is drawn up to it."""

    fault: str
    match: Match = Match()
    seconds: float = 0.0
    ms: int = 0
    ms_max: int = 0
    code: str = ""
    status: int = 0


class _Watch:
    """A rule with what it has seen."""

    __slots__ = ("matched", "rule", "struck")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.matched = 0
        self.struck = 0

    def strikes(self, random: Random) -> bool:
        """Count a match and decide; chance is drawn only where the rule leaves something to it."""
        match = self.rule.match
        self.matched += 1
        most = match.count or (1 if match.nth else 0)
        if self.matched < max(1, match.nth) or (most and self.struck >= most):
            return False
        if match.probability < 1 and random.random() >= match.probability:
            return False
        self.struck += 1
        return True


class Weather:
    """The rules in force. `struck` counts by name; rules that are taken away leave their counts behind."""

    def __init__(self, rules: Iterable[Rule], random: Random) -> None:
        self._random = random
        self._watches: list[_Watch] = []
        self.struck: dict[str, int] = dict.fromkeys(FAULTS, 0)
        self.add(rules)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in force, in the order they are asked."""
        return tuple(watch.rule for watch in self._watches)

    def add(self, rules: Iterable[Rule]) -> None:
        """Put more rules in force behind the others; raises ConfigError for one that cannot be, adds none."""
        fresh = [_Watch(checked(rule)) for rule in rules]
        if len(self._watches) + len(fresh) > RULES_MAX:
            raise ConfigError(f"more than {RULES_MAX} fault rules; clear the old ones first")
        self._watches += fresh

    def clear(self) -> None:
        """Let all faults stop."""
        self._watches = []

    def fate_of(self, call: HttpCall) -> Fate:
        """Decide what happens to a REST call. The first ending wins; delays add up."""
        if not self._watches:
            return _FAIR
        facts = facts_of(call)
        fate = _FAIR
        for watch in self._watches:
            if not self._is_for(watch, Where.CALL, facts) or _is_moot(watch.rule, fate, facts):
                continue
            if watch.strikes(self._random):
                fate = self._with(fate, watch.rule)
        return fate

    def fate_of_notice(self, tr_id: str, account: str, symbol: str) -> NoticeFate:
        """Decide what happens to an order notice that somebody would be sent."""
        fate = _SENT
        facts = CallFacts(tr_id=tr_id, account=account, symbol=symbol)
        for watch in self._watches:
            if self._is_for(watch, Where.NOTICE, facts) and watch.strikes(self._random):
                fate = self._with_notice(fate, watch.rule)
        return fate

    def fate_of_trade(self, tr_id: str, symbol: str) -> tuple[str, ...]:
        """Return the faults that strike a price."""
        facts = CallFacts(tr_id=tr_id, symbol=symbol)
        hit = [
            watch.rule.fault
            for watch in self._watches
            if self._is_for(watch, Where.TRADE, facts) and watch.strikes(self._random)
        ]
        for name in hit:
            self.struck[name] += 1
        return tuple(hit)

    def fate_of_registration(self, tr_id: str, tr_key: str) -> str:
        """Return the ack code a registration is refused with; empty where it is judged as usual."""
        facts = CallFacts(tr_id=tr_id, symbol=tr_key)
        for watch in self._watches:
            if self._is_for(watch, Where.REGISTRATION, facts) and watch.strikes(self._random):
                self.struck[watch.rule.fault] += 1
                return IN_USE if watch.rule.fault == "session_refused" else watch.rule.code or "OPSP0008"
        return ""

    def _is_for(self, watch: _Watch, where: Where, facts: CallFacts) -> bool:
        rule = watch.rule
        return FAULTS[rule.fault].where is where and _matches(rule.match, facts)

    def _with(self, fate: Fate, rule: Rule) -> Fate:
        self.struck[rule.fault] += 1
        hit = msgspec.structs.replace(fate, struck=(*fate.struck, rule.fault))
        own: dict[str, dict[str, object]] = {
            "slow": {"after_ms": fate.after_ms + self._delay(rule)},
            "slow_request": {"before_ms": fate.before_ms + self._delay(rule)},
            "history_lag": {"lag_s": rule.seconds},
            "stale": {"stale_s": rule.seconds},
        }
        hit = msgspec.structs.replace(hit, **(own.get(rule.fault) or _ENDINGS.get(rule.fault, {})))
        if "code" in FAULTS[rule.fault].takes:
            hit = msgspec.structs.replace(hit, code=rule.code or DEFAULT_CODE[rule.fault])
        if rule.fault == "token_limit":
            hit = msgspec.structs.replace(hit, code="EGW00133")
        if "status" in FAULTS[rule.fault].takes:
            hit = msgspec.structs.replace(hit, status=rule.status or DEFAULT_STATUS[rule.fault])
        return hit

    def _with_notice(self, fate: NoticeFate, rule: Rule) -> NoticeFate:
        self.struck[rule.fault] += 1
        hit = msgspec.structs.replace(fate, struck=(*fate.struck, rule.fault))
        replace = msgspec.structs.replace
        seconds_ms = int(rule.seconds * S_MS)
        match rule.fault:
            case "notice_lost":
                return replace(hit, delays_ms=())
            case "notice_late":
                late_ms = self._delay(rule)
                return replace(hit, delays_ms=tuple(delay + late_ms for delay in fate.delays_ms))
            case "notice_doubled":
                first = fate.delays_ms[0] if fate.delays_ms else 0
                return replace(hit, delays_ms=(*fate.delays_ms, first + self._delay(rule)))
            case "notice_reordered":
                return replace(hit, overtaken_ms=rule.ms or REORDER_MS)
            case "session_cut":
                return replace(hit, cut=True, delays_ms=(), outage_ms=seconds_ms)
            case "session_silent":
                return replace(hit, silent=True, delays_ms=(), outage_ms=seconds_ms or FOR_EVER_MS)
            case _:
                return hit

    def _delay(self, rule: Rule) -> int:
        fixed_ms = rule.ms + int(rule.seconds * S_MS)
        return self._random.randint(fixed_ms, rule.ms_max) if rule.ms_max > fixed_ms else fixed_ms


_FAIR: Final = Fate()
_SENT: Final = NoticeFate()
_ENDINGS: Final[dict[str, dict[str, object]]] = {
    "connection_refused": {"ending": Ending.REFUSED, "delivered": False},
    "request_lost": {"ending": Ending.SILENCE, "delivered": False},
    "reset_before": {"ending": Ending.RESET, "delivered": False},
    "reset_after": {"ending": Ending.RESET},
    "reset_midway": {"ending": Ending.MIDWAY},
    "reply_lost": {"ending": Ending.SILENCE},
    "page_lost": {"ending": Ending.RESET},
    "error_before": {"delivered": False},
    "gateway_refusal": {"delivered": False},
    "token_expired": {"delivered": False},
    "token_limit": {"delivered": False},
    "refused": {"delivered": False},
    "login_page": {"delivered": False},
}
DEFAULT_CODE: Final = {
    "gateway_refusal": "EGW00201",
    "gateway_timeout": "EGW00301",
    "token_expired": "EGW00123",
    "refused": "APBK0952",
}
DEFAULT_STATUS: Final = {"error_before": 503, "error_after": 502, "token_expired": 500}
# At most one of these strikes a call: each says how it ends. The others change a delay or what is listed.
_EXCLUSIVE: Final = frozenset(names(Where.CALL)) - {
    "slow",
    "slow_request",
    "history_lag",
    "partial_then_cancel",
}
_QUESTIONS: Final = frozenset({"page_lost", "empty_page", "stale", "history_lag"})
_MS_MAX: Final = 2 * 86_400_000  # two days: a notice of yesterday may come again (F-31)


def checked(rule: Rule) -> Rule:
    """Return the rule, or raise ConfigError with what it may say instead."""
    if rule.fault not in FAULTS:
        close = get_close_matches(rule.fault, FAULTS, n=1)
        meant = f"did you mean {close[0]}? " if close else ""
        raise ConfigError(f"fault {rule.fault!r} is unknown; {meant}known are {', '.join(names())}")
    match = rule.match
    if not 0 <= match.probability <= 1:
        raise ConfigError(f"fault {rule.fault}: probability is {match.probability}; give 0 to 1")
    if min(match.nth, match.count, rule.ms, rule.ms_max, rule.seconds) < 0:
        raise ConfigError(
            f"fault {rule.fault} has a negative number; nth, count, ms and seconds are 0 or more"
        )
    if max(rule.ms, rule.ms_max, rule.seconds * S_MS) > _MS_MAX:
        raise ConfigError(f"fault {rule.fault} lasts more than two days; give at most {_MS_MAX} ms")
    takes = FAULTS[rule.fault].takes
    for name in sorted(ARGUMENTS - takes):
        if getattr(rule, name):
            known = ", ".join(sorted(takes)) or "none"
            raise ConfigError(f"fault {rule.fault} takes no {name}; its arguments are: {known}")
    _require_code(rule)
    return rule


def _require_code(rule: Rule) -> None:
    known: Iterable[str] = {
        "gateway_refusal": GATEWAY_STATUS,
        "gateway_timeout": ("EGW00301", "EGW00302"),
        "token_expired": ("EGW00121", "EGW00122", "EGW00123"),
        "refused": SERVICE_TEXT,
        "registration_refused": ACK_TEXT,
    }.get(rule.fault, ())
    if rule.code and rule.code not in known:
        raise ConfigError(
            f"fault {rule.fault} has no code {rule.code!r}; use one of {', '.join(sorted(known))}"
        )
    if rule.status and not 500 <= rule.status <= 599 and rule.fault != "token_expired":
        raise ConfigError(f"fault {rule.fault} has status {rule.status}; use 500 to 599")


def _matches(match: Match, facts: CallFacts) -> bool:
    return (
        (not match.path or facts.path.endswith(match.path))
        and match.tr_id in ("", facts.tr_id)
        and match.account in ("", facts.account)
        and match.symbol in ("", facts.symbol)
    )


def _is_moot(rule: Rule, fate: Fate, facts: CallFacts) -> bool:
    """Whether the rule says nothing of this call, so that it must not count as a match."""
    if rule.fault in _EXCLUSIVE and any(name in _EXCLUSIVE for name in fate.struck):
        return True
    if rule.fault in _QUESTIONS and not facts.is_question:
        return True
    if rule.fault == "page_lost":
        return not facts.is_continued
    if rule.fault == "token_limit":
        return not facts.path.endswith("/tokenP")
    if rule.fault == "partial_then_cancel":
        return not facts.is_new_order
    return False
