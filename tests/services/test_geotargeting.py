"""From territories to what a network can do: zones, gates, keys, siblings, words and local time. Fails closed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlmodel import select

from hub.database import reading, writing
from hub.domain.account import Account, AccountNetwork
from hub.domain.delivery import DeliveryState, Provenance
from hub.domain.errors import Invalid
from hub.domain.gate import KeyKind, Precision
from hub.domain.post import PostAudience
from hub.domain.territory import Territory
from hub.services import geotargeting
from hub.services.geotargeting import Planned, targeting
from tests.services.desk import Desk, told

MESSAGE_NO_KEY = (
    "Facebook has no reviewed key for {territories}, so the post cannot be limited there. Choose a whole académie "
    "that has keys, leave {account} out, or have keys imported and reviewed."
)


def told_of(planned: list[Planned]) -> list[tuple[str, str, str]]:
    """Account, gate and provenance of each delivery."""
    return [(one.account.name, one.gate_key, one.provenance.value) for one in planned]


def problems_of(planned: list[Planned]) -> list[str]:
    return [problem for one in planned for problem in one.problems]


# --- Zones --------------------------------------------------------------------------------------------------


def test_an_account_that_speaks_for_nothing_of_the_audience_is_refused(desk: Desk):
    [planned] = desk.planned(audience=["A-14"], accounts=["facebook:A-32"])

    assert planned.problems == (
        "Page elsewhere speaks for Guadeloupe, and nothing of the audience lies there. Leave this account out.",
    )


@pytest.mark.parametrize("audience", [["A-14"], ["R-53"], ["D-22", "D-29", "D-35", "D-56"], ["FR"]])
def test_a_page_whose_whole_territory_is_meant_needs_no_gate(desk: Desk, audience):
    planned = desk.planned(audience=audience, accounts=["facebook:A-14"])

    assert told_of(planned) == [("Page rennes", "open", "own page")]
    assert (planned[0].gate, planned[0].problems) == (None, ())


def test_the_whole_country_on_the_national_page_needs_no_gate(desk: Desk):
    planned = desk.planned(audience=["FR"], accounts=["facebook:FR"])

    assert told_of(planned) == [("Page national", "open", "national")]
    assert planned[0].territory_code == "FR"


def test_the_national_page_is_cut_by_academie_with_one_gated_delivery_each(desk: Desk):
    desk.keys("A-32", "GP", kind=KeyKind.COUNTRY)
    desk.keys("D-33", "33")

    planned = desk.planned(audience=["A-32", "D-22", "D-35", "D-33"], accounts=["facebook:FR"])

    assert told_of(planned) == [
        ("Page national", "D-33", "gated"),
        ("Page national", "D-22+D-35", "gated"),
        ("Page national", "A-32", "gated"),
    ]
    assert [one.territory_code for one in planned] == ["D-33", "A-14", "A-32"]
    assert [one.destination for one in planned] == [f"{one.account.id}:{one.gate_key}" for one in planned]


def test_a_region_with_several_academies_is_cut_too(desk: Desk):
    planned = desk.planned(audience=["R-75"], accounts=["facebook:FR"])

    assert [one.gate_key for one in planned] == ["A-04", "A-13", "A-22"]


def test_a_part_of_an_academie_needs_a_gate_on_its_own_page(desk: Desk):
    planned = desk.planned(audience=["D-35"], accounts=["facebook:A-14"])

    assert told_of(planned) == [("Page rennes", "D-35", "own page")]
    assert planned[0].gate is not None
    assert planned[0].gate.keys == {"region": ("4002",)}
    assert planned[0].problems == ()


def test_the_portal_takes_the_whole_zone_in_one_delivery(desk: Desk):
    planned = desk.planned(audience=["A-32", "D-35", "C-33063"], accounts=["portal:FR"])

    assert told_of(planned) == [("Portail", "A-32+C-33063+D-35", "portal")]
    assert planned[0].gate is not None
    assert planned[0].gate.precision == Precision(100.0, 0.0)
    assert planned[0].territory_code == "FR"
    assert problems_of(planned) == []


def test_the_portal_shows_a_post_for_the_whole_country_without_a_gate(desk: Desk):
    assert told_of(desk.planned(audience=["FR"], accounts=["portal:FR"])) == [("Portail", "open", "portal")]


def test_x_is_refused_unless_the_author_accepts_that_it_cannot_be_limited(desk: Desk):
    [refused] = desk.planned("animator", audience=["A-14"], accounts=["x:FR"])
    [accepted] = desk.planned("animator", audience=["A-14"], accounts=["x:FR"], accepts_unlimited=True)

    assert refused.problems == (
        "Page x cannot limit a post to a territory: everybody would see it. "
        "Leave this account out, or accept that it is not limited.",
    )
    assert accepted.problems == ()
    assert (accepted.unlimited, accepted.gate, accepted.stored_gate()) == (True, None, {"unlimited": True})
    assert (accepted.provenance, accepted.territory_code) == (Provenance.ORIGIN, "A-14")


def test_x_for_its_whole_territory_is_not_unlimited(desk: Desk):
    [planned] = desk.planned(audience=["FR"], accounts=["x:FR"])

    assert (planned.unlimited, planned.stored_gate(), planned.problems) == (False, None, ())


def test_the_place_of_an_event_never_narrows_its_audience(desk: Desk):
    event = {"timings": [{"begin": "2027-01-30T09:00", "end": "2027-01-30T12:00"}], "commune": "35047"}

    planned = desk.planned(audience=["A-14"], accounts=["facebook:A-14"], event=event, kind="event")

    assert told_of(planned) == [("Page rennes", "open", "own page")]


# --- Keys ---------------------------------------------------------------------------------------------------


def test_without_a_reviewed_key_a_delivery_is_refused_and_never_widened(desk: Desk):
    desk.keys("D-22", "4003", reviewed=False)

    [planned] = desk.planned(audience=["D-22"], accounts=["facebook:A-14"])

    assert planned.problems[0] == MESSAGE_NO_KEY.format(territories="Côtes-d'Armor", account="Page rennes")
    assert planned.gate is not None
    assert planned.gate.territories == ("D-22",)
    assert planned.gate.keys == {}


def test_one_part_without_a_key_refuses_the_whole_delivery(desk: Desk):
    [planned] = desk.planned(audience=["D-22", "D-29", "D-35"], accounts=["facebook:A-14"])

    assert planned.problems[0] == MESSAGE_NO_KEY.format(territories="Côtes-d'Armor, Finistère", account="Page rennes")
    assert planned.gate is not None
    assert planned.gate.keys == {}


def test_keys_of_the_parts_say_the_whole_when_every_part_has_some(desk: Desk):
    desk.forget_keys()
    for number, part in enumerate(["D-22", "D-29", "D-35", "D-56"]):
        desk.keys(part, f"40{number}")

    [planned] = desk.planned(audience=["A-14"], accounts=["facebook:FR"])

    assert planned.gate is not None
    assert planned.gate.keys == {"region": ("400", "401", "402", "403")}
    assert planned.problems == ()


def test_keys_of_some_parts_do_not_say_the_whole(desk: Desk):
    desk.forget_keys()
    for part in ("D-22", "D-29", "D-35"):
        desk.keys(part, f"key-{part}")

    [planned] = desk.planned(audience=["A-14"], accounts=["facebook:FR"])

    assert planned.problems[0] == MESSAGE_NO_KEY.format(territories="Rennes", account="Page national")


def test_the_key_of_a_region_that_is_one_academie_is_that_academie_s(desk: Desk):
    desk.forget_keys()
    desk.keys("R-53", "Bretagne")

    [planned] = desk.planned(audience=["A-14"], accounts=["facebook:FR"])

    assert planned.gate is not None
    assert planned.gate.keys == {"region": ("Bretagne",)}


def test_the_key_of_a_wider_territory_never_stands_for_a_part(desk: Desk):
    desk.keys("R-75", "Nouvelle-Aquitaine")

    [planned] = desk.planned(audience=["A-22"], accounts=["facebook:FR"])

    assert planned.problems[0] == MESSAGE_NO_KEY.format(territories="Limoges", account="Page national")


def test_invented_keys_are_refused_against_a_real_address(desk: Desk):
    typed: dict[str, Any] = {"audience": ["D-35"], "accounts": ["facebook:A-14"]}

    in_the_sandbox = desk.planned(**typed)
    desk.settle(sandboxed=frozenset())
    for_real = desk.planned(**typed)

    assert problems_of(in_the_sandbox) == []
    assert problems_of(for_real) == [
        "The keys for Page rennes are invented ones, good for the sandbox only. Import and review real ones."
    ]


@pytest.mark.parametrize(
    ("kind", "setting", "most"),
    [(KeyKind.CITY, "max_cities", 2), (KeyKind.ZIP, "max_zips", 2), (KeyKind.COUNTRY, None, 25)],
)
def test_more_keys_than_a_network_takes_are_refused(desk: Desk, kind, setting, most):
    if setting:
        desk.settle(**{setting: most})
    desk.keys("D-29", *(f"k{number:02}" for number in range(most)), kind=kind)
    at_most = desk.planned(audience=["D-29"], accounts=["facebook:A-14"])
    desk.keys("D-29", "one more", kind=kind)
    too_many = desk.planned(audience=["D-29"], accounts=["facebook:A-14"])

    assert problems_of(at_most) == []
    assert problems_of(too_many)[0] == (
        f"This limit needs {most + 1} keys of kind {kind.value}; the network takes {most}. Choose wider ones."
    )


def test_precision_is_told_by_people(desk: Desk):
    """Bruz has 19 683 people, Rennes 230 890, Ille-et-Vilaine 1 120 666, Bretagne 3 449 370."""
    desk.keys("C-35047", "rennes", kind=KeyKind.CITY, covers=["C-35047", "C-35238"])
    desk.keys("D-22", "bretagne", covers=["A-14"])
    desk.keys("D-29", "brest", kind=KeyKind.CITY, covers=["C-29019"])

    spilling = desk.planned(audience=["C-35047"], accounts=["facebook:A-14"])[0].gate
    wide = desk.planned(audience=["D-22"], accounts=["facebook:A-14"])[0].gate
    partial = desk.planned(audience=["D-29"], accounts=["facebook:A-14"])[0].gate
    exact = desk.planned(audience=["D-35"], accounts=["facebook:A-14"])[0].gate

    precisions = [gate.precision for gate in (spilling, wide, partial, exact) if gate]
    assert precisions == [
        Precision(100.0, round(100 * 230890 / (230890 + 19683), 1)),
        Precision(100.0, round(100 * (3449370 - 611859) / 3449370, 1)),
        Precision(15.2, 0.0),
        Precision(100.0, 0.0),
    ]


def test_a_frozen_gate_is_handed_to_the_network_as_it_is(desk: Desk):
    [planned] = desk.planned(audience=["D-35"], accounts=["facebook:A-14"])

    asked = targeting(planned.stored_gate())

    assert asked is not None
    assert (asked.countries, asked.regions, asked.cities, asked.zips) == ((), ("4002",), (), ())
    assert targeting({"unlimited": True}) is None
    assert targeting(None) is None


# --- Siblings -----------------------------------------------------------------------------------------------


@pytest.fixture
def everywhere(desk: Desk) -> Desk:
    """A desk where every territory has a key."""
    desk.forget_keys()
    with reading(desk.stage.hub.engine) as session:
        codes = geotargeting.atlas(session).academies_of(["FR"])
    for code in codes:
        desk.keys(code, f"key-{code}")
    return desk


def test_siblings_differ_in_text_by_the_name_of_their_territory(everywhere: Desk):
    planned = everywhere.planned(audience=["A-14", "A-32"], accounts=["facebook:FR"], text="Portes ouvertes")

    assert [one.text for one in planned] == ["Rennes\u00a0: Portes ouvertes", "Guadeloupe\u00a0: Portes ouvertes"]


def test_siblings_whose_words_name_the_territory_are_left_as_written(everywhere: Desk):
    planned = everywhere.planned(
        audience=["A-14", "A-32"], accounts=["facebook:FR"], text="En {territoire}, académie de {academie}"
    )

    assert [one.text for one in planned] == [
        "En Rennes, académie de Rennes",
        "En Guadeloupe, académie de Guadeloupe",
    ]


def test_a_delivery_without_siblings_is_left_as_written(everywhere: Desk):
    [planned] = everywhere.planned(audience=["A-14"], accounts=["facebook:FR"], text="Portes ouvertes")

    assert planned.text == "Portes ouvertes"


def test_siblings_of_one_name_are_told_apart(desk: Desk):
    for commune in ("C-35262", "C-33390"):
        desk.keys(commune, commune, kind=KeyKind.CITY)

    planned = desk.planned(audience=["C-35262", "C-33390"], accounts=["facebook:FR"], text="Portes ouvertes")

    assert [one.text for one in planned] == [
        "Sainte-Colombe (Gironde)\u00a0: Portes ouvertes",
        "Sainte-Colombe (Ille-et-Vilaine)\u00a0: Portes ouvertes",
    ]
    assert problems_of(planned) == []


def test_lists_of_namesakes_are_told_apart_by_academie(desk: Desk):
    with reading(desk.stage.hub.engine) as session:
        named = [
            dict(session.exec(select(Territory.name, Territory.code).where(Territory.parent_code == part)).all())
            for part in ("D-33", "D-35")
        ]
    both = sorted(set(named[0]) & set(named[1]))[:2]

    planned = desk.planned(audience=[one[name] for one in named for name in both], accounts=["facebook:FR"], text="x")

    names = ", ".join(both)
    assert [one.text for one in planned] == [f"{names} (Bordeaux)\u00a0: x", f"{names} (Rennes)\u00a0: x"]


def test_siblings_go_out_a_minute_apart(everywhere: Desk):
    planned = everywhere.planned(
        audience=["A-01", "A-04", "A-14"], accounts=["facebook:FR"], when="2026-11-10T18:00", zone="Europe/Paris"
    )

    assert [one.due_at for one in planned] == [datetime(2026, 11, 10, 17, minute, tzinfo=UTC) for minute in (0, 1, 2)]
    assert [one.wall_time for one in planned] == [f"2026-11-10T18:0{minute}" for minute in (0, 1, 2)]


@pytest.mark.parametrize("seconds", [60, 150, 600])
@pytest.mark.parametrize("zone", ["local", "Europe/Paris"])
def test_thirty_three_siblings_keep_their_distance_whatever_their_zones_are(everywhere: Desk, seconds, zone):
    everywhere.settle(sibling_gap=timedelta(seconds=seconds))
    with reading(everywhere.stage.hub.engine) as session:
        codes = geotargeting.atlas(session).academies_of(["FR"])[1:]

    planned = everywhere.planned(audience=codes, accounts=["facebook:FR"], zone=zone, useless_after="2026-11-13T18:00")

    due = sorted(one.due_at for one in planned)
    assert len(planned) == 33
    assert problems_of(planned) == []
    assert min(later - earlier for earlier, later in pairwise(due)) >= timedelta(seconds=seconds)
    assert len({one.text for one in planned}) == 33


def test_siblings_in_other_zones_need_not_step_aside(everywhere: Desk):
    planned = everywhere.planned(audience=["A-01", "A-14", "A-32", "A-33"], accounts=["facebook:FR"])

    assert [(one.zone, one.wall_time[11:]) for one in planned] == [
        ("Europe/Paris", "18:00"),
        ("Europe/Paris", "18:01"),
        ("America/Guadeloupe", "18:00"),
        ("America/Cayenne", "18:00"),
    ]


def test_a_sibling_that_would_be_useless_when_its_turn_comes_is_refused(everywhere: Desk):
    everywhere.settle(sibling_gap=timedelta(hours=1))

    planned = everywhere.planned(
        audience=["A-01", "A-04", "A-14"],
        accounts=["facebook:FR"],
        zone="Europe/Paris",
        useless_after="2026-11-10T20:00",
    )

    assert [one.problems for one in planned] == [
        (),
        (),
        ("The post would be useless before it goes out. Choose an earlier time, or a later end.",),
    ]


# --- Local time ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("territory", "network", "due"),
    [
        ("A-14", "facebook", datetime(2026, 11, 10, 17, tzinfo=UTC)),
        ("A-32", "facebook", datetime(2026, 11, 10, 22, tzinfo=UTC)),
        ("A-32", "portal", datetime(2026, 11, 10, 22, tzinfo=UTC)),
        ("A-32", "x", datetime(2026, 11, 10, 22, tzinfo=UTC)),
        ("A-40", "portal", datetime(2026, 11, 10, 7, tzinfo=UTC)),
        ("A-42", "portal", datetime(2026, 11, 10, 6, tzinfo=UTC)),
        ("A-41", "portal", datetime(2026, 11, 11, 4, tzinfo=UTC)),
        ("C-98719", "portal", datetime(2026, 11, 11, 3, tzinfo=UTC)),
    ],
)
def test_six_in_the_evening_is_that_of_the_territory_that_is_meant(desk: Desk, territory, network, due):
    account = f"facebook:{territory}" if network == "facebook" else f"{network}:FR"

    post_id = desk.write("coordinator", audience=[territory], accounts=[account], accepts_unlimited=True)

    assert [(one.due_at, one.wall_time) for one in desk.plan(post_id)] == [(due, "2026-11-10T18:00")]
    assert desk.post(post_id).first_due_at == due


def test_an_hour_that_is_missing_where_an_account_has_moved_to_is_a_problem(desk: Desk):
    post_id = desk.write(
        "coordinator", audience=["A-32"], accounts=["facebook:A-32"], when="2027-03-28T02:30", zone="local"
    )
    with writing(desk.stage.hub.engine) as session:
        account = session.get(Account, desk.stage.accounts["elsewhere"])
        assert account is not None
        account.territory_code = "FR"
        session.add(PostAudience(post_id=post_id, territory_code="FR"))

    [planned] = desk.plan(post_id)

    assert planned.problems == (
        "28/03/2027 at 02:30 does not exist in Paris: clocks go forward that night. Take 01:30 or 03:30.",
    )


def test_a_named_zone_is_one_instant_everywhere(everywhere: Desk):
    planned = everywhere.planned(
        audience=["A-32"], accounts=["facebook:A-32", "facebook:FR", "portal:FR"], zone="Europe/Paris"
    )

    assert [one.due_at for one in planned] == [datetime(2026, 11, 10, 17, tzinfo=UTC)] * 3


# --- Words --------------------------------------------------------------------------------------------------


def test_a_territory_that_holds_several_academies_has_no_academie_to_fill_in(desk: Desk):
    planned = desk.planned(audience=["FR"], accounts=["facebook:FR", "facebook:A-14"], text="Académie de {academie}")

    assert [one.problems for one in planned] == [
        ("{academie} cannot be filled for France, which holds several. Use {territoire}, or write it.",),
        (),
    ]
    assert planned[1].text == "Académie de Rennes"


def test_a_variable_that_nobody_can_fill_is_refused(desk: Desk):
    with pytest.raises(Invalid) as refused:
        desk.write(text="Bonjour {ville}", variants={"facebook:A-14": "Salut {nom}"})

    assert told(refused) == [
        ("text", "Unknown variable {ville}. You may write {academie} and {territoire}."),
        ("variants.facebook:A-14", "Unknown variable {nom}. You may write {academie} and {territoire}."),
    ]


def test_a_few_territories_are_named_one_by_one_and_many_by_what_holds_them(desk: Desk):
    text, accounts = "En {territoire}", ["portal:FR"]

    few = desk.planned(audience=["D-22", "D-35"], accounts=accounts, text=text)
    many = desk.planned(audience=["D-33", "D-40", "D-24", "D-87"], accounts=accounts, text=text)

    assert [one.text for one in few + many] == ["En Côtes-d'Armor, Ille-et-Vilaine", "En Nouvelle-Aquitaine"]


def test_x_names_the_territory_that_is_meant_and_not_the_one_that_writes(desk: Desk):
    [planned] = desk.planned(
        "coordinator", audience=["D-35"], accounts=["x:FR"], accepts_unlimited=True, text="En {territoire}"
    )

    assert planned.text == "En Ille-et-Vilaine"
    assert planned.territory_code == "FR"


def test_an_account_may_have_its_own_words(desk: Desk):
    planned = desk.planned(
        audience=["A-14"],
        accounts=["facebook:A-14", "portal:FR"],
        text="Bonjour",
        variants={"facebook:A-14": "Salut {territoire}"},
    )

    assert {one.account.name: one.text for one in planned} == {"Page rennes": "Salut Rennes", "Portail": "Bonjour"}


def test_each_delivery_carries_its_own_mark_in_our_links(everywhere: Desk):
    everywhere.settle(link_base="https://relais.example.org/l/")

    planned = everywhere.planned(
        audience=["A-14", "A-32"], accounts=["facebook:FR", "portal:FR"], link="https://example.org/cfa"
    )

    assert [one.link for one in planned] == [f"https://relais.example.org/l/{one.key}" for one in planned]
    assert len({one.key for one in planned}) == 3


def test_without_an_address_of_our_own_links_go_out_as_typed(desk: Desk):
    desk.settle(link_base=None)

    [planned] = desk.planned(audience=["A-14"], accounts=["facebook:A-14"], link="https://example.org/cfa")

    assert planned.link == "https://example.org/cfa"


def test_a_link_stands_in_the_text_where_the_network_has_no_other_place(desk: Desk):
    desk.settle(link_base=None)

    [planned] = desk.planned(audience=["FR"], accounts=["x:FR"], text="Bonjour", link="https://example.org/cfa")

    assert planned.text == "Bonjour https://example.org/cfa"
    assert planned.cost > 0


def test_what_a_network_would_refuse_is_told_in_words(desk: Desk):
    [planned] = desk.planned(audience=["FR"], accounts=["x:FR"], text="a" * 281)

    assert planned.problems == (
        "Page x: the text counts 281, and the network takes 280. Shorten it, or give this account its own text.",
    )


# --- Repeats ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "text", "warned"),
    [
        ("2026-11-11T18:00", "Portes  ouvertes\nau CFA", True),
        ("2026-11-09T18:00", "Portes ouvertes au CFA", True),
        ("2026-11-11T18:01", "Portes ouvertes au CFA", False),
        ("2026-11-10T19:00", "Portes ouvertes au lycée", False),
    ],
)
def test_the_same_words_on_the_same_account_within_a_day_are_warned_about(desk: Desk, when, text, warned):
    first = desk.approved(text="Portes ouvertes au CFA", when="2026-11-10T18:00")

    [planned] = desk.planned("animator", text=text, when=when)

    warning = f"Page rennes says the same words within 24 hours (post {first})."
    assert planned.warnings == ((warning,) if warned else ())


def test_the_same_words_on_another_account_are_no_repeat(desk: Desk):
    desk.approved(accounts=["facebook:A-14"])

    [planned] = desk.planned("animator", accounts=["portal:FR"])

    assert planned.warnings == ()


@pytest.mark.parametrize("state", [DeliveryState.CANCELLED, DeliveryState.FAILED])
def test_words_that_never_came_out_are_no_repeat(desk: Desk, state):
    [delivery] = desk.deliveries(desk.approved())
    desk.move(delivery.id, state=state)

    [planned] = desk.planned("animator")

    assert planned.warnings == ()


def test_links_that_differ_by_their_mark_only_are_the_same_words(desk: Desk):
    desk.settle(link_base="https://relais.example.org/l/")
    x_for_all: dict[str, Any] = {
        "audience": ["FR"],
        "accounts": ["x:FR"],
        "text": "Bonjour",
        "link": "https://example.org",
    }
    first = desk.approved(**x_for_all)

    [planned] = desk.planned("animator", **x_for_all)

    assert planned.warnings == (f"Page x says the same words within 24 hours (post {first}).",)


def test_siblings_of_one_post_are_no_repeats_of_each_other(everywhere: Desk):
    post_id = everywhere.approved("animator", audience=["A-14", "A-32"], accounts=["facebook:FR"], text="{territoire}")

    assert [one.warnings for one in everywhere.plan(post_id)] == [(), ()]


# --- Audience and accounts ----------------------------------------------------------------------------------


def test_the_default_audience_is_the_territory_that_writes(desk: Desk):
    post_id = desk.write("animator", audience=None)

    with reading(desk.stage.hub.engine) as session:
        assert geotargeting.whole(session, desk.post(post_id)).audience == ["A-14"]


def test_an_unknown_territory_is_refused_with_what_a_code_looks_like(desk: Desk):
    with pytest.raises(Invalid) as refused:
        desk.write(audience=["A-14", "D-999", "Rennes"])

    assert told(refused) == [
        (
            "audience",
            "Unknown territory: D-999, Rennes. Codes look like FR, R-53, A-14, D-35 or C-35238; "
            "“relais territory find” finds them.",
        )
    ]


@pytest.mark.parametrize(
    ("audience", "names"),
    [
        (["A-14"], ["Page rennes", "Portail"]),
        (["D-35"], ["Page rennes", "Portail"]),
        (["A-14", "A-32"], ["Page elsewhere", "Page rennes", "Portail"]),
        (["A-04"], ["Portail"]),
        (["FR"], ["Page national", "Portail"]),
    ],
)
def test_accounts_are_proposed_by_audience_and_x_never(desk: Desk, audience, names):
    planned = desk.planned("coordinator", audience=audience, accounts=None)

    assert sorted({one.account.name for one in planned}) == names


def test_a_commune_that_has_ended_never_stands_for_one_that_is_missing(desk: Desk):
    alo, sigave, uvea = "C-98611", "C-98612", "C-98613"
    with writing(desk.stage.hub.engine) as session:
        ended = session.get(Territory, alo)
        assert ended is not None
        ended.ended_on = desk.now.date()

    with reading(desk.stage.hub.engine) as session:
        land = geotargeting.atlas(session, [alo, sigave, uvea])

    assert land.simplify([alo, sigave]) == {alo, sigave}
    assert land.simplify([sigave, uvea]) == {"A-42"}


def test_a_page_of_a_region_is_cut_by_academie_when_only_a_part_is_meant(desk: Desk):
    desk.page("R-75", AccountNetwork.FACEBOOK)

    planned = desk.planned(audience=["A-04", "A-22"], accounts=["facebook:R-75"])
    whole = desk.planned(audience=["R-75"], accounts=["facebook:R-75"])

    assert told_of(planned) == [("Page R-75", "A-04", "gated"), ("Page R-75", "A-22", "gated")]
    assert told_of(whole) == [("Page R-75", "open", "own page")]


def test_a_fingerprint_covers_everything_that_is_frozen(desk: Desk):
    [planned] = desk.planned(audience=["D-35"], accounts=["facebook:A-14"])
    changed: list[dict[str, Any]] = [
        {"text": "Autre chose"},
        {"link": "https://example.org"},
        {"due_at": planned.due_at + timedelta(minutes=1)},
        {"useless_after": planned.useless_after + timedelta(minutes=1)},
        {"gate": None},
        {"unlimited": True, "gate": None},
    ]

    prints = {Planned(**{**planned.__dict__, **one}).fingerprint for one in changed}

    assert len(prints | {planned.fingerprint}) == 7
