"""A scenario file is checked whole before anything starts, and its errors name line, key and a value."""

import re
from decimal import Decimal
from pathlib import Path
from random import Random

import msgspec
import pytest

from jumun.exchange.protocol import Step
from jumun.exchange.sample_world import sample_world
from jumun.model.errors import ConfigError
from jumun.simulators.kis import scenario
from jumun.simulators.kis.acts import NAMES, read_act
from jumun.simulators.kis.customers import demo_customer
from jumun.simulators.kis.faults import FAULTS
from jumun.simulators.kis.figures import NS, korean
from jumun.simulators.kis.presets import PRESETS, preset
from jumun.simulators.kis.run import KisRun, built, configured, play_due
from jumun.simulators.kis.scenario import EXAMPLES, ScenarioFile, Timeline, read_scenario, scenario_of
from jumun.simulators.kis.server import SimulatorClock
from jumun.simulators.kis.stream_switches import StreamSwitches
from jumun.simulators.kis.weather import Match, Rule, Weather
from jumun.simulators.kis.yaml_file import YamlFile
from tests.unit.kis_simulator.stage import NOON_NS, SAMSUNG

WHOLE = """\
environment: paper
seed: 7
pace: 0.5
sessions: calendar
start: "2025-06-16 09:30"
rest: {rate_limit: off, history_lag_s: 1.5}
stream:
  notice_layout: 23
market: {vi: true}
customers:
  - {hts_id: trader, accounts: [12345678-01, 12345678-02]}
accounts:
  12345678-01:
    cash: {KRW: 5000000.25}
    holdings: {005930: 10}
prices:
  - {at: 2s, symbol: 005930, price: 58100}
  - {at: 500ms, symbol: 005930, price: 58000, volume: 7}
faults:
  - {at: 1s, fault: reply_lost, match: {path: order-cash, nth: 2}}
  - {at: 1m, clear: true}
acts:
  - {at: 3s, act: halt, symbol: 005930, text: news}
"""


def test_a_scenario_says_what_there_is_and_what_happens_when() -> None:
    said = scenario_of(YamlFile("day.yaml", WHOLE))
    assert (said.environment, said.seed, said.pace, said.sessions) == ("paper", 7, 0.5, "calendar")
    assert said.start_ns is not None
    assert korean(said.start_ns).strftime("%Y-%m-%d %H:%M") == "2025-06-16 09:30"
    assert (said.rest.rate_limit, said.rest.history_lag_s) == (0, Decimal("1.5"))
    assert (said.stream.notice_layout, said.market) == (23, {"vi": "true"})
    assert said.customers == (
        demo_customer("paper", hts_id="trader", accounts=("12345678-01", "12345678-02")),
    )
    opening = said.accounts["12345678-01"]
    assert (opening.cash, opening.holdings) == ({"KRW": Decimal("5000000.25")}, {"005930": Decimal(10)})
    timeline = Timeline(said.happenings)
    first, second = timeline.due(NS)
    assert first.act == Step(symbol="005930", price=Decimal(58_000), volume=Decimal(7))
    assert second.rule == Rule(fault="reply_lost", match=Match(path="order-cash", nth=2))
    assert [one.act for one in timeline.due(3 * NS)] == [
        Step(symbol="005930", price=Decimal(58_100), volume=Decimal(100)),
        read_act({"act": "halt", "symbol": "005930", "text": "news"}),
    ]
    (end,) = timeline.due(60 * NS)
    assert (end.act, end.rule, end.line, timeline.left) == (None, None, 21, 0)


def test_an_empty_scenario_leaves_everything_as_the_command_line_says() -> None:
    said = scenario_of(YamlFile("day.yaml", "# nothing yet\n"))
    assert (said.environment, said.customers, said.happenings) == (None, (), ())


PRICE = "prices:\n  - at: 1s\n    symbol: 005930\n    price: 5\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (PRICE.replace("price:", "prise:"), r"line 4: prices\[0\].prise is no key .* price\?"),
        ("seed: one\n", r"line 1: seed cannot be read .*; write for example seed: 1"),
        (PRICE.replace("    symbol: 005930\n", ""), r"line 2: prices\[0\] has no symbol; .* \"005930\""),
        (PRICE.replace("1s", "soon"), r"line 2: prices\[0\].at 'soon' is no time .* at: 90s"),
        (PRICE.replace("price: 5", "price: dear"), r"line 4: prices\[0\].price cannot be read"),
        ("faults:\n  - fault: reply_losst\n", r"line 2: .* did you mean reply_lost\?"),
        ("faults:\n  - at: 1s\n", r"line 2: .* either a fault or clear"),
        ("faults:\n  - {fault: slow, clear: true}\n", r"either a fault or clear"),
        ("acts:\n  - act: hault\n    symbol: 005930\n", r"line 2: .* did you mean halt\?"),
        ("stream: {notice_layout: 24}\n", r"line 1: stream cannot be: switch notice_layout"),
        ("rest: {rate: 1}\n", r"line 1: rest cannot be: 'rate' is no switch"),
        ("accounts:\n  1234: {}\n", r"line 2: .* '1234' is no account number; .* 12345678-01"),
        ("accounts:\n  12345678-01:\n    cash: {KRW: -1}\n", r"line 3: .*KRW is -1; give 0 or more"),
        ("customers:\n  - {hts_id: a, accounts: []}\n", r"line 2: .* has no accounts"),
        ("customers:\n  - {hts_id: a, app_key: b, accounts: [12345678-01]}\n", r"line 2: .* 1 characters"),
        ("pace: -1\n", r"line 1: pace is -1.0"),
        ("start: yesterday\n", r"line 1: start 'yesterday' is no time"),
        ("seed: 1\nseed: 2\n", r"line 2: seed stands there twice"),
        ("a: [\n", r"line \d: no YAML"),
        ("- 1\n", "begin with a key"),
        ("a: &x\n  b: *x\n", "nested more than"),
        ("environment: live\n", r"line 1: environment cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line_and_what_to_write(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as refused:
        scenario_of(YamlFile("day.yaml", text))
    assert str(refused.value).startswith("day.yaml line")


def test_the_page_knows_every_fault_act_switch_and_key_and_its_scenario_plays() -> None:
    page = (Path(scenario.__file__).parent / "SCENARIOS.md").read_text(encoding="utf-8")
    switches, _, faults = page.partition("## Faults")
    row = re.compile(r"^\| `([a-z_0-9]+)` \| ([^|]+?) \|", re.MULTILINE)
    assert set(dict(row.findall(faults))) == set(FAULTS)
    defaults = {field.name: str(field.default) for field in msgspec.structs.fields(StreamSwitches)}
    said = dict(row.findall(switches))
    assert {name: text.lower() for name, text in said.items()} == {
        name: text.lower() for name, text in defaults.items()
    }
    acts = page.partition("## Acts")[2].partition("## Control")[0]
    assert {name for name in NAMES if f"`{name}`" not in acts} == set()
    example = page.rpartition("```yaml")[2].partition("```")[0]
    assert {name for name in ScenarioFile.__struct_fields__ if f"{name}:" not in example} == set()
    assert len(scenario_of(YamlFile("page", example)).happenings) == 4


def test_every_key_of_a_scenario_has_a_working_value() -> None:
    assert set(ScenarioFile.__struct_fields__) <= set(EXAMPLES)
    for name in (
        "rest",
        "stream",
        "market",
        "prices",
        "faults",
        "acts",
        "accounts",
        "customers",
        "start",
        "pace",
    ):
        scenario_of(YamlFile("example", f"{name}: {EXAMPLES[name]}\n"))


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read .* name a file that exists"):
        read_scenario(tmp_path / "none.yaml")
    bad = tmp_path / "bad.yaml"
    bad.write_bytes(b"seed: \xff\n")
    with pytest.raises(ConfigError, match="no UTF-8"):
        read_scenario(bad)
    bad.write_bytes(b" " * (1024 * 1024 + 1))
    with pytest.raises(ConfigError, match="split it"):
        read_scenario(bad)


def test_a_preset_is_what_a_scenario_changes(tmp_path: Path) -> None:
    chosen = preset("python-kis")
    assert (chosen.stream.notice_layout, chosen.stream.overseas_layout, chosen.stream.trade_layout) == (
        23,
        21,
        46,
    )
    assert chosen.rest.rate_limit == 0
    other = preset("mojito2")
    assert (other.stream.notice_layout, other.stream.trade_layout) == (23, 46)
    assert other.rest == preset("").rest, "it keeps KIS's limits"
    path = tmp_path / "day.yaml"
    path.write_text("stream: {trade_layout: 47}\n", encoding="utf-8")
    config = configured(
        sample_world(),
        host="127.0.0.1",
        port=0,
        ws_port=0,
        environment="paper",
        scenario=path,
        preset_name="python-kis",
        pace=1.0,
        seed=3,
        cash={"KRW": Decimal(5)},
    )
    assert (config.stream.notice_layout, config.stream.trade_layout) == (23, 47)
    assert (config.pace, config.seed, config.rest.rate_limit) == (1.0, 3, 0)
    assert [customer.environment for customer in config.customers] == ["paper"]
    with pytest.raises(ConfigError, match="use mojito2, python-kis, or none"):
        preset("mojito")
    assert all(one.text for one in PRESETS.values())


def test_a_scenario_plays_by_the_simulators_clock_and_goes_on_after_a_refused_step() -> None:
    text = (
        "prices:\n  - {at: 1s, symbol: 005930, price: 1}\n  - {at: 2s, symbol: 005930, price: 58000}\n"
        "faults:\n  - {at: 2s, fault: slow, ms: 1}\n  - {at: 3s, clear: true}\n"
        "acts:\n  - {at: 2s, act: skip_time, seconds: 3600}\n"
    )
    said = scenario_of(YamlFile("day.yaml", text))
    kis = built(KisRun(world=sample_world()), NOON_NS)
    at = [NOON_NS]
    clock, timeline = SimulatorClock(lambda: at[0]), Timeline(said.happenings)
    at[0] += 2 * NS
    play_due(kis, clock, timeline, NOON_NS)
    assert kis.house.market.quote(SAMSUNG).last == Decimal(58_000)  # type: ignore[union-attr]
    assert [rule.fault for rule in kis.weather.rules] == ["slow"]
    play_due(kis, clock, timeline, NOON_NS)
    assert (kis.weather.rules, timeline.left) == ((), 0)


def test_accounts_open_with_what_is_said_and_the_same_seed_makes_the_same_simulator() -> None:
    said = scenario_of(YamlFile("day.yaml", WHOLE))
    config = KisRun(world=sample_world(), customers=said.customers, openings=said.accounts)
    market = built(config, NOON_NS).house.market
    assert market.balance_of("12345678-01").holdings == {"005930": Decimal(10)}
    assert market.balance_of("12345678-02").cash == {"KRW": Decimal(100_000_000), "USD": Decimal(100_000)}
    assert built(config, NOON_NS).house.market.digest() == market.digest()
    assert isinstance(Weather([], Random(1)).struck, dict)
