"""What Prometheus reads: counts of this process, and how the hub stands, looked up when it is asked for."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from hub.database import reading
from hub.domain.account import AccountNetwork, AccountState
from hub.domain.delivery import AttemptKind, DeliveryState, OutcomeKind
from hub.services import gauging, spending
from hub.services.gauging import Gauges
from hub.wiring import Hub

LATENESS: Final = (0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 21600)
"""Seconds: up to two on an idle hub; what is later than six hours goes to a person."""

VERDICTS: Final = (DeliveryState.SENT, DeliveryState.WAITING, DeliveryState.REVIEW, DeliveryState.UNKNOWN)
"""What becomes of a delivery that was looked for; unknown: it is looked for again."""


class Tally:
    """What one process counts of what it does; each has its own, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._attempts = Counter(
            "relais_attempts",
            "Tries to publish or to take down, by what they came to.",
            ["network", "kind", "outcome"],
            registry=self.registry,
        )
        self._looks = Counter(
            "relais_looks",
            "Looks for deliveries whose outcome was unknown, by what became of those.",
            ["network", "state"],
            registry=self.registry,
        )
        self._lateness = Histogram(
            "relais_lateness_seconds",
            "From when a delivery was due and allowed to the beginning of the call that sent it.",
            ["network"],
            buckets=LATENESS,
            registry=self.registry,
        )
        self._leases = Counter(
            "relais_leases_ended", "Deliveries taken back from workers that died.", registry=self.registry
        )
        for network in AccountNetwork:
            # From the start, at nothing: else the first of each is no increase.
            self._lateness.labels(network.value)
            for outcome in OutcomeKind:
                for kind in (AttemptKind.PUBLISH, AttemptKind.REMOVE):
                    self._attempts.labels(network.value, kind.value, outcome.value)
            for state in VERDICTS:
                self._looks.labels(network.value, state.value)

    def attempted(self, network: AccountNetwork, kind: AttemptKind, outcome: OutcomeKind) -> None:
        """A try ended."""
        self._attempts.labels(network.value, kind.value, outcome.value).inc()

    def looked(self, network: AccountNetwork, state: DeliveryState) -> None:
        """A delivery was looked for on its network."""
        self._looks.labels(network.value, state.value).inc()

    def sent_late(self, network: AccountNetwork, late: timedelta) -> None:
        """A delivery went out, so long after its time."""
        self._lateness.labels(network.value).observe(late.total_seconds())

    def leases_ended(self, number: int) -> None:
        """So many deliveries were taken back."""
        self._leases.inc(number)


class Beat(Protocol):
    """How the clock of this process is, where there is one."""

    @property
    def alive(self) -> bool:
        """Whether it is running."""

    @property
    def seconds_since_tick(self) -> float | None:
        """How long ago it ticked last."""

    @property
    def trouble(self) -> str | None:
        """What stands in its way."""


class Board(Collector):
    """How the hub stands, looked up in the database each time that somebody asks."""

    def __init__(self, hub: Hub, beat: Callable[[], Beat] | None = None) -> None:
        self.hub = hub
        self.beat = beat
        self._spent: dict[tuple[object, ...], dict[int, Decimal]] = {}
        """By month and numbers of posts: prices are worked out anew only when something was published."""

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: to be put on a registry asks nothing of the database."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        """Everything that is known now; a database that is away is told as such, and the rest all the same."""
        if self.beat is not None:
            yield from _of_clock(self.beat())
        with suppress(OSError):
            free = shutil.disk_usage(self.hub.settings.home).free
            yield GaugeMetricFamily("relais_disk_free_bytes", "Room left on the disk of the home folder.", free)
        found: list[Metric] = []
        with suppress(SQLAlchemyError):
            found = self._of_database(self.hub.now())
        yield GaugeMetricFamily("relais_database_up", "Whether the database answers.", float(bool(found)))
        yield from found

    def _of_database(self, at: datetime) -> list[Metric]:
        with reading(self.hub.engine) as session:
            gauges = gauging.read(session, at=at, patience=self.hub.patience)
            key = (spending.month_of(at), *sorted(gauges.posts.items()))
            if key not in self._spent:
                self._spent = {key: spending.cost_this_month(session, rules=self.hub.rules, at=at)}
        return [*_of_deliveries(gauges), *_of_accounts(gauges, self._spent[key]), *_of_mails(gauges)]


def _of_clock(beat: Beat) -> Iterator[Metric]:
    yield GaugeMetricFamily("relais_clock_alive", "Whether the clock of this process runs.", float(beat.alive))
    if beat.seconds_since_tick is not None:
        yield GaugeMetricFamily("relais_tick_age_seconds", "Since the last tick.", beat.seconds_since_tick)
    still = float(beat.trouble is not None)
    yield GaugeMetricFamily("relais_stands_still", "Whether something keeps this process from its work.", still)


def _of_deliveries(gauges: Gauges) -> Iterator[Metric]:
    yield GaugeMetricFamily("relais_overdue", "Deliveries that should have been claimed by now.", gauges.overdue)
    states = GaugeMetricFamily("relais_deliveries", "Deliveries that have not ended.", labels=["state"])
    for state, number in gauges.deliveries.items():
        states.add_metric([state.value], number)
    yield states
    yield GaugeMetricFamily("relais_failed_last_day", "Deliveries that failed in the last day.", gauges.failed)
    yield GaugeMetricFamily("relais_hold", "Whether everything is on hold.", float(gauges.on_hold))


def _of_accounts(gauges: Gauges, spent: dict[int, Decimal]) -> Iterator[Metric]:
    accounts = GaugeMetricFamily("relais_accounts", "Accounts by state.", labels=["network", "state"])
    for network in AccountNetwork:
        for state in AccountState:
            accounts.add_metric([network.value, state.value], gauges.accounts.get((network, state), 0))
    yield accounts
    posts = GaugeMetricFamily("relais_month_posts", "Published this month, at a price.", labels=["account", "network"])
    money = GaugeMetricFamily(
        "relais_month_spent_usd",
        "Their price in US dollars, as Relais counts it.",
        labels=["account", "network"],
    )
    for (account_id, network), number in gauges.posts.items():
        posts.add_metric([str(account_id), network.value], number)
        money.add_metric([str(account_id), network.value], float(spent.get(account_id, 0)))
    yield posts
    yield money
    yield from _of_readings(gauges)


def _of_readings(gauges: Gauges) -> Iterator[Metric]:
    labels = ["account", "network"]
    reads = GaugeMetricFamily("relais_month_reads", "Read this month for figures, at a price.", labels=labels)
    money = GaugeMetricFamily(
        "relais_month_reads_spent_usd", "Its price in US dollars, as Relais counts it.", labels=labels
    )
    for (account_id, network), used in gauges.reads.items():
        reads.add_metric([str(account_id), network.value], used.reads)
        money.add_metric([str(account_id), network.value], float(used.dollars))
    yield reads
    yield money


def _of_mails(gauges: Gauges) -> Iterator[Metric]:
    yield GaugeMetricFamily("relais_mails_waiting", "Things to tell by mail that wait.", gauges.mails_waiting)
    yield GaugeMetricFamily(
        "relais_mails_given_up_last_day", "Things to tell by mail that were given up in the last day.",
        gauges.mails_given_up,
    )  # fmt: skip


# --- Handing it out ---------------------------------------------------------------------------------------


def registry_for(hub: Hub, *, tally: Tally | None = None, beat: Callable[[], Beat] | None = None) -> CollectorRegistry:
    """How the hub stands and, in a process that publishes, what it counted and how its clock is."""
    registry = tally.registry if tally is not None else CollectorRegistry()
    registry.register(Board(hub, beat))
    return registry


def show_on(registry: CollectorRegistry, port: int) -> Callable[[], None]:
    """Hand a registry out at this port, to this very machine only; returns what ends it.

    For processes without pages of their own; OSError when the port is taken.
    """
    server, thread = start_http_server(port, addr="127.0.0.1", registry=registry)

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return end
