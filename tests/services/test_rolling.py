"""The roll-up that reports read: equal to the readings whatever comes in which order, day by day of each territory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import permutations
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete
from sqlmodel import Session, col, select

from channels import Figure
from channels.base import UnitKind
from hub.database import reading, writing
from hub.domain.account import Account, AccountNetwork
from hub.domain.audit import AuditEntry
from hub.domain.delivery import Delivery, DeliveryState, Provenance
from hub.domain.errors import Invalid, NotFound
from hub.domain.metric import Catalogue, Metric, Subject
from hub.domain.reach import ADDITIVE, SLOTS, How, Reached, ReachedDay, ReachFigure, Sample, Unit, Visit
from hub.domain.territory import Atlas, Level, Territory
from hub.services import cataloguing, geotargeting, measuring, reporting, rolling
from hub.services.reporting import Frame, Span, Told
from hub.services.rolling import Newest, Proof
from tests.services.counting import CLICKS, PEOPLE, UNITS, VIEWS, published, read, sent, visit
from tests.services.desk import Desk

FEW = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
"""Each example is played on a real database, so there are not many."""

FIRST, LAST = date(2026, 11, 1), date(2026, 11, 30)
READ = datetime(2026, 11, 10, 18, tzinfo=UTC)


def proof(desk: Desk, *, mend: bool = False) -> Proof:
    """Everything counted again."""
    found = Proof()
    with writing(desk.stage.hub.engine) as session:
        catalogue = cataloguing.catalogue(session)
        for span in rolling.pages(session):
            rolling.prove(session, span, found, catalogue=catalogue, mend=mend)
        for first, last in list(rolling.months(session)):
            rolling.prove_days(session, first, last, found, mend=mend)
    return found


def kept(desk: Desk) -> list[dict[str, Any]]:
    """The roll-up as it is kept."""
    with reading(desk.stage.hub.engine) as session:
        rows = [one.model_dump() for one in session.exec(select(Reached))]
        figures = [one.model_dump() for one in session.exec(select(ReachFigure))]
        days = [one.model_dump() for one in session.exec(select(ReachedDay))]
    return sorted(rows + figures + days, key=repr)


def row(desk: Desk, delivery: Delivery, territory: str | None = None) -> Reached:
    """One row of it."""
    with reading(desk.stage.hub.engine) as session:
        return session.exec(
            select(Reached).where(
                Reached.delivery_id == delivery.id,
                Reached.territory_code == (territory or delivery.territory_code),
            )
        ).one()


# --- Of several readings, the one that counts -----------------------------------------------------------------

MOMENTS = st.integers(0, 3).map(lambda hours: READ + timedelta(hours=hours))
READINGS = st.builds(
    lambda value, at: Newest(PEOPLE, Unit.PEOPLE, value, None if value is not None else "not given", at, at),
    st.one_of(st.none(), st.integers(0, 3)),
    MOMENTS,
)


def last(readings: Iterator[Newest] | tuple[Newest, ...]) -> Newest | None:
    """What counts after all of them."""
    known = None
    for one in readings:
        known = rolling.later(known, one)
    return known


@given(st.lists(READINGS, min_size=1, max_size=4))
def test_the_same_reading_counts_in_whatever_order_they_come(readings):
    assert len({last(order) for order in permutations(readings)}) == 1


@given(READINGS, READINGS, READINGS)
def test_it_makes_no_difference_which_two_are_looked_at_first(one, two, three):
    later = rolling.later

    assert later(one, two) == later(two, one)
    assert later(later(one, two), three) == later(one, later(two, three))


def test_a_figure_beats_none_and_a_younger_one_an_older_one_even_when_it_is_lower():
    told = Newest(PEOPLE, Unit.PEOPLE, 9, None, READ, READ)
    lower = told._replace(value=7, first_read_at=READ + timedelta(hours=1), last_read_at=READ + timedelta(hours=1))
    silent = lower._replace(value=None, missing="not given")

    assert rolling.later(told, lower) == lower._replace(first_read_at=READ)
    assert rolling.later(told, silent) == told
    assert rolling.later(silent, told) == told


# --- What the figures of a network come to --------------------------------------------------------------------


def metric(name: str, unit: Unit, **rest: Any) -> Metric:
    """A row of a catalogue."""
    usual: dict[str, Any] = {
        "network": AccountNetwork.FACEBOOK, "subject": Subject.POST, "name": name, "unit": unit,
        "additive": unit in ADDITIVE, "counted": True, "valid_from": date(2010, 1, 1), "definition": name,
        "definition_en": name,
    }  # fmt: skip
    return Metric(**(usual | rest))


def told(catalogue: Catalogue, **values: int | None) -> dict[str, int | None]:
    """What readings of Facebook come to: only what is told or missed."""
    units = {one.name: one.unit for one in catalogue.metrics}
    newest = [Newest(name, units.get(name, Unit.VIEWS), value, None, READ, READ) for name, value in values.items()]
    return {name: value for name, value in rolling.told("facebook", newest, catalogue).items() if value is not None}


def missed(**more: int) -> dict[str, int]:
    """Nothing is told, and nothing missed, but these."""
    return {f"{unit}_missing": 0 for unit in Unit if unit is not Unit.ARRIVALS} | more


def test_the_newer_of_two_metrics_counts_as_soon_as_it_tells_something():
    catalogue = Catalogue([metric("old", Unit.VIEWS), metric("new", Unit.VIEWS, replaces="old")], "1")

    assert told(catalogue, old=5, new=7) == missed(views=7)
    assert told(catalogue, old=5, new=None) == missed(views=5, views_missing=1)
    assert told(catalogue, old=5) == missed(views=5)


def test_additive_metrics_are_summed_and_of_people_the_highest_counts():
    catalogue = Catalogue([metric("a", Unit.REACTIONS), metric("b", Unit.REACTIONS), metric("p", Unit.PEOPLE),
                           metric("q", Unit.PEOPLE)], "1")  # fmt: skip

    assert told(catalogue, a=5, b=7, p=120, q=80) == missed(reactions=12, people=120)
    assert told(catalogue, a=None, b=7) == missed(reactions=7, reactions_missing=1)


def test_what_no_report_counts_tells_nothing_and_people_are_missed_first():
    catalogue = Catalogue([metric("a", Unit.VIEWS, counted=False)], "1")

    assert told(catalogue, a=5, unheard_of=7) == missed(people_missing=1)


# --- Equal to the readings ------------------------------------------------------------------------------------


@pytest.fixture
def deliveries(desk: Desk) -> list[Delivery]:
    """Deliveries of every provenance: an own page, two gated siblings, a national one, X, and the portal."""
    desk.keys("A-32", "GP")
    link = "https://example.org/cfa"
    national = desk.submitted("coordinator", audience=["FR"], accounts=["facebook:FR"], link=link)
    desk.approve(national, "deputy")
    told = [
        published(desk, accounts=["facebook:A-14"], link=link),
        published(desk, audience=["A-14", "A-32"], accounts=["facebook:FR"], link=link),
        published(desk, audience=["A-14"], accounts=["x:FR"], accepts_unlimited=True, link=link),
        sent(desk, national),
        published(desk, audience=["A-14", "A-32"], accounts=["portal:FR"], link=link),
    ]
    return [one for some in told for one in some]


PLACES = ("FR", "R-53", "A-14", "D-35", "C-35238", "A-32", "D-971")
SAID = (PEOPLE, VIEWS, CLICKS, "impression_count", "like_count", "repost_count", "some_new_metric")

HAPPENINGS = st.one_of(
    st.tuples(
        st.just("read"),
        st.integers(0, 5),
        st.sampled_from(SLOTS),
        st.integers(0, 40),
        st.dictionaries(st.sampled_from(SAID), st.one_of(st.none(), st.integers(0, 1000)), min_size=1, max_size=4),
    ),
    st.tuples(st.just("strike"), st.integers(0, 1000)),
    st.tuples(
        st.just("visit"), st.integers(0, 5), st.sampled_from(PLACES), st.sampled_from([Unit.VIEWS, Unit.CLICKS]),
        st.integers(1, 9),
    ),
    st.tuples(st.just("remove"), st.integers(0, 5)),
)  # fmt: skip


def happen(session: Session, deliveries: list[Delivery], what: tuple[Any, ...]) -> None:
    """One thing that changes what is known."""
    match what:
        case ("read", number, slot, hour, values):
            one = deliveries[number % len(deliveries)]
            network = AccountNetwork(session.exec(select(Account.network).where(Account.id == one.account_id)).one())
            if network is AccountNetwork.PORTAL:
                return
            read_at = READ + timedelta(hours=hour)
            figures = [Figure(name, UNITS.get(name, UnitKind.VIEWS), value) for name, value in values.items()]
            samples = [measuring.as_sample(one.id or 0, figure, slot=slot, at=read_at) for figure in figures]
            measuring.keep(session, network.value, samples)
        case ("strike", number):
            known = session.exec(select(Sample).order_by(col(Sample.id))).all()
            if known:
                one = known[number % len(known)]
                measuring.strike(session, one.delivery_id, one.metric, one.slot, reason="absurd", at=READ)
        case ("visit", number, place, unit, count):
            one = deliveries[number % len(deliveries)]
            measuring.add_visits(session, one.id or 0, territory_code=place, unit=unit, day=READ.date(), number=count)
        case ("remove", number):
            row = session.get(Delivery, deliveries[number % len(deliveries)].id)
            assert row is not None
            row.state = DeliveryState.REMOVED


def anew(session: Session, deliveries: list[Delivery]) -> None:
    """Nothing was read of these yet."""
    for thing in (Sample, ReachFigure, Reached, ReachedDay, Visit):
        session.execute(delete(thing))
    for one in deliveries:
        there = session.get(Delivery, one.id)
        assert there is not None
        there.state = DeliveryState.SENT
        rolling.enter(session, there)


@FEW
@given(happenings=st.lists(HAPPENINGS, max_size=25))
def test_the_roll_up_equals_the_readings_after_whatever_happened(desk: Desk, deliveries, happenings):
    with writing(desk.stage.hub.engine) as session:
        anew(session, deliveries)
    for what in happenings:
        with writing(desk.stage.hub.engine) as session:
            happen(session, deliveries, what)

    found, before = proof(desk), kept(desk)
    with writing(desk.stage.hub.engine) as session:
        for thing in (Reached, ReachFigure, ReachedDay):
            session.execute(delete(thing))
    mended = proof(desk, mend=True)

    assert (found.deliveries, found.differing, found.differing_days) == (len(deliveries), [], [])
    assert mended.differing == sorted(one.id for one in deliveries)
    assert kept(desk) == before


def test_a_day_counts_an_item_once_however_many_communes_of_an_academie_looked_at_it(desk: Desk):
    [item] = published(desk, accounts=["portal:FR"])

    for place in ("D-35", "D-22", "C-35238"):
        visit(desk, item, place, Unit.VIEWS, 2)

    with reading(desk.stage.hub.engine) as session:
        days = session.exec(select(ReachedDay).where(ReachedDay.area == "A-14")).all()
    assert [(one.deliveries, one.views) for one in days] == [(1, 6)]
    assert proof(desk).holds


def test_what_was_spoiled_is_found_named_and_mended(desk: Desk, deliveries):
    read(desk, deliveries[0], **{PEOPLE: 120, VIEWS: 200})
    read(desk, deliveries[1], **{PEOPLE: 80})
    visit(desk, deliveries[-1], "D-35", Unit.VIEWS, 4)
    right = kept(desk)
    with writing(desk.stage.hub.engine) as session:
        session.execute(delete(Reached).where(col(Reached.delivery_id) == deliveries[2].id))
        one = session.get(Reached, (deliveries[0].id, "A-14"))
        two = session.get(ReachFigure, (deliveries[1].id, PEOPLE))
        assert one is not None
        assert two is not None
        one.people, two.value = 121, 81
        stray = row(desk, deliveries[-1], "D-35").model_dump()
        session.add(Reached(**(stray | {"territory_code": "D-22"})))

    found = proof(desk, mend=True)

    spoiled = sorted(deliveries[number].id or 0 for number in (0, 1, 2, -1))
    assert (found.differing, found.samples) == (spoiled, 3)
    assert kept(desk) == right
    assert proof(desk).holds


def test_figures_of_what_is_not_out_are_taken_away(desk: Desk, deliveries):
    desk.move(deliveries[0].id, state=DeliveryState.REVIEW)

    assert proof(desk, mend=True).differing == [deliveries[0].id]
    assert deliveries[0].id not in {one.get("delivery_id") for one in kept(desk)}


def test_deliveries_are_counted_again_in_small_spans(desk: Desk, deliveries, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rolling, "PAGE", 2)

    with reading(desk.stage.hub.engine) as session:
        spans = list(rolling.pages(session))

    assert spans == [(1, 2), (3, 4), (5, 6)]
    assert proof(desk).deliveries == len(deliveries)


def test_a_metric_that_takes_over_is_a_change_of_data_and_the_roll_up_follows(desk: Desk, deliveries):
    read(desk, deliveries[0], **{VIEWS: 200, "newer_views": 150})
    rows = [
        ";".join(cataloguing.COLUMNS),
        "facebook;post;post_media_view;;views;yes;yes;2010-01-01;2026-06-01;;Affichages;Shown",
        "facebook;post;newer_views;;views;yes;yes;2026-06-01;;post_media_view;Affichages;Shown",
    ]
    with writing(desk.stage.hub.engine) as session:
        done = cataloguing.bring_in(session, [line + "\n" for line in rows], at=desk.now)

    found = proof(desk, mend=True)

    assert (done.counted, found.differing) == (True, [deliveries[0].id])
    assert row(desk, deliveries[0]).views == 150


# --- Striking out ---------------------------------------------------------------------------------------------


def test_a_reading_that_is_struck_out_tells_no_more_and_is_on_record(desk: Desk):
    [delivery] = published(desk)
    read(desk, delivery, **{PEOPLE: 120})
    read(desk, delivery, READ + timedelta(hours=6), **{PEOPLE: 9_000_000})
    assert delivery.id is not None

    with writing(desk.stage.hub.engine) as session:
        struck = measuring.strike(session, delivery.id, PEOPLE, 6, reason=" absurd ", at=desk.now)
    with reading(desk.stage.hub.engine) as session:
        [entry] = session.exec(select(AuditEntry).where(AuditEntry.action == "reach.strike")).all()

    assert struck.value == 9_000_000
    assert row(desk, delivery).people == 120
    assert (entry.thing, (entry.before or {})["value"], entry.after) == (
        f"delivery:{delivery.id}", 9_000_000, {"reason": "absurd"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("slot", "reason", "error"), [(6, "absurd", NotFound), (1, " ", Invalid)], ids=["no such reading", "no reason"]
)
def test_only_a_reading_that_is_there_is_struck_out_and_with_a_reason(desk: Desk, slot, reason, error):
    [delivery] = published(desk)
    read(desk, delivery, **{PEOPLE: 120})
    assert delivery.id is not None

    with pytest.raises(error), writing(desk.stage.hub.engine) as session:
        measuring.strike(session, delivery.id, PEOPLE, slot, reason=reason, at=desk.now)

    assert row(desk, delivery).people == 120


# --- Our own counts -------------------------------------------------------------------------------------------


def test_who_follows_our_link_on_a_network_arrives_and_nobody_is_counted_who_only_looks(desk: Desk):
    [delivery] = published(desk, link="https://example.org/cfa")

    visit(desk, delivery, "D-35", Unit.CLICKS, 3)
    visit(desk, delivery, "A-14", Unit.VIEWS, 5)

    there = row(desk, delivery)
    assert (there.arrivals, there.clicks, there.views) == (3, None, None)
    assert proof(desk).differing == []


def test_visitors_of_a_territory_that_is_new_to_an_item_get_a_row_of_their_own(desk: Desk):
    [delivery] = published(desk, accounts=["portal:FR"])

    visit(desk, delivery, "D-971", Unit.VIEWS, 3)
    visit(desk, delivery, "D-971", Unit.VIEWS, 2)

    there = row(desk, delivery, "D-971")
    assert (there.area, there.views, there.clicks) == ("A-32", 5, 0)


# --- Parts and the whole --------------------------------------------------------------------------------------

VISITED = ("FR", "R-84", "R-53", "A-14", "D-22", "D-29", "D-35", "D-56", "C-35238", "C-29019", "A-32", "D-971", "A-10",
           "D-69", "D-01", "D-42", "A-28", "A-40")  # fmt: skip
COUNTS = st.lists(
    st.tuples(st.sampled_from(VISITED), st.sampled_from([Unit.VIEWS, Unit.CLICKS]), st.integers(1, 99)), max_size=20
)


Totals = Counter[tuple[str, str, Unit]]
"""Figures by network, provenance and kind."""


def added(several: Iterable[Told]) -> Totals:
    """All additive figures of several parts."""
    found: Totals = Counter()
    for one in several:
        for unit, cell in one.cells.items():
            if unit in ADDITIVE:
                found[one.network, str(one.provenance), unit] += cell.value or 0
    return +found


def whole(session: Session, desk: Desk, code: str = "FR") -> Totals:
    """What counts for a territory and all its parts."""
    return added(reporting.told(session, Frame(FIRST, LAST, code), by=desk.who("analyst")))


def itself(session: Session, desk: Desk, code: str) -> Totals:
    """What counts for a territory and for none of its parts."""
    parts = reporting.told(session, Frame(FIRST, LAST, code), by=desk.who("analyst"), keys=("territory_code",))
    return added(one for one in parts if one.key == (code,))


def partition(land: Atlas, code: str, split: Mapping[str, bool]) -> Iterator[tuple[str, bool]]:
    """Territories that make up one: each whole, or only itself beside its parts."""
    parts = [part for part in land.children(code) if land.nodes[part].level is not Level.COMMUNE]
    if not parts or not split.get(code, False):
        yield code, True
        return
    yield code, False
    for part in parts:
        yield from partition(land, part, split)


@FEW
@given(
    counts=COUNTS,
    split=st.dictionaries(st.sampled_from(["FR", "R-53", "R-84", "A-14", "A-10", "A-32"]), st.booleans(), min_size=3),
)
def test_the_parts_of_any_partition_add_up_to_the_whole(desk: Desk, deliveries, counts, split):
    portal = deliveries[-1]
    with writing(desk.stage.hub.engine) as session:
        anew(session, deliveries)
        for place, unit, number in counts:
            measuring.add_visits(session, portal.id, territory_code=place, unit=unit, day=READ.date(), number=number)

    parts: Totals = Counter()
    with reading(desk.stage.hub.engine) as session:
        land = geotargeting.atlas(session)
        country = whole(session, desk)
        for code, entire in partition(land, "FR", {"FR": True} | split):
            parts.update(whole(session, desk, code) if entire else itself(session, desk, code))

    expected: Totals = Counter()
    for _place, unit, number in counts:
        expected["portal", "portal", unit] += number
    assert (parts, country) == (expected, expected)


@FEW
@given(counts=st.lists(st.tuples(st.integers(0, 5), st.sampled_from([VIEWS, CLICKS]), st.integers(0, 99)), max_size=12))
def test_the_lines_of_a_report_add_up_to_the_country_by_network_and_provenance(desk: Desk, deliveries, counts):
    with writing(desk.stage.hub.engine) as session:
        anew(session, deliveries)
        for number, name, value in counts:
            happen(session, deliveries, ("read", number, SLOTS[0], 0, {name: value}))

    with reading(desk.stage.hub.engine) as session:
        by = desk.who("analyst")
        country = whole(session, desk)
        lines = reporting.told(session, Frame(FIRST, LAST), by=by, keys=("area",))
        days = reporting.over_time(session, Frame(FIRST, LAST), Span.DAY, by=by)

    assert added(lines) == country
    assert added(one for _day, one in days) == country


# --- Days -----------------------------------------------------------------------------------------------------


@pytest.fixture
def zones(desk: Desk) -> list[str]:
    """All zones of the country."""
    with reading(desk.stage.hub.engine) as session:
        return sorted(session.exec(select(Territory.zone).distinct()))


def changes(zone: str, year: int) -> list[datetime]:
    """When the clocks of a zone change: to the hour."""
    there, hour = ZoneInfo(zone), datetime(year, 1, 1, tzinfo=UTC)
    found = []
    while hour.year == year:
        coming = hour + timedelta(hours=1)
        if hour.astimezone(there).utcoffset() != coming.astimezone(there).utcoffset():
            found.append(coming)
        hour = coming
    return found


def midnights(zone: str, day: date) -> tuple[datetime, datetime]:
    """When a day begins and ends there."""
    there = ZoneInfo(zone)
    begin, end = (datetime.combine(one, time(), there) for one in (day, day + timedelta(days=1)))
    return begin.astimezone(UTC), end.astimezone(UTC)


def test_the_country_has_fourteen_zones_and_two_changes_of_the_clocks_where_it_has_any(zones):
    changing = {zone: len(changes(zone, 2026)) for zone in zones}

    assert len(zones) == 14
    assert {zone: number for zone, number in changing.items() if number} == {
        "America/Miquelon": 2,
        "Europe/Paris": 2,
    }


@settings(FEW, max_examples=60)
@given(data=st.data())
def test_a_figure_counts_for_the_day_of_its_territory_whatever_the_clocks_do(desk: Desk, zones, deliveries, data):
    zone = data.draw(st.sampled_from(zones))
    near = [
        *changes(zone, 2026),
        midnights(zone, data.draw(st.dates(date(2026, 1, 1), date(2026, 12, 31))))[0],
        midnights(zone, date(2026, 12, 31))[1],
    ]
    moment = data.draw(st.sampled_from(near)) + timedelta(seconds=data.draw(st.integers(-7300, 7300)))
    delivery = deliveries[0]
    desk.move(delivery.id, zone=zone, sent_at=moment)

    with writing(desk.stage.hub.engine) as session:
        anew(session, deliveries)
        happen(session, deliveries, ("read", 0, SLOTS[0], 0, {VIEWS: 7}))
        happen(session, deliveries, ("visit", 0, "A-14", Unit.CLICKS, 2))
    there = row(desk, delivery)

    begin, end = midnights(zone, there.day)
    assert begin <= moment < end
    assert there.hour == moment.astimezone(ZoneInfo(zone)).hour
    assert proof(desk).differing == []
    assert [views_on(desk, there.day + timedelta(days=days)) for days in (-1, 0, 1)] == [0, 7, 0]


def views_on(desk: Desk, day: date) -> int:
    """What the report of one day says of the page of Rennes."""
    with reading(desk.stage.hub.engine) as session:
        told = reporting.report(session, by=desk.who("analyst"), first=day, last=day)
    return sum(one.value or 0 for one in told.rows if one.unit is Unit.VIEWS and one.provenance is Provenance.OWN_PAGE)


def test_people_are_joined_as_the_highest_wherever_rows_are_joined(desk: Desk, deliveries):
    """In the rows themselves, by day, and cell by cell."""
    for number, value in enumerate((120, 80, 60)):
        read(desk, deliveries[number], **{PEOPLE: value})

    with reading(desk.stage.hub.engine) as session:
        by = desk.who("analyst")
        country = {one.provenance: one for one in reporting.told(session, Frame(FIRST, LAST), by=by)}
        [day] = [one for _day, one in reporting.over_time(session, Frame(FIRST, LAST), Span.DAY, by=by)
                 if one.provenance is Provenance.GATED]  # fmt: skip

    gated = country[Provenance.GATED].cells[Unit.PEOPLE]
    assert (gated.value, gated.how) == (80, How.AT_LEAST)
    assert day.cells[Unit.PEOPLE] == gated
    assert reporting.join(Unit.PEOPLE, [gated, country[Provenance.OWN_PAGE].cells[Unit.PEOPLE]]).value == 120
