"""The demonstration is invented, the same each time, and holds one of everything."""

from collections import Counter

import pytest

from jumun.model.errors import ConfigError
from jumun.model.instruments import Product, Venue
from jumun.model.orders import OrderType, Side
from jumun.replay.generated import demo_instruments, demo_timeline
from jumun.replay.options import DemoOptions
from jumun.rules.sessions import Phase, phase_at

SMALL = DemoOptions(sessions=3, symbols=6, signals=150)


@pytest.mark.req("I-63")
def test_the_same_options_give_the_same_demonstration_and_another_seed_another() -> None:
    first = demo_timeline(SMALL).moments()
    assert first == demo_timeline(SMALL).moments()
    assert first != demo_timeline(DemoOptions(sessions=3, symbols=6, signals=150, seed=2)).moments()


@pytest.mark.parametrize("count", [0, 1, 150, 2_000])
def test_exactly_as_many_signals_come_as_were_asked_for_each_with_a_key_of_its_own(count: int) -> None:
    options = DemoOptions(sessions=3, symbols=6, signals=count)
    signals = [signal for moment in demo_timeline(options).moments() for signal in moment.signals]
    keys = {(s.strategy_version, s.symbol, s.signal_ts_ns, s.side, s.leg) for s in signals}
    assert len(signals) == len(keys) == count


def test_signals_buy_and_sell_at_the_market_and_at_limits_from_several_strategies() -> None:
    signals = [signal for moment in demo_timeline(SMALL).moments() for signal in moment.signals]
    assert {signal.side for signal in signals} == set(Side)
    assert {signal.order_type for signal in signals} == {OrderType.MARKET, OrderType.LIMIT}
    assert set(Counter(signal.strategy_id for signal in signals)) == {"momentum", "reversion", "careless"}


def test_the_first_symbols_hold_every_kind_of_product() -> None:
    some = demo_instruments(6)
    assert {instrument.venue for instrument in some} == {Venue.KRX, Venue.US}
    assert any(not instrument.symbol.isdigit() for instrument in some if instrument.venue is Venue.KRX)
    assert any(instrument.venue is Venue.US and instrument.is_etp for instrument in some)
    assert {instrument.product for instrument in some} == {Product.SHARE, Product.PREFERRED, Product.ETF}


def test_prices_are_printed_in_sessions_and_moments_come_in_order() -> None:
    moments = demo_timeline(SMALL).moments()
    assert [moment.ts_ns for moment in moments] == sorted({moment.ts_ns for moment in moments})
    venues = {instrument.symbol: instrument.venue for instrument in demo_instruments(6)}
    trading = {Phase.CONTINUOUS, Phase.CLOSING_AUCTION}
    for moment in moments:
        for one in moment.prints:
            assert phase_at(venues[one.symbol], moment.ts_ns)[0] in trading


@pytest.mark.parametrize("changes", [{"symbols": 0}, {"symbols": 99}, {"sessions": 0}, {"signals": -1}])
def test_an_impossible_demonstration_is_refused_with_what_to_give(changes: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="give "):
        demo_timeline(DemoOptions(**changes))  # type: ignore[arg-type]
