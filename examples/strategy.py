"""A strategy written against the Python API: one process, the simulated market, GENERATED prices.

    python examples/strategy.py

The names are those of specification 000. The engine hears the strategy's signals on the bus, sends the
orders, books the fills and answers questions about them. Its store is in a temporary folder.
"""

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from simulated_market import SimulatedMarket

from jumun import (
    ExecutionManager,
    OrderEngine,
    OrderQueue,
    PositionManager,
)
from jumun.model.journal import Message


async def main(folder: Path) -> None:
    """Trade one share for a moment, and look at everything."""
    market = SimulatedMarket(folder)
    event_bus = market.bus
    position_manager = PositionManager()
    order_engine = OrderEngine(
        broker_client=market.broker_client,
        order_queue=OrderQueue(max_queue_size=1000, max_concurrent_orders=10, priority_timeout=300),
        position_manager=position_manager,
        commission_calculator=market.commission_calculator,
        event_bus=event_bus,
        redis_manager=market.surroundings,
    )
    execution_manager = ExecutionManager(order_engine)

    filled: list[str] = []

    async def order_executed(event: Message) -> None:
        print(f"executed: {event.payload['side']} {event.payload['quantity']} at {event.payload['price']}")
        filled.append(str(event.payload["order_id"]))

    async def signal_refused(event: Message) -> None:
        print(f"refused: {event.payload['reason']}: {event.payload['text']}")

    event_bus.subscribe("order_executed", order_executed)
    event_bus.subscribe("signal_refused", signal_refused)

    await order_engine.start()
    await market.trade("005930", 3)

    # A signal becomes an order, once: its key is made of what it says, so a repeat changes nothing.
    buy = {
        "symbol": "005930",
        "side": "BUY",
        "quantity": 10,
        "order_type": "MARKET",
        "strategy_id": "example",
        "strategy_version": "example-1",
        "account_id": market.account_id,
        "signal_ts": datetime.now(UTC).isoformat(),
    }
    await event_bus.publish("trading_signal", {"signal": buy})
    await event_bus.publish("trading_signal", {"signal": buy})
    await market.settled(order_engine)

    status = await order_engine.get_engine_status()
    print(f"Active orders: {status['active_orders_count']}")

    # Far below the market, so it rests there until it is cancelled.
    rest = {**buy, "order_type": "LIMIT", "price": 50_000, "leg": "rest"}
    await event_bus.publish("trading_signal", {"signal": rest})
    await event_bus.publish("trading_signal", {"signal": {**buy, "side": "HOLD"}})
    await market.settled(order_engine)
    cancelled = await order_engine.cancel_all_orders_for_symbol("005930")
    print(f"Cancelled {cancelled} orders")

    price = market.step("005930")
    await event_bus.publish("market_data_received", {"symbol": "005930", "price": price})
    position = await position_manager.get_position("005930")
    if position:
        print(f"Quantity: {position.quantity}")
        print(f"Unrealized P&L: {position.unrealized_pnl:,.0f}")

    summary = await position_manager.get_portfolio_summary()
    print(f"Total positions: {summary['total_positions']}")
    for currency, figures in summary["by_currency"].items():
        print(f"Total P&L in {currency}: {figures.total_pnl:,.2f}")

    execution = await execution_manager.get_execution_status(filled[0])
    print(f"Fill ratio: {execution['fill_ratio']:.1%}")
    daily = await execution_manager.get_daily_execution_stats()
    print(f"Total fills today: {daily['total_fills']}")

    await order_engine.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(main(Path(place)))
