"""Settings: one name, three places, and no misspelling that passes."""

from decimal import Decimal
from pathlib import Path

import pytest

from jumun import app
from jumun.config import MASK, AccountSettings, Environment, Settings, UnknownPolicy, load, shown
from jumun.doors.cli import settings as settings_door
from jumun.model.errors import ConfigError
from jumun.model.ids import AccountId
from jumun.rules.policy import Limits

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "config.md"


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every test starts in an empty folder with an empty environment."""
    for name in (*Settings.model_fields, "OMS_CONFIG"):
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.req("S004-27", "S004-28", "S004-29", "S004-30", "S004-31", "S004-59", "S004-61")
def test_the_defaults_are_those_of_the_specifications() -> None:
    settings = load().settings
    assert (settings.oms_grpc_port, settings.oms_http_port) == (50051, 8083)
    assert settings.server_shutdown_timeout == 30
    assert settings.server_read_timeout == settings.server_write_timeout == 10
    assert (settings.log_level, settings.log_output) == ("info", "stdout")
    assert settings.oms_environment is Environment.SIM
    assert settings.oms_host == "127.0.0.1"


@pytest.mark.req("S000-92", "S000-93", "S000-96", "S000-97", "S000-98", "C-12", "C-14")
def test_the_default_limits_of_the_settings_are_those_of_the_desk() -> None:
    assert app.limits_of(load().settings) == Limits()


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "jumun.toml").write_text("max_queue_size = 20\nmax_position_count = 3\n")
    monkeypatch.setenv("MAX_QUEUE_SIZE", "30")
    loaded = load()
    assert (loaded.settings.max_queue_size, loaded.sources["max_queue_size"]) == (30, "environment")
    assert (loaded.settings.max_position_count, loaded.sources["max_position_count"]) == (
        3,
        "file jumun.toml",
    )
    assert loaded.sources["max_concurrent_orders"] == "default"


def test_a_named_file_is_read_and_a_missing_one_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "x.toml").write_text('[[accounts]]\naccount_id = "A-1"\nmay_sell = true\n')
    monkeypatch.setenv("OMS_CONFIG", "x.toml")
    settings = load().settings
    accounts = app.accounts_of(settings)
    assert list(accounts) == ["A-1"]
    assert not accounts[AccountId("A-1")].may_buy, "what is not given is not allowed"
    assert app.openings_of(settings, 0) == ()
    monkeypatch.setenv("OMS_CONFIG", "gone.toml")
    with pytest.raises(ConfigError, match=r"gone\.toml"):
        load()


@pytest.mark.req("F-103")
@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("OMS_GRPC_PORT", "abc", "working value is 50051"),
        ("OMS_GRPC_PORT", "70000", "working value is 50051"),
        ("MAX_ORDER_VALUE", "KRW=lots", "KRW=10000000,USD=10000"),
        ("MAX_ORDER_VALUE", "KRW=0", "MAX_ORDER_VALUE.KRW"),
        ("MAX_ORDER_VALUE", "EUR=5", "MAX_ORDER_VALUE.EUR"),
        ("MAX_POSITION_COUNT", "0", "MAX_POSITION_COUNT"),
        ("SERVER_SHUTDOWN_TIMEOUT", "soon", "30s"),
        ("SERVER_SHUTDOWN_TIMEOUT", "0", "SERVER_SHUTDOWN_TIMEOUT"),
        ("ORDER_TIMEOUT", "1500ms", "whole seconds"),
        ("OMS_ENVIRONMENT", "prod", "sim"),
        ("OMS_ENVIRONMENT", "live", "use sim"),
        ("OMS_STORE", "postgres", "use sqlite"),
        ("OMS_BUS", "kafka", "use memory"),
        ("OMS_EXCHANGE", "nowhere", "127.0.0.1:7600"),
        ("OMS_GRPC_PROT", "1", "did you mean OMS_GRPC_PORT"),
        ("OMS_SOMETHING_ELSE_ENTIRELY", "1", "remove it"),
        ("LOG_FORMAT", "xml", "LOG_FORMAT"),
        ("MAX_ORDER_VALU", "5", "looks like MAX_ORDER_VALUE"),
        ("MAX_ORDERS_VALUE", "5", "looks like MAX_ORDER_VALUE"),
        ("OMS_MAX_ORDER_VALUE", "5", "did you mean MAX_ORDER_VALUE"),
        ("MAX_POSITIONS_COUNT", "5", "looks like MAX_POSITION_COUNT"),
        ("LOGLEVEL", "debug", "looks like LOG_LEVEL"),
        ("MAX_ORDER_VALUE", "KRW=5,KRW=10000000", "KRW is given twice"),
        ("STRATEGY_PRIORITIES", "a=1,a=200", "a is given twice"),
        ("OMS_STORE_PATH", "", "working value is var/jumun.db"),
        ("OMS_STORE_PATH", ".", "names no file"),
        ("OMS_STORE_PATH", "/", "names no file"),
        ("OMS_HOST", "999.1.1.1", "no IP address; a working value is 127.0.0.1"),
        ("OMS_HOST", "", "working value is 127.0.0.1"),
        ("OMS_SIM_PACE", "-1", "cannot be -1: "),
        ("STRATEGY_PRIORITIES", "momentum=first", "STRATEGY_PRIORITIES.momentum"),
        ("ENABLE_PARTIAL_FILLS", "yes", "neither true nor false; a working value is true"),
        ("ENABLE_PARTIAL_FILLS", "1", "neither true nor false"),
        ("MAX_PARTIAL_FILL_TIME", "0", "MAX_PARTIAL_FILL_TIME"),
        ("MIN_FILL_SIZE", "0", "MIN_FILL_SIZE"),
        ("MIN_FILL_SIZE", "1000001", "more than MAX_POSITION_SIZE"),
        ("MAX_FILLS_PER_ORDER", "0", "MAX_FILLS_PER_ORDER"),
        ("ABNORMAL_PRICE_RATIO", "1", "working value is 0.05"),
        ("ACK_ALERT_S", "-1", "working value is 30s"),
        ("QUOTE_AGE_MAX_S", "-1s", "working value is 60s"),
        ("OMS_CALENDAR_FILE", "calendar.toml", "OMS_SIM_SESSIONS=open"),
        ("OMS_SIM_SWITCHES", "vi,vi=false", "vi is given twice"),
        ("OMS_SIM_SWITCHES", "=5", "without a name"),
        ("OMS_SIM_SWITCHE", "vi", "did you mean OMS_SIM_SWITCHES?"),
        ("MAX_PARTIAL_FILL_TIM", "5", "looks like MAX_PARTIAL_FILL_TIME"),
        ("OMS_BROKER", "xyz", "it must be paper or kis; a working value is paper"),
        ("OMS_EXCHANGE", "nowhere", "it must be a host, a colon and a port, or empty"),
        ("LOG_LEVEL", "loud", "it must be debug, info, warn or error"),
        (
            "KIS_ACCOUNT_NO",
            "12",
            "eight digits, a dash if you like, and two digits; a working",
        ),
        ("KIS_ROUTE", "nxt", "it must be krx or sor"),
        ("KIS_NOTICES", "both", "it must be stream or poll"),
        ("KIS_SIM_AS", "live", "it must be real or paper"),
        ("KIS_BASE_URL", "nowhere", "a host and a port, and nothing more"),
        ("KIS_HTS_ID", "a" * 41, "it has more than 40 characters"),
        ("KIS_RATE_LIMIT_RPS", "21", "it must be 20 or less"),
    ],
)
def test_an_impossible_setting_is_refused_with_its_key_and_a_working_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as refused:
        load()
    assert words in str(refused.value)
    assert name.split("=")[0] in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["RUST_LOG_LEVEL", "ACCOUNT", "LOGNAME", "LOG_FILE"])
def test_a_variable_of_another_program_is_left_alone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "5")
    assert load().settings.oms_host == "127.0.0.1"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("max_quue_size = 1", "did you mean max_queue_size"),
        ("max_position_size = 1.5", "not exact"),
        ("max_queue_size = ", "no TOML"),
        ('[[accounts]]\naccount_id = "A"\nmay_by = true', "may_by"),
        ('[[accounts]]\naccount_id = "A"\n[[accounts]]\naccount_id = "A"', "twice"),
        ("accounts = []", "ACCOUNTS"),
        ('[[accounts]]\naccount_id = "A"\nmay_buy = "yes"', "may_buy cannot be 'yes'"),
        ('[[accounts]]\naccount_id = "A"\nmay_sell = 1', "may_sell cannot be 1"),
        ('[[accounts]]\naccount_id = "A"\nexclusive = "no"', "exclusive cannot be 'no'"),
        ("max_position_count = true", "cannot be true or false"),
        ("enable_partial_fills = 0", "neither true nor false"),
        ('kis_switches = ["send_branch"]', '"send_branch=false", or in the file a table [kis_switches]'),
        ("kis_switches = 3", '"send_branch=false", or in the file a table [kis_switches]'),
        ("kis_switches = true", "a working value is send_branch=false"),
        ("[kis_switches]\nsend_branch = 1.5", "the switch send_branch takes true, false"),
        ('oms_sim_switches = ["vi"]', '"vi,auction_qty=500", or in the file a table [oms_sim_switches]'),
        ("strategy_priorities = 3", "names with values"),
        (
            '[[accounts]]\naccount_id = "a b"',
            "account_id cannot be 'a b': it must be letters, digits",
        ),
        ("[[accounts]]\nmay_buy = true", 'number 1: account_id is missing; give it, e.g. account_id = "SIM'),
        ('[[accounts]]\naccount_id = "A"\nmay_by = true', "may_by is no setting; did you mean may_buy?"),
        ("enable_partial_fills = false\nmax_fills_per_order = 5", "MAX_FILLS_PER_ORDER is set"),
        ("enable_partial_fills = false\nmax_partial_fill_time = 5", "MAX_PARTIAL_FILL_TIME is set"),
        (
            '[[accounts]]\naccount_id = "A"\nopening_file = "a.csv"\nopening_cash = {KRW = 1}',
            "opening_cash and opening_file",
        ),
    ],
)
def test_an_impossible_file_is_refused_with_the_place(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "jumun.toml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        load()
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", "30"), ("30", "30"), ("1m", "60"), ("500ms", "0.5"), ("1h", "3600"), ("1.5s", "1.5")],
)
def test_a_time_is_seconds_or_names_its_unit(
    monkeypatch: pytest.MonkeyPatch, text: str, seconds: str
) -> None:
    monkeypatch.setenv("SERVER_SHUTDOWN_TIMEOUT", text)
    assert load().settings.server_shutdown_timeout == Decimal(seconds)


def test_a_bare_order_value_is_won_and_leaves_the_dollars_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_ORDER_VALUE", "5000000")
    assert app.limits_of(load().settings).max_order_value == {
        "KRW": Decimal(5_000_000),
        "USD": Decimal(10_000),
    }


@pytest.mark.req("S000-95", "S000-99", "S000-100", "S000-101", "C-14")
def test_what_is_watched_of_an_execution_can_be_set_and_reaches_the_desk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "jumun.toml").write_text("enable_partial_fills = false\nmin_fill_size = 5\n")
    for name, value in {
        "ACK_ALERT_S": "10s",
        "FILL_ALERT_S": "1m",
        "ABNORMAL_PRICE_RATIO": "0.1",
        "QUOTE_AGE_MAX_S": "60",
    }.items():
        monkeypatch.setenv(name, value)
    limits = app.limits_of(load().settings)
    assert not limits.enable_partial_fills
    assert (limits.min_fill_size, limits.abnormal_price_ratio) == (5, Decimal("0.1"))
    assert (limits.ack_alert_s, limits.fill_alert_s, limits.quote_age_max_s) == (10, 60, 60)
    monkeypatch.setenv("ENABLE_PARTIAL_FILLS", "TRUE")
    monkeypatch.setenv("MAX_PARTIAL_FILL_TIME", "60s")
    monkeypatch.setenv("MAX_FILLS_PER_ORDER", "7")
    limits = app.limits_of(load().settings)
    assert limits.enable_partial_fills, "the environment wins over the file"
    assert (limits.max_partial_fill_time_s, limits.max_fills_per_order) == (60, 7)


def test_an_order_of_unknown_fate_is_held_in_live_unless_somebody_says_otherwise() -> None:
    live = load().settings.model_copy(update={"oms_environment": Environment.LIVE})
    assert live.unknown_order_policy is UnknownPolicy.HOLD
    assert load().settings.unknown_order_policy is UnknownPolicy.RESEND_ONCE


def test_a_secret_is_masked_wherever_it_stands() -> None:
    assert shown("kis_app_secret", "abc") == MASK
    assert shown("accounts", ({"password": "abc", "user": "x"},)) == [{"password": MASK, "user": "x"}]
    assert shown("postgres_password", "") == "", "that it is not set is no secret"


def test_a_cost_plan_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    (tmp_path / "jumun.toml").write_text('[[accounts]]\naccount_id = "A"\ncost_plans = {KRX = "free"}\n')
    with pytest.raises(ConfigError, match="kis-bankis"):
        app.accounts_of(load().settings)


def test_every_setting_is_documented_with_its_default() -> None:
    page = PAGE.read_text(encoding="utf-8")
    missing = [name.upper() for name in Settings.model_fields if f"| `{name.upper()}` |" not in page]
    assert not missing, f"docs/reference/config.md lacks {', '.join(missing)}"
    documented = {line.split("`")[1].lower() for line in page.splitlines() if line.startswith("| `")}
    assert documented - set(Settings.model_fields) <= {"oms_config"}, (
        "the page has settings that do not exist"
    )
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description in page, f"docs/reference/config.md says something else about {name.upper()}"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("KIS_SWITCHES", "send_branc=false", "'send_branc' is no switch; did you mean send_branch?"),
        ("KIS_SWITCHES", "send_branch=maybe", "send_branch is 'maybe'; give true or false"),
        ("OMS_SIM_SWITCHES", "luldd", "'luldd' is no switch; did you mean luld?"),
    ],
)
def test_config_show_refuses_a_switch_that_would_refuse_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as refused:
        settings_door.show()
    assert words in str(refused.value)
    with pytest.raises(ConfigError) as refused:
        app.serve(load().settings)
    assert words in str(refused.value), "the service says the same"


@pytest.mark.parametrize("model", [Settings, AccountSettings])
def test_no_setting_tells_its_rule_as_a_regular_expression(model: type[Settings | AccountSettings]) -> None:
    for name, field in model.model_fields.items():
        ruled = [rule for rule in field.metadata if getattr(rule, "pattern", None) is not None]
        assert not ruled, f"{name} would show people a pattern; check it with a sentence in config_values"


@pytest.mark.parametrize(
    "table",
    [
        'oms_sim_switches = "vi,auction_qty=500,modify_renumbers=false,vi_narrow=247540+035420"',
        "[oms_sim_switches]\nvi = true\nauction_qty = 500\nmodify_renumbers = false\n"
        'vi_narrow = ["247540", "035420"]',
    ],
)
def test_the_switches_of_the_simulated_market_are_a_text_or_a_table(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, table: str
) -> None:
    (tmp_path / "jumun.toml").write_text(table + "\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert load().settings.oms_sim_switches == {
        "vi": "true",
        "auction_qty": "500",
        "modify_renumbers": "false",
        "vi_narrow": "247540+035420",
    }
