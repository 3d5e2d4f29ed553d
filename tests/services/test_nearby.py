"""What there is near: areas, what is meant for them, by date and distance, and how far one has to look."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event as happening
from sqlmodel import Session, col, select

from hub.database import reading, writing
from hub.domain.delivery import Delivery, DeliveryState
from hub.domain.errors import NotFound
from hub.domain.event import Event, Impairment
from hub.domain.place import FOREVER, AreaVisit, Commune, Pinned
from hub.domain.post import Kind
from hub.domain.territory import Level, Territory
from hub.services import nearby, pinning
from hub.services.nearby import Ended, Listed
from tests.services.desk import Desk
from tests.shown import an_event, put_out
from tests.stage import NOON, Stage

RENNES, BREST, FOUGERES = "35238", "29019", "35115"


def shown(stage: Stage, insee: str = RENNES, **asked: Any) -> Listed:
    with reading(stage.hub.engine) as session:
        return nearby.items(session, nearby.get_area(session, insee), **({"at": stage.clock()} | asked))


def out(stage: Stage, *zone: str, **told: Any) -> int:
    with writing(stage.hub.engine) as session:
        delivery = put_out(session, stage, zone, **told)
        assert delivery.id is not None
        return delivery.id


def texts(listed: Listed) -> list[str]:
    return [one.text for one in listed.items]


# --- Areas ---


def test_an_area_is_a_commune_with_all_that_it_lies_in(stage: Stage):
    with reading(stage.hub.engine) as session:
        area = nearby.get_area(session, RENNES)

    assert (area.name, area.code, area.departement, area.academie) == ("Rennes", "C-35238", "35", "14")
    assert area.zone == "Europe/Paris"
    assert area.lineage == ["FR", "R-53", "A-14", "D-35", "C-35238"]
    assert [area.name_of(code) for code in ("D-35", "A-14", "C-35238")] == ["Ille-et-Vilaine", "Rennes", "Rennes"]
    assert (area.above(Level.REGION), area.above(Level.COUNTRY)) == ("R-53", "FR")


def test_an_arrondissement_has_its_own_point_and_its_citys_territory(stage: Stage):
    with reading(stage.hub.engine) as session:
        area = nearby.get_area(session, "75111")

    assert (area.insee, area.code) == ("75111", "C-75056")


def test_a_number_that_no_commune_has_is_not_found(stage: Stage):
    with reading(stage.hub.engine) as session, pytest.raises(NotFound, match="99999"):
        nearby.get_area(session, "99999")


def test_a_commune_that_merged_tells_what_became_of_it(stage: Stage):
    with writing(stage.hub.engine) as session:
        gone = session.get_one(Territory, "C-35115")
        gone.ended_on, gone.successor_code = date(2026, 1, 1), "C-35238"
    with reading(stage.hub.engine) as session, pytest.raises(Ended) as told:
        nearby.get_area(session, FOUGERES)

    assert told.value.successor == RENNES


def test_a_commune_that_ended_may_have_no_successor(stage: Stage):
    with writing(stage.hub.engine) as session:
        session.get_one(Territory, "C-35115").ended_on = date(2026, 1, 1)
    with reading(stage.hub.engine) as session, pytest.raises(Ended) as told:
        nearby.get_area(session, FOUGERES)

    assert told.value.successor is None


def test_wide_areas_have_no_point(stage: Stage):
    with reading(stage.hub.engine) as session:
        academie = nearby.get_wide_area(session, "A-14")
        departement = nearby.get_wide_area(session, "D-35")
        with pytest.raises(NotFound):
            nearby.get_wide_area(session, "A-99")

    assert (academie.name, academie.academie, academie.departement, academie.lat) == ("Rennes", "14", "", None)
    assert (departement.departement, departement.academie) == ("35", "14")
    assert academie.above(Level.DEPARTEMENT) is None


# --- What is meant for an area ---


def test_an_area_has_what_is_for_it_and_for_all_that_it_lies_in(stage: Stage):
    for zone in ("FR", "R-53", "A-14", "D-35", "C-35238", "D-29", "C-35115", "A-32"):
        out(stage, zone, text=zone)

    assert sorted(texts(shown(stage))) == ["A-14", "C-35238", "D-35", "FR", "R-53"]
    assert sorted(texts(shown(stage, BREST))) == ["A-14", "D-29", "FR", "R-53"]


def test_an_academie_has_also_what_is_for_a_part_of_it(stage: Stage):
    for zone in ("FR", "A-14", "D-35", "C-35238", "A-32"):
        out(stage, zone, text=zone)
    with reading(stage.hub.engine) as session:
        listed = nearby.items(session, nearby.get_wide_area(session, "A-14"), at=stage.clock())
        narrow = nearby.items(session, nearby.get_wide_area(session, "D-29"), at=stage.clock())

    assert sorted(texts(listed)) == ["A-14", "C-35238", "D-35", "FR"]
    assert sorted(texts(narrow)) == ["A-14", "FR"]


def test_whatever_is_shown_is_meant_for_the_area_and_whatever_is_meant_is_shown(stage: Stage):
    chance = random.Random(6)
    with writing(stage.hub.engine) as session:
        paths = dict(
            session.exec(select(Territory.code, Territory.path).where(col(Territory.ended_on).is_(None))).all()
        )
        codes = sorted(paths)
        audiences = [chance.sample(codes, chance.randint(1, 3)) for _post in range(120)]
        audiences += [[code] for code in codes if code.startswith(("A-", "R-", "FR"))]
        numbered = {put_out(session, stage, audience).id: audience for audience in audiences}
        academies = sorted(code for code in codes if code.startswith("A-"))
        communes = list(session.exec(select(Commune.insee, Commune.territory_code)))
    by_academie: dict[str, list[str]] = {}
    for insee, code in communes:
        by_academie.setdefault(next(one for one in paths[code].split("/") if one.startswith("A-")), []).append(insee)

    assert sorted(by_academie) == academies
    assert len(academies) == 34
    with reading(stage.hub.engine) as session:
        for of_academie in by_academie.values():
            area = nearby.get_area(session, chance.choice(of_academie))
            meant = {number for number, audience in numbered.items() if set(audience) & set(area.lineage)}
            assert {one.delivery_id for one in nearby.items(session, area, at=NOON).items} == meant


def test_an_item_for_several_that_hold_the_area_is_listed_once_by_the_narrowest(stage: Stage):
    out(stage, "A-14", "C-35238")

    [one] = shown(stage).items

    assert one.code == "C-35238"


def test_only_what_is_out_is_listed(stage: Stage):
    number = out(stage, "A-14")
    with writing(stage.hub.engine) as session:
        session.get_one(Delivery, number).state = DeliveryState.REMOVED

    assert shown(stage) == Listed([], None, cut=False)


# --- Events ---


def test_events_come_by_day_then_distance_and_then_what_has_no_day(stage: Stage):
    out(stage, "A-14", text="old advice", kind=Kind.ADVICE, sent_at=NOON - timedelta(days=3))
    out(stage, "A-14", text="advice", kind=Kind.ADVICE)
    later = an_event("2026-11-21T09:00:00")
    here = an_event("2026-11-20T18:00:00")
    far = an_event("2026-11-20T09:00:00", commune=BREST)
    nowhere = an_event("2026-11-20T08:00:00", venue="Salle polyvalente", commune=None)
    for text, event in (("later", later), ("nowhere", nowhere), ("far", far), ("here", here)):
        out(stage, "A-14", text=text, kind=Kind.EVENT, event=event)

    listed = shown(stage)

    assert texts(listed) == ["here", "far", "nowhere", "later", "advice", "old advice"]
    assert [one.distance_km and round(one.distance_km) for one in listed.dated] == [0.0, 210, None, 0.0]
    assert [one.text for one in listed.of(Kind.ADVICE)] == ["advice", "old advice"]
    assert [one.place for one in listed.dated[:3]] == ["Rennes", "Brest", "Salle polyvalente"]


def test_an_event_is_listed_until_its_last_end_by_the_clock_of_its_zone(stage: Stage):
    event = an_event("2026-11-20T09:00:00", "2026-11-20T12:00:00", zone="America/Cayenne")
    event["timings"].append({"begin": "2026-11-21T09:00:00", "end": "2026-11-21T12:00:00"})
    out(stage, "A-14", kind=Kind.EVENT, event=event)

    def begins(day: int, hour: int, minute: int) -> list[str]:
        at = datetime(2026, 11, day, hour, minute, tzinfo=UTC)
        return [str(one.wall) for one in shown(stage, at=at).items]

    assert begins(20, 14, 59) == ["2026-11-20 09:00:00"]
    assert begins(20, 15, 0) == ["2026-11-21 09:00:00"]
    assert begins(21, 14, 59) == ["2026-11-21 09:00:00"]
    assert begins(21, 15, 0) == []
    assert nearby.is_past(Event.model_validate(event), datetime(2026, 11, 21, 15, tzinfo=UTC))
    assert not nearby.is_past(Event.model_validate(event), datetime(2026, 11, 21, 14, tzinfo=UTC))


def test_an_event_of_which_nobody_told_the_day_is_listed_for_some_weeks(stage: Stage):
    out(stage, "A-14", kind=Kind.EVENT)

    assert len(shown(stage, at=NOON + timedelta(days=29)).items) == 1
    assert shown(stage, at=NOON + timedelta(days=31)).items == []
    assert pinning.ends_at(Kind.NEWS, None, sent_at=NOON, useless_after=NOON) == FOREVER


# --- Filters ---


def test_what_is_known_to_be_farther_or_later_is_left_out(stage: Stage):
    out(stage, "A-14", text="here", kind=Kind.EVENT, event=an_event("2026-11-20T18:00:00"))
    out(stage, "A-14", text="far", kind=Kind.EVENT, event=an_event("2026-11-20T18:00:00", commune=BREST))
    out(stage, "A-14", text="later", kind=Kind.EVENT, event=an_event("2026-12-20T18:00:00"))
    out(stage, "A-14", text="advice", kind=Kind.ADVICE)

    assert texts(shown(stage, within_km=30)) == ["here", "later", "advice"]
    assert texts(shown(stage, until=date(2026, 11, 20))) == ["here", "far", "advice"]
    assert texts(shown(stage, kinds={Kind.ADVICE})) == ["advice"]


def test_access_and_online_keep_what_says_so(stage: Stage):
    open_to_all = an_event("2026-11-20T18:00:00", accessibility=["motor"])
    from_home = an_event("2026-11-20T18:00:00", attendance="online", online="https://example.org/visio")
    both = an_event("2026-11-20T18:00:00", attendance="mixed")
    for text, event in (("motor", open_to_all), ("online", from_home), ("both", both)):
        out(stage, "A-14", text=text, kind=Kind.EVENT, event=event)
    out(stage, "A-14", text="advice", kind=Kind.ADVICE)

    assert texts(shown(stage, access=Impairment.MOTOR)) == ["motor"]
    assert sorted(texts(shown(stage, online=True))) == ["both", "online"]
    assert texts(shown(stage, online=False)) == ["motor", "advice"]
    [online] = [one for one in shown(stage).items if one.text == "online"]
    assert online.distance_km is None


# --- Widening ---


@pytest.mark.parametrize("zone", ["C-35238", "D-35", "A-14", "R-53", "FR"])
def test_the_nearest_territory_that_something_is_for_is_told(stage: Stage, zone: str):
    out(stage, "FR")
    out(stage, zone)

    assert shown(stage).nearest == zone


def test_a_board_that_is_too_full_says_so(stage: Stage):
    with writing(stage.hub.engine) as session:
        for number in range(nearby.MOST + 1):
            put_out(session, stage, ["A-14"], sent_at=NOON - timedelta(minutes=number))
    listed = shown(stage)

    assert (len(listed.items), listed.cut) == (nearby.MOST, True)
    assert listed.items[0].sent_at == NOON


def test_what_is_read_does_not_grow_with_what_was_published(stage: Stage):
    with writing(stage.hub.engine) as session:
        for number in range(400):
            put_out(session, stage, [f"D-{22 if number % 2 else 29}"])
        put_out(session, stage, ["C-35238"], text="here")
    plans: list[str] = []
    with reading(stage.hub.engine) as session:
        area = nearby.get_area(session, RENNES)
        connection = session.connection()

        def keep(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            plans.append(statement)

        happening.listen(connection, "before_cursor_execute", keep)
        assert texts(nearby.items(session, area, at=stage.clock())) == ["here"]

    assert len(plans) == 1


# --- Pinning ---


def boards(session: Session, number: int | None) -> dict[str, bool]:
    rows = session.exec(select(Pinned.territory_code, Pinned.whole).where(Pinned.delivery_id == number))
    return dict(rows.all())


def test_what_goes_out_is_on_boards_and_what_is_taken_down_is_on_none(desk: Desk):
    desk.approved(accounts=["portal:FR"], audience=["D-35"])
    desk.stage.clock.at = desk.stage.clock.at.replace(day=10, hour=17, minute=1)
    desk.stage.run_due()
    with writing(desk.stage.hub.engine) as session:
        [number] = session.exec(select(Delivery.id))
        assert number is not None

        assert boards(session, number) == {"FR": False, "R-53": False, "A-14": False, "D-35": True}
        pinning.pin(session, number)
        assert len(boards(session, number)) == 4
        pinning.unpin(session, number)
        assert boards(session, number) == {}
        assert pinning.pin_all(session) == 1
        assert len(boards(session, number)) == 4


# --- Counting, and what robots may look for ---


def test_visits_are_counted_by_day_departement_and_kind_of_page_alone(stage: Stage):
    late = datetime(2026, 11, 2, 23, 30, tzinfo=UTC)
    with writing(stage.hub.engine) as session:
        for insee, at in ((RENNES, NOON), (FOUGERES, NOON), (RENNES, late)):
            nearby.count_visit(session, nearby.get_area(session, insee), "area", at=at)
        nearby.count_visit(session, nearby.get_wide_area(session, "A-14"), "academie", at=NOON)
    with reading(stage.hub.engine) as session:
        rows = sorted(
            (str(one.day), one.territory_code, one.page, one.count) for one in session.exec(select(AreaVisit)).all()
        )

    assert rows == [
        ("2026-11-02", "A-14", "academie", 1), ("2026-11-02", "D-35", "area", 2), ("2026-11-03", "D-35", "area", 1),
    ]  # fmt: skip


def test_robots_are_told_of_communes_with_something_of_their_own_and_of_live_items(stage: Stage):
    out(stage, "C-35238", "C-29019")
    out(stage, "FR", sent_at=NOON - timedelta(days=1))
    out(stage, "C-35115", kind=Kind.EVENT, event=an_event("2026-10-20T18:00:00"))
    with reading(stage.hub.engine) as session:
        areas = nearby.areas_with_something(session, at=NOON)
        keys = nearby.live_keys(session, at=NOON, limit=10)

    assert areas == [("29019", "Brest"), ("35238", "Rennes")]
    assert [sent_at for _key, sent_at in keys] == [NOON, NOON - timedelta(days=1)]
