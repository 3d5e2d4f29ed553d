"""What somebody who writes a post chooses from: quick picks, the tree, accounts, clocks."""

from __future__ import annotations

from datetime import datetime

import pytest

from hub.database import reading, writing
from hub.domain.account import Account, AccountState
from hub.domain.person import RoleKind
from hub.domain.territory import Level
from hub.services import choosing, geotargeting
from tests.services.desk import Desk

EVENING = datetime.fromisoformat("2026-11-10T18:00")


@pytest.fixture
def land(desk: Desk):
    """The tree down to départements."""
    with reading(desk.stage.hub.engine) as session:
        return geotargeting.atlas(session)


def test_an_animator_picks_their_academie_or_everywhere(desk: Desk, land):
    assert [(one.code, one.label) for one in choosing.picks(land, desk.who("animator"))] == [
        ("A-14", "My académie: Rennes"),
        ("FR", "Everywhere: all of France"),
    ]


def test_the_region_is_a_pick_where_it_holds_several_academies(desk: Desk, land):
    desk.join("lyon", RoleKind.ANIMATOR, "A-10")

    picks = choosing.picks(land, desk.who("lyon"))

    assert [(one.code, one.label) for one in picks] == [
        ("A-10", "My académie: Lyon"),
        ("R-84", "My région: Auvergne-Rhône-Alpes"),
        ("FR", "Everywhere: all of France"),
    ]


def test_every_academie_and_departement_is_in_the_tree(land):
    told = {code for branch in choosing.tree(land) for code in branch.codes()}

    wanted = {code for code, node in land.nodes.items() if node.level is Level.ACADEMIE and node.ended_on is None}
    assert wanted - told == set()
    assert {"D-35", "D-2A", "D-59"} - told == set()


def test_the_mainland_comes_first_and_a_lone_academie_stands_for_its_region(land):
    tree = choosing.tree(land)

    assert [(one.code, one.name) for one in tree][:3] == [
        ("R-84", "Auvergne-Rhône-Alpes"),
        ("R-27", "Bourgogne-Franche-Comté"),
        ("A-14", "Bretagne"),
    ]
    assert {land.zone(one.code) for one in tree[:13]} == {"Europe/Paris"}
    assert "Europe/Paris" not in {land.zone(one.code) for one in tree[13:]}


def test_an_account_that_does_not_publish_says_why(desk: Desk, land):
    with writing(desk.stage.hub.engine) as session:
        account = session.get(Account, desk.stage.accounts["rennes"])
        assert account is not None
        account.state, account.state_reason = AccountState.PAUSED, "congés"
        session.add(account)
    with reading(desk.stage.hub.engine) as session:
        told = choosing.accounts(session, ["A-14"], land, by=desk.who("animator"))

    assert [(one.account.name, one.proposed, bool(one.trouble)) for one in told[:2]] == [
        ("Page rennes", True, True),
        ("Portail", True, False),
    ]
    assert "congés" in told[0].trouble


def test_one_local_time_is_several_moments(desk: Desk, land):
    with reading(desk.stage.hub.engine) as session:
        pages = [session.get(Account, desk.stage.accounts[name]) for name in ("rennes", "elsewhere")]
    walls = choosing.local_times(land, ["A-14", "A-32"], [one for one in pages if one], EVENING)

    assert [(one.places, one.at.isoformat()) for one in walls] == [
        (("Paris",), "2026-11-10T18:00:00+01:00"),
        (("Pointe-à-Pitre",), "2026-11-10T18:00:00-04:00"),
    ]


@pytest.mark.parametrize(
    ("chosen", "zones"),
    [
        ("", ["local", "Europe/Paris"]),
        ("Pacific/Noumea", ["local", "Europe/Paris", "Pacific/Noumea"]),
    ],
)
def test_the_clock_that_was_chosen_is_always_offered(desk: Desk, land, chosen: str, zones: list[str]):
    assert [zone for zone, _name in choosing.zones(land, desk.who("animator"), chosen)] == zones


def test_somebody_overseas_may_time_by_their_own_clock(desk: Desk, land):
    assert choosing.zones(land, desk.who("stranger"), "")[-1] == ("America/Guadeloupe", "time of Pointe-à-Pitre")


def test_a_new_post_begins_tomorrow_by_the_clock_of_its_territory(desk: Desk, land):
    desk.stage.clock.at = desk.stage.clock.at.replace(hour=2)
    with reading(desk.stage.hub.engine) as session:
        here = choosing.usual_time(session, by=desk.who("animator"), land=land, at=desk.now)
        there = choosing.usual_time(session, by=desk.who("stranger"), land=land, at=desk.now)

    assert (here.isoformat(), there.isoformat()) == ("2026-11-03T18:00:00", "2026-11-02T18:00:00")
