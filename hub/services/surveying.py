"""Surveying pages: asking networks once a day for the figures of accounts themselves, and keeping them as they were read."""  # noqa: E501

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import select as sa_select
from sqlmodel import Session, col, func, select

from channels import MOMENT, AskedOfPage, ChannelError, PageFigure, Refused, Throttled, Unauthorized
from hub import bulk
from hub.domain.account import Account
from hub.domain.delivery import Patience
from hub.domain.reach import BUDGET, PagePlan, PageSample, Unit, next_page_reading, page_days
from hub.domain.reach import PageFigure as Kept
from hub.services import budgeting, cataloguing, delivering, pacing, rolling
from hub.services.budgeting import NO_PRICES, Prices
from hub.services.rolling import Newest

MOST: Final = 200
"""Accounts that are read in one go."""

LONGEST_NAME: Final = 200

KEYS: Final = ("account_id", "metric", "period", "dimension", "day")
SAMPLE: Final = (*KEYS, "unit", "value", "missing", "read_on", "read_at")
FIGURE: Final = (*KEYS, "unit", "value", "missing", "first_read_at", "last_read_at")

Key = tuple[str, str, str, date]
"""Metric, period, dimension and day: what tells the figures of a page apart."""


@dataclass(frozen=True)
class PageReading:
    """An account whose own figures are due, and the days that they are asked for."""

    account: Account
    asked: tuple[AskedOfPage, ...]
    since: date
    until: date
    price: int = 0
    """What reading it costs, in millionths of a US dollar."""


# --- What is due ----------------------------------------------------------------------------------------------


def due_pages(session: Session, *, at: datetime, patience: Patience, prices: Prices = NO_PRICES) -> list[PageReading]:
    """The accounts to ask now; asked again after a lease if nobody comes back with an answer.

    Accounts that have something to publish are left to that. What there is no money for is kept as missing.
    """
    if delivering.open_hold(session):
        return []
    _plan_new(session, at)
    due = (
        select(PagePlan, Account)
        .join(Account, col(Account.id) == col(PagePlan.account_id))
        .where(PagePlan.next_at <= at, pacing.leisurely(at), delivering.nothing_to_publish(at))
        .order_by(col(PagePlan.next_at), col(PagePlan.account_id))
        .limit(MOST)
        .with_for_update(skip_locked=True, of=PagePlan)
    )
    found = session.exec(due).all()
    known = cataloguing.catalogue(session) if found else None
    readings = []
    for plan, account in found:
        assert known is not None
        asked = cataloguing.asked_of_pages(known, account.network, budgeting.day_of(at))
        price = prices.get(account.network)
        one = PageReading(account, asked, *_days(session, plan.account_id, at), price.user if price else 0)
        if asked and price is not None:
            money = budgeting.left(session, account.network, price, at=at, lease=patience.lease)
            if price.month <= 0 or price.user > money:
                _leave_out(session, one, at=at)
                asked = ()
        plan.next_at = at + patience.lease if asked else next_page_reading(at)
        session.flush()  # the next one sees what this one may cost
        if asked:
            readings.append(one)
    return readings


def _leave_out(session: Session, reading: PageReading, *, at: datetime) -> None:
    """An account that is not asked this time: its figures are missing for a reason."""
    today = budgeting.day_of(at)
    missing = [one.told(today if one.period == MOMENT else reading.until, None, BUDGET) for one in reading.asked]
    _keep(session, reading, missing, at=at)


def _plan_new(session: Session, at: datetime) -> None:
    """Accounts that nobody planned for yet are read at once."""
    planned = select(PagePlan.account_id)
    fresh = session.exec(select(Account.id).where(col(Account.id).not_in(planned))).all()
    if fresh:
        rows = [(number, bulk.moments(session)[at]) for number in fresh]
        bulk.put(session, PagePlan, ("account_id", "next_at"), rows, keys=("account_id",), renew=False)


def _days(session: Session, account_id: int, at: datetime) -> tuple[date, date]:
    told = col(Kept.value).is_not(None)  # what was asked for in vain is asked for again
    last = select(func.max(Kept.day)).where(Kept.account_id == account_id, Kept.period != MOMENT, told)
    return page_days(session.exec(last).one(), at)


# --- What was read --------------------------------------------------------------------------------------------


def keep_page_figures(session: Session, reading: PageReading, figures: Iterable[PageFigure], *, at: datetime) -> int:
    """Keep what was read and what that cost, and plan the next reading; return how many figures were new."""
    plan = _locked(session, reading)
    _charge(session, reading, at=at)
    kept = _keep(session, reading, figures, at=at)
    plan.next_at = next_page_reading(at)
    return kept


def note_page_failure(
    session: Session, reading: PageReading, error: ChannelError, *, at: datetime, patience: Patience
) -> None:
    """A reading that failed is tried again later; one that was refused, on the next day.

    One whose answer was lost may cost something all the same.
    """
    plan = _locked(session, reading)
    if budgeting.may_be_billed(error):
        _charge(session, reading, at=at)
    outcome = delivering.outcome_of(error, patience, at=at)
    delivering.note_failed_reading(session, reading.account, error, at=at, patience=patience)
    plan.next_at = outcome.until if isinstance(error, Throttled) and outcome.until else at + patience.rate_wait
    if isinstance(error, Refused | Unauthorized):
        plan.next_at = next_page_reading(at)


def _locked(session: Session, reading: PageReading) -> PagePlan:
    """The plan of an account: two answers about the same page are kept one after the other."""
    query = select(PagePlan).where(PagePlan.account_id == reading.account.id)
    return session.exec(query.with_for_update().execution_options(populate_existing=True)).one()


def _charge(session: Session, reading: PageReading, *, at: datetime) -> None:
    budgeting.charge(session, reading.account, reads=1, each=reading.price, at=at)


def _keep(session: Session, reading: PageReading, figures: Iterable[PageFigure], *, at: datetime) -> int:
    """Keep readings as they are, one of each figure a day, and the newest beside them; return how many were new."""
    assert reading.account.id is not None
    account_id, read_on = reading.account.id, budgeting.day_of(at)
    read: dict[Key, PageFigure] = {}
    for figure in figures:
        # What is counted apart is named by the network: whole characters, no NUL, not endless.
        part = delivering.readable(figure.dimension)[:LONGEST_NAME]
        read.setdefault((figure.metric, figure.period, part, figure.day), figure)
    if not read:
        return 0
    days = [key[-1] for key in read]
    present = _present(session, account_id, read_on)
    fresh = {key: figure for key, figure in read.items() if key not in present}
    newest = _newest(session, account_id, min(days), max(days))
    moments = bulk.moments(session)
    samples, rows = [], []
    for key, figure in fresh.items():
        metric, period, part, day = key
        where = (account_id, metric, period, part, day.isoformat(), figure.unit.value)
        samples.append((*where, figure.value, figure.missing, read_on.isoformat(), moments[at]))
        now = Newest(metric, Unit(figure.unit.value), figure.value, figure.missing, at, at)
        one = rolling.later(newest.get(key), now)
        rows.append((*where, one.value, one.missing, moments[one.first_read_at], moments[one.last_read_at]))
    bulk.put(session, PageSample, SAMPLE, samples, keys=(*KEYS, "read_on"), renew=False)
    bulk.put(session, Kept, FIGURE, rows, keys=KEYS, renew=True)
    return len(fresh)


def _present(session: Session, account_id: int, read_on: date) -> set[Key]:
    """What was kept on that day already."""
    query: Any = sa_select(
        col(PageSample.metric), col(PageSample.period), col(PageSample.dimension), col(PageSample.day)
    ).where(col(PageSample.account_id) == account_id, col(PageSample.read_on) == read_on)
    return {tuple(row) for row in session.connection().execute(query)}


def _newest(session: Session, account_id: int, first: date, last: date) -> Mapping[Key, Newest]:
    """What is kept of those days."""
    query = select(Kept).where(Kept.account_id == account_id, col(Kept.day).between(first, last))
    return {
        (one.metric, one.period, one.dimension, one.day): Newest(
            one.metric, Unit(one.unit), one.value, one.missing, one.first_read_at, one.last_read_at
        )
        for one in session.exec(query)
    }
