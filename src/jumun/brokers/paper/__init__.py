"""The paper broker: the simulated exchange behind the broker port."""

from jumun.brokers.paper.broker import PaperBroker, paper_traits
from jumun.brokers.paper.faults import FaultPlan, FaultyLink
from jumun.brokers.paper.link import Link, LocalLink
from jumun.brokers.paper.parse import FillIdentity
from jumun.brokers.paper.socket_link import SocketLink

__all__ = [
    "FaultPlan",
    "FaultyLink",
    "FillIdentity",
    "Link",
    "LocalLink",
    "PaperBroker",
    "SocketLink",
    "paper_traits",
]
