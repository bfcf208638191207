"""Settings: what they are called, what they may be, and where each came from.

One name for one setting: `OMS_GRPC_PORT` in the environment is `oms_grpc_port` in the TOML file. The
environment wins over the file, the file over the default. A name nobody knows refuses the start (F-103):
a misspelt limit would otherwise be no limit at all.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from jumun import config_words
from jumun.config_values import (
    DEFAULT_ORDER_VALUE,
    Exact,
    Port,
    Positive,
    Seconds,
    Switch,
    WholeSeconds,
    WholeSecondsOrNone,
    account_name,
    address,
    by_currency,
    file_name,
    host_and_port,
    kis_account,
    kis_address,
    kis_switch_texts,
    lower,
    one_of,
    pairs,
    switches,
)
from jumun.model.errors import ConfigError
from jumun.model.money import Currency

CONFIG_VARIABLE: Final = "OMS_CONFIG"
DEFAULT_FILE: Final = Path("jumun.toml")
OURS: Final = "OMS_"  # every variable that begins so must be one of ours
LIKENESS: Final = 0.85  # of a misspelling: one letter lost, doubled or changed in the shortest name
FILE_ONLY: Final = frozenset({"ACCOUNTS"})  # a variable of the surroundings may well be called ACCOUNT
MASK: Final = "********"
_SECRET = re.compile(r"password|secret|token(?!_file)|app_key|private", re.IGNORECASE)


class Environment(StrEnum):
    """Which world the orders reach. `paper` and `live` arrive with the brokers that have them."""

    SIM = "sim"
    PAPER = "paper"
    LIVE = "live"


class Sessions(StrEnum):
    """When the simulated market trades."""

    OPEN = "open"
    CALENDAR = "calendar"


class UnknownPolicy(StrEnum):
    """What happens to an order of which two complete histories know nothing (DESIGN, Never twice 4)."""

    HOLD = "hold"
    RESEND_ONCE = "resend_once"


class AccountSettings(BaseModel):
    """One trading account. Permissions that are not given are not there (I-53)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account_id: Annotated[str, AfterValidator(account_name)] = Field(
        min_length=1, max_length=40, examples=['account_id = "SIM-001"']
    )
    base_currency: Currency = Currency.KRW
    users: tuple[str, ...] = Field(default=("demo",), min_length=1, examples=['users = ["demo"]'])
    may_buy: StrictBool = False
    may_sell: StrictBool = False
    exclusive: StrictBool = True
    cost_plans: dict[str, str] = {"KRX": "kis-bankis", "NXT": "kis-bankis", "US": "kis-us"}
    opening_cash: dict[Currency, Exact] = {}
    opening_file: Annotated[Path, AfterValidator(file_name)] | None = None  # positions and cash, booked once


SIM_ACCOUNT: Final = AccountSettings(
    account_id="SIM-001",
    may_buy=True,
    may_sell=True,
    opening_cash={Currency.KRW: Decimal(100_000_000), Currency.USD: Decimal(100_000)},
)


def _field(default: Any, text: str, example: str, **rules: Any) -> Any:
    return Field(default=default, description=text, examples=[example], **rules)


class Settings(BaseSettings):
    """Every setting. Field names are the names in the file; in capitals, those of the environment."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", validate_default=True)

    oms_environment: Environment = _field(
        Environment.SIM, "Which world orders reach: sim, paper or live.", "sim"
    )
    oms_broker: Annotated[str, one_of("paper", "kis")] = _field(
        "paper",
        "Which broker: paper, the simulated exchange, or kis, Korea Investment & Securities.",
        "paper",
    )
    oms_exchange: Annotated[str, AfterValidator(host_and_port)] = _field(
        "",
        "Where the exchange is: empty for one inside the service, or host:port of `jumun simulate exchange`.",
        "127.0.0.1:7600",
    )
    oms_sim_sessions: Sessions = _field(
        Sessions.OPEN,
        "When the simulated market trades: open (around the clock, which no real market does) or calendar "
        "(the hours of KRX, NXT and the United States, with every session).",
        "open",
    )
    oms_sim_switches: Annotated[dict[str, str], NoDecode, BeforeValidator(switches)] = _field(
        {},
        "What the simulated market does beyond a plain day; the same for its process.",
        "vi,auction_qty=500",
    )
    oms_sim_pace: Exact = _field(
        Decimal(1),
        "GENERATED prices a second of the exchange inside the service; 0 for none.",
        "2",
        ge=0,
        le=1000,
    )
    oms_sim_seed: int = _field(1, "Which GENERATED prices: the same number gives the same walk.", "1")
    oms_store: str = _field("sqlite", "Where the journal is kept: sqlite.", "sqlite")
    oms_store_path: Annotated[Path, AfterValidator(file_name)] = _field(
        Path("var/jumun.db"), "The store's file; its folder is made where missing.", "var/jumun.db"
    )
    oms_bus: str = _field("memory", "Where events go: memory.", "memory")
    oms_host: Annotated[str, AfterValidator(address)] = _field(
        "127.0.0.1",
        "The address gRPC and HTTP listen on. There is no log-in: keep it on this machine.",
        "127.0.0.1",
    )
    oms_grpc_port: Port = _field(50051, "Port of gRPC; 0 takes a free one.", "50051")
    oms_http_port: Port = _field(8083, "Port of /healthz, /readyz and /metrics; 0 takes a free one.", "8083")
    server_shutdown_timeout: Seconds = _field("30s", "How long a stop may wait for what is in flight.", "30s")
    server_read_timeout: Seconds = _field("10s", "How long an idle HTTP connection is kept.", "10s")
    server_write_timeout: Seconds = _field(
        "10s", "How long a stop waits for HTTP replies that are being written.", "10s"
    )
    log_level: Annotated[str, BeforeValidator(lower), one_of("debug", "info", "warn", "error")] = _field(
        "info", "debug, info, warn or error.", "info"
    )
    log_format: Annotated[str, one_of("json", "console")] = _field("json", "json or console.", "console")
    log_output: str = _field("stdout", "stdout, stderr or a file.", "stdout", min_length=1)
    oms_unknown_order_policy: UnknownPolicy | None = _field(
        None,
        "After proof that an order never arrived: hold, or resend_once; unset: hold in live only.",
        "resend_once",
    )
    max_order_value: Annotated[dict[Currency, Positive], NoDecode, BeforeValidator(by_currency)] = _field(
        DEFAULT_ORDER_VALUE, "Largest value of one order, by currency.", "KRW=10000000,USD=10000"
    )
    max_position_count: int = _field(10, "Most symbols one account may hold or buy.", "10", gt=0)
    max_position_size: Positive = _field(Decimal(1_000_000), "Most shares of one symbol.", "1000000")
    order_timeout: WholeSeconds = _field("300s", "Life of an order that names no time in force.", "300s")
    max_queue_size: int = _field(1000, "Most orders that may wait to be sent.", "1000", gt=0, le=100_000)
    max_concurrent_orders: int = _field(10, "Most sends in flight.", "10", gt=0, le=1000)
    priority_timeout: WholeSeconds = _field("300s", "Longest wait in the queue.", "300s")
    strategy_priorities: Annotated[dict[str, int], NoDecode, BeforeValidator(pairs)] = _field(
        {}, "Queue priority by strategy; lower goes first, 100 is usual.", "momentum=80"
    )
    max_partial_fill_time: WholeSeconds = _field(
        "300s", "Part filled for longer than this raises an alarm.", "300s"
    )
    min_fill_size: Positive = _field(
        Decimal(1), "A smaller fill that leaves shares open raises an alarm.", "1"
    )
    max_fills_per_order: int = _field(100, "More fills of one order raise an alarm.", "100", gt=0)
    enable_partial_fills: Switch = _field(
        True, "false: the rest of an order is cancelled at its first part fill.", "true"
    )
    ack_alert_s: WholeSeconds = _field(
        "30s", "Sent and not accepted for longer than this raises an alarm.", "30s"
    )
    fill_alert_s: WholeSeconds = _field(
        "120s", "Accepted and without any fill for longer than this raises an alarm.", "120s"
    )
    abnormal_price_ratio: Positive = _field(
        Decimal("0.05"), "A fill further than this from the last price raises an alarm.", "0.05", lt=1
    )
    cost_tolerance: Positive = _field(
        Decimal("0.01"), "A broker's cost further than this from our estimate raises an alarm.", "0.01", lt=1
    )
    unknown_max: int = _field(
        20, "So many orders of unknown outcome, and no new one is taken.", "20", ge=1, le=1_000
    )
    quote_age_max_s: WholeSecondsOrNone = _field(
        0, "Oldest price that a market order may be valued at; 0 for no limit.", "60s"
    )
    oms_calendar_file: Annotated[Path, AfterValidator(file_name)] | None = _field(
        None, "A TOML file of days that the calendars do not know or have wrong.", "calendar.toml"
    )
    oms_price_history: Path | None = _field(
        None, "A folder of daily closes, one SYMBOL.csv each, for value at risk and drawdown.", "prices"
    )
    kis_base_url: Annotated[str, AfterValidator(kis_address)] = _field(
        "",
        "Where KIS's REST is; empty for the address of the environment. In sim only a local KIS is reached.",
        "http://127.0.0.1:9443",
    )
    kis_ws_url: Annotated[str, AfterValidator(kis_address)] = _field(
        "",
        "Where KIS's WebSocket is; empty for the host of KIS_BASE_URL, else for that of the environment.",
        "ws://127.0.0.1:21000",
    )
    kis_app_key: str = _field("", "The app key of KIS's developer portal, 36 characters.", "PS…")
    kis_app_secret: str = _field("", "Its secret, 180 characters.", "…")
    kis_account_no: Annotated[str, AfterValidator(kis_account)] = _field(
        "",
        "The account at KIS, 12345678-01 or 1234567801; it becomes the account of jumun unless the file has "
        "[[accounts]].",
        "12345678-01",
    )
    kis_hts_id: str = _field("", "The HTS id, to which KIS sends notices.", "myhtsid", max_length=40)
    kis_rate_limit_rps: int = _field(
        0,
        "Requests a second at KIS; 0 for what it allows (18 live, 1 paper). More counts as what it allows, "
        "except at a local KIS.",
        "10",
        ge=0,
        le=20,
    )
    kis_route: Annotated[str, one_of("krx", "sor")] = _field(
        "krx",
        "Where an order goes that names no venue: krx, or sor: KIS chooses KRX or NXT. Not on paper.",
        "sor",
    )
    kis_notices: Annotated[str, one_of("stream", "poll")] = _field(
        "stream",
        "How fills are heard: stream, or poll where no notices come.",
        "stream",
    )
    kis_token_file: Annotated[Path, AfterValidator(file_name)] | None = _field(
        None, "Where the access token is kept; by default beside the store.", "var/kis-token.json"
    )
    kis_visible_after: WholeSeconds = _field(
        60,
        "How long KIS may leave an order out of its lists, which it does not publish. Only two lists further "
        "apart than that show that an order never arrived. At least 15s.",
        "60s",
        ge=15,
    )
    kis_switches: Annotated[dict[str, str], NoDecode, BeforeValidator(kis_switch_texts)] = _field(
        {},
        "How unconfirmed behaviour of KIS is read, by name.",
        "send_branch=false,krw_cash=dnca_tot_amt",
    )
    kis_sim_as: Annotated[str, one_of("real", "paper")] = _field(
        "real",
        "In sim: whether the local KIS is spoken to as real or as paper.",
        "real",
    )
    accounts: Annotated[tuple[AccountSettings, ...], NoDecode] = _field(
        (SIM_ACCOUNT,),
        "The trading accounts; only in the file, as [[accounts]].",
        'a table [[accounts]] with account_id = "SIM-001" in it',
        min_length=1,
    )

    @model_validator(mode="after")
    def _one_account_each(self) -> Self:
        names = [account.account_id for account in self.accounts]
        if len(names) != len(set(names)):
            raise ValueError("accounts: an account_id is given twice; keep one")
        return self

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        """Refuse two settings that cannot both be meant, rather than let one of them have no effect."""
        if self.oms_calendar_file is not None and self.oms_sim_sessions is Sessions.OPEN:
            raise ValueError(
                "OMS_CALENDAR_FILE says when venues trade and OMS_SIM_SESSIONS=open says around the clock; "
                "set OMS_SIM_SESSIONS=calendar, or leave the file out"
            )
        if self.min_fill_size > self.max_position_size:
            raise ValueError(
                f"MIN_FILL_SIZE {self.min_fill_size:f} is more than MAX_POSITION_SIZE "
                f"{self.max_position_size:f}, so every fill would raise an alarm; lower it"
            )
        given = sorted(self.model_fields_set & {"max_partial_fill_time", "max_fills_per_order"})
        if given and not self.enable_partial_fills:
            raise ValueError(
                f"{given[0].upper()} is set and ENABLE_PARTIAL_FILLS=false lets no order be part filled for "
                "long; unset one of the two"
            )
        for account in self.accounts:
            if account.opening_file is not None and any(account.opening_cash.values()):
                raise ValueError(
                    f"ACCOUNTS {account.account_id} has opening_cash and opening_file, and only one can be "
                    "what it opens with; put the cash into the file"
                )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the TOML file; nothing else is read."""
        return env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def unknown_order_policy(self) -> UnknownPolicy:
        """The policy, with its default by environment: absence is proof in a simulation, not in live."""
        if self.oms_unknown_order_policy is not None:
            return self.oms_unknown_order_policy
        live = self.oms_environment is Environment.LIVE
        return UnknownPolicy.HOLD if live else UnknownPolicy.RESEND_ONCE

    @property
    def token_path(self) -> Path:
        """Where the access token is kept."""
        return self.kis_token_file or self.oms_store_path.with_name("kis-token.json")

    @property
    def exchange_ledger_path(self) -> Path:
        """The ledger of the exchange inside the service, beside the store, so that both restart together."""
        return self.oms_store_path.with_name(self.oms_store_path.name + ".exchange")

    def account(self, account_id: str) -> AccountSettings | None:
        """Return an account's settings, or None."""
        return next((entry for entry in self.accounts if entry.account_id == account_id), None)


SWITCHES: Final = frozenset(name for name, field in Settings.model_fields.items() if field.annotation is bool)


class Loaded:
    """The settings and where each came from: `default`, `environment`, or the file's name."""

    def __init__(self, settings: Settings, sources: dict[str, str]) -> None:
        self.settings = settings
        self.sources = sources


def load() -> Loaded:
    """Read the environment and the file it names. Raises ConfigError with the key and a working value."""
    path = _file_of(os.environ)
    given = _read(path) if path is not None else {}
    _refuse_unknown(os.environ, given, path)
    settings = _validated(path)
    _refuse_unbuilt(settings)
    settings = _with_kis_account(settings)
    in_environment = {name.lower() for name in os.environ}
    sources = {}
    for name in Settings.model_fields:
        in_file = f"file {path}" if name in given else "default"
        sources[name] = "environment" if name in in_environment else in_file
    return Loaded(settings, sources)


def load_to_trade(broker: str | None) -> Loaded:
    """As `load`, for what logs in at the broker; `broker` goes before the settings.

    What only asks a service or reads a store needs no keys: a halt must not wait for them (S002-57).
    """
    if broker is not None:
        os.environ["OMS_BROKER"] = broker
    loaded = load()
    if loaded.settings.oms_broker == "kis":
        _refuse_half_of_kis(loaded.settings)
        _refuse_doubtful_accounts(loaded.settings)
    return loaded


def shown(name: str, value: object) -> object:
    """Return a setting as people and programs may see it; a secret is only said to be set."""
    if _SECRET.search(name):
        return MASK if value else ""
    if isinstance(value, BaseModel):
        return {key: shown(key, getattr(value, key)) for key in type(value).model_fields}
    if isinstance(value, Mapping):
        return {str(key): shown(str(key), item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [shown(name, item) for item in value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value) if isinstance(value, Path | StrEnum) else value


def _file_of(environ: Mapping[str, str]) -> Path | None:
    named = environ.get(CONFIG_VARIABLE)
    if named is None:
        return DEFAULT_FILE if DEFAULT_FILE.is_file() else None
    path = Path(named)
    if not path.is_file():
        raise ConfigError(
            f"{CONFIG_VARIABLE} names {named!r}, which is no file; write it or unset {CONFIG_VARIABLE}"
        )
    return path


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); make it a readable TOML file") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is no TOML ({error}); a line looks like oms_grpc_port = 50051") from error


def _refuse_unknown(environ: Mapping[str, str], given: Mapping[str, Any], path: Path | None) -> None:
    known = set(Settings.model_fields)
    for name in sorted(given):
        if name not in known:
            raise ConfigError(f"{path}: {name!r} is no setting{_meant(name, known)}")
        if isinstance(given[name], bool) and name not in SWITCHES:  # would pass as the number 1
            examples = Settings.model_fields[name].examples or ["a number or a text"]
            raise ConfigError(f"{path}: {name} cannot be true or false; a working value is {examples[0]}")
    ours = {name.upper() for name in known} | {CONFIG_VARIABLE}
    for name in sorted(environ):
        if name.upper().startswith(OURS) and name.upper() not in ours:
            raise ConfigError(f"{name} is no setting{_meant(name.upper(), ours)}")
        meant = _misspelt(name.upper(), ours)
        if meant is not None:
            raise ConfigError(f"{name} is no setting and looks like {meant}; write {meant}, or rename it")


def _misspelt(name: str, ours: set[str]) -> str | None:
    """Return the setting that a variable without our prefix looks like; one of another program's is None."""
    plain = sorted(known for known in ours - FILE_ONLY if not known.startswith(OURS))
    if name in ours or any(name.endswith(f"_{known}") for known in plain):  # e.g. RUST_LOG_LEVEL
        return None
    close = get_close_matches(name, plain, n=1, cutoff=LIKENESS)
    return close[0] if close else None


def _meant(name: str, known: set[str]) -> str:
    close = get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {close[0]}?" if close else "; `jumun config show` lists them all, remove it"


def _validated(path: Path | None) -> Settings:
    class Bound(Settings):
        model_config = SettingsConfigDict(toml_file=path)

    try:
        return Bound()
    except ValidationError as error:
        raise ConfigError(_sentence(error)) from error


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = list(first["loc"])
    message = config_words.rule(first)
    if not place:
        return message
    is_name = place[-1] == "[key]"  # of a table: the name is wrong, not what it has
    name, field = _place(place[:-1] if is_name else place)
    example = field.examples[0] if field is not None and field.examples else ""
    advice = f"; a working value is {example}" if example else ""
    if first["type"] == "missing":
        return f"{name} is missing; give it, e.g. {example}"
    if first["type"] == "extra_forbidden":
        known = sorted(AccountSettings.model_fields)
        return f"{name} is no setting; {config_words.meant(str(place[-1]), known)}"
    given = first.get("input")
    was = MASK if _SECRET.search(name) else config_words.told(given)
    return f"{name} {'cannot name' if is_name else 'cannot be'} {was}: {message}{advice}"


def _place(place: list[int | str]) -> tuple[str, FieldInfo | None]:
    """Return a setting as people find it, and what is known of it. An account is counted from one."""
    fields: Mapping[str, FieldInfo] = Settings.model_fields
    names = [str(part) for part in place]
    if len(place) > 1 and isinstance(place[1], int):
        fields, where = AccountSettings.model_fields, f"[[accounts]] number {place[1] + 1}: "
        return where + ".".join(names[2:]), fields.get(names[2]) if names[2:] else None
    return ".".join([names[0].upper(), *names[1:]]), fields.get(names[0].lower())


def _refuse_unbuilt(settings: Settings) -> None:
    """What is planned is refused by name, so that nobody believes it is there."""
    if settings.oms_store != "sqlite":
        raise ConfigError(
            f"OMS_STORE cannot be {settings.oms_store!r}: postgres arrives with a later version; use sqlite"
        )
    if settings.oms_bus != "memory":
        raise ConfigError(
            f"OMS_BUS cannot be {settings.oms_bus!r}: others arrive with a later version; use memory"
        )
    if settings.oms_broker == "paper" and settings.oms_environment is not Environment.SIM:
        raise ConfigError(
            f"OMS_ENVIRONMENT cannot be {settings.oms_environment}: the broker paper runs in sim only; use "
            "sim, or OMS_BROKER=kis"
        )


def _with_kis_account(settings: Settings) -> Settings:
    """KIS_ACCOUNT_NO alone names the account, but not in live, where its permissions have to be given."""
    is_named = "accounts" in settings.model_fields_set or not settings.kis_account_no
    if settings.oms_broker != "kis" or is_named or settings.oms_environment is Environment.LIVE:
        return settings
    number = settings.kis_account_no.replace("-", "")
    account = AccountSettings(account_id=f"{number[:8]}-{number[8:]}", may_buy=True, may_sell=True)
    return settings.model_copy(update={"accounts": (account,)})


def _refuse_doubtful_accounts(settings: Settings) -> None:
    """One account is meant, and in live what it may do is said (I-53)."""
    is_live = settings.oms_environment is Environment.LIVE
    if "accounts" not in settings.model_fields_set:
        if is_live:
            raise ConfigError(
                "OMS_ENVIRONMENT=live needs [[accounts]] in the file with may_buy and may_sell; what is not "
                "given is not allowed"
            )
        return
    known = {entry.account_id.replace("-", "") for entry in settings.accounts}
    if settings.kis_account_no.replace("-", "") not in known:
        raise ConfigError(
            "KIS_ACCOUNT_NO is none of the [[accounts]] in the file; make them agree, so that nobody trades "
            "another account than is meant"
        )
    for entry in settings.accounts if is_live else ():
        missing = [name for name in ("may_buy", "may_sell") if name not in entry.model_fields_set]
        if missing:
            raise ConfigError(
                f"[[accounts]] {entry.account_id} does not say {' and '.join(missing)}, which "
                "OMS_ENVIRONMENT=live needs; give true or false"
            )


def _refuse_half_of_kis(settings: Settings) -> None:
    """A service that cannot log in, or trades by a clock that no market has, does not start (I-53, F-99)."""
    missing = [
        name.upper()
        for name in ("kis_app_key", "kis_app_secret", "kis_account_no", "kis_hts_id")
        if not getattr(settings, name)
    ]
    if missing:
        raise ConfigError(f"OMS_BROKER=kis needs {', '.join(missing)}; set them, best in the environment")
    real = settings.oms_environment is not Environment.SIM
    as_paper = settings.kis_sim_as == "paper" if not real else settings.oms_environment is Environment.PAPER
    if as_paper and settings.kis_route == "sor":
        raise ConfigError("KIS_ROUTE=sor is not offered by KIS's paper service; leave it out or set krx")
    if real and "kis_sim_as" in settings.model_fields_set:
        raise ConfigError(
            f"KIS_SIM_AS is for OMS_ENVIRONMENT=sim, and it is {settings.oms_environment}; leave one out"
        )
    if real and settings.oms_sim_sessions is Sessions.OPEN:
        raise ConfigError(
            f"OMS_ENVIRONMENT={settings.oms_environment} trades in the hours of the real markets; set "
            "OMS_SIM_SESSIONS=calendar"
        )
    if not real and not settings.kis_base_url:
        raise ConfigError(
            "OMS_ENVIRONMENT=sim reaches a local KIS only; start `jumun simulate kis` and set KIS_BASE_URL "
            "and KIS_WS_URL to what it prints"
        )
