"""What /metrics shows: figures read from the running desk when asked for, and counts of what was committed.

Nothing here costs the desk more than a few additions a commit.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from jumun.doors.gate import Gate
from jumun.model.journal import Entry
from jumun.model.orders import OrderStatus

BATCHES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000)


class Metrics:
    """One registry per service, so that two services in one process (tests) do not share counts."""

    def __init__(self, gate: Gate) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # else a second series for each counter that nobody reads
        registry = CollectorRegistry()
        registry.register(_Desk(gate))
        self._registry = registry
        self._reached = Counter(
            "jumun_orders_reached",
            "Orders that reached a status since the start.",
            ["status"],
            registry=registry,
        )
        self._fills = Counter("jumun_fills", "Fills booked since the start.", registry=registry)
        self._batches = Histogram(
            "jumun_commit_records",
            "Records in one commit, which is one sync.",
            buckets=BATCHES,
            registry=registry,
        )
        for status in OrderStatus:
            self._reached.labels(status.value)
        gate.engine.listeners.append(self.heard)

    def heard(self, entries: Sequence[Entry]) -> None:
        """Count what has just become durable."""
        if entries:
            self._batches.observe(len(entries))
        for entry in entries:
            change = entry.transition
            if change is not None and change.status is not change.status_from:
                self._reached.labels(change.status.value).inc()
            if entry.fill is not None:
                self._fills.inc()

    def text(self) -> bytes:
        """Return the page, in Prometheus' text format."""
        return generate_latest(self._registry)


class _Desk(Collector):
    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def collect(self) -> Iterable[Metric]:
        """Read the desk as it is now."""
        engine = self._gate.engine
        desk, book = engine.desk, engine.desk.book
        by_status = GaugeMetricFamily(
            "jumun_orders_open", "Orders that can still execute.", labels=["status"]
        )
        counts = {status: 0 for status in OrderStatus if not status.is_final}
        for order in book.open.values():
            counts[order.status] += 1
        for status, count in counts.items():
            by_status.add_metric([status.value], count)
        yield by_status
        studied_ns = engine.reconciler.studied_ns
        age_s = -1.0 if studied_ns is None else (engine.clock.monotonic_ns() - studied_ns) / 1e9
        figures = {
            "jumun_ready": ("1 when new orders are taken.", self._gate.unready() is None),
            "jumun_halted": ("1 when trading is halted.", book.halt is not None),
            "jumun_sends_in_flight": ("Sends without an outcome yet.", desk.sending),
            "jumun_orders_unknown": ("Orders whose outcome nobody knows.", len(book.unknown)),
            "jumun_queue_length": ("Orders that wait to be sent.", len(book.waiting)),
            "jumun_journal_records": ("Records in the journal.", book.seq),
            "jumun_breaks": ("Differences to the broker that two looks confirmed.", len(book.breaks)),
            "jumun_disputed_days": (
                "Days on which the broker says closed and our calendar open: nothing is sent.",
                len({day for _, day in desk.disputed}),
            ),
            "jumun_studies": (
                "Complete comparisons with the broker since the start.",
                engine.reconciler.rounds,
            ),
            "jumun_study_age_seconds": ("Age of the newest complete comparison; -1 before the first.", age_s),
        }
        for name, (text, value) in figures.items():
            yield GaugeMetricFamily(name, text, value=float(value))
