"""jumun: an order and execution management system. A signal becomes one order, its fills become books.

The names that users of the specifications know are importable from here. They are looked up when used, so
that `import jumun` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jumun.model.fills import Fill
    from jumun.model.orders import Order, OrderStatus, OrderType, Side
    from jumun.model.orders import Side as OrderSide
    from jumun.model.positions import Position
    from jumun.model.signals import ApprovedOrderIntent, TradingSignal
    from jumun.rules.commission import CommissionCalculator
    from jumun.rules.portfolio import FxRate
    from jumun.services.execution_manager import ExecutionManager
    from jumun.services.facade import Surroundings
    from jumun.services.order_engine import OrderEngine
    from jumun.services.order_queue import OrderQueue
    from jumun.services.position_manager import PositionManager
    from jumun.services.trackers import ExecutionTracker, PositionTracker

__version__: Final = "0.1.0"
__all__ = [
    "ApprovedOrderIntent",
    "CommissionCalculator",
    "ExecutionManager",
    "ExecutionTracker",
    "Fill",
    "FxRate",
    "Order",
    "OrderEngine",
    "OrderQueue",
    "OrderSide",
    "OrderStatus",
    "OrderType",
    "Position",
    "PositionManager",
    "PositionTracker",
    "Side",
    "Surroundings",
    "TradingSignal",
]

_HOME: Final = {
    "ApprovedOrderIntent": ("jumun.model.signals", "ApprovedOrderIntent"),
    "CommissionCalculator": ("jumun.rules.commission", "CommissionCalculator"),
    "ExecutionManager": ("jumun.services.execution_manager", "ExecutionManager"),
    "ExecutionTracker": ("jumun.services.trackers", "ExecutionTracker"),
    "Fill": ("jumun.model.fills", "Fill"),
    "FxRate": ("jumun.rules.portfolio", "FxRate"),
    "Order": ("jumun.model.orders", "Order"),
    "OrderEngine": ("jumun.services.order_engine", "OrderEngine"),
    "OrderQueue": ("jumun.services.order_queue", "OrderQueue"),
    "OrderSide": ("jumun.model.orders", "Side"),
    "OrderStatus": ("jumun.model.orders", "OrderStatus"),
    "OrderType": ("jumun.model.orders", "OrderType"),
    "Position": ("jumun.model.positions", "Position"),
    "PositionManager": ("jumun.services.position_manager", "PositionManager"),
    "PositionTracker": ("jumun.services.trackers", "PositionTracker"),
    "Side": ("jumun.model.orders", "Side"),
    "Surroundings": ("jumun.services.facade", "Surroundings"),
    "TradingSignal": ("jumun.model.signals", "TradingSignal"),
}


def __getattr__(name: str) -> object:
    """Import a public name at its first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'jumun' has no attribute {name!r}")
    module, attribute = _HOME[name]
    value: object = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
